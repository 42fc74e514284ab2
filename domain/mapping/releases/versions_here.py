"""Which versions can be released in this installation, and what the registry of models says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from llama_mapper.domain.contracts.releases import EvaluationSummary, VariantKind
from llama_mapper.domain.kernel.errors import ModelRegistryError, NotFoundError, ServiceError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.generation.label_prompt import AnswerForm
from llama_mapper.domain.mapping.models.ports import ModelRecords
from llama_mapper.domain.mapping.models.serving import ModelCatalogue
from llama_mapper.domain.mapping.releases.split_cascade import strategy_of

LOOK_EVERY_S = 5.0
_FIGURES = 512
_FIGURE_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.@")


class VersionsHere:
    """Keeps `VersionCheck`: models that the settings can release, the forms of the prompt, and strategies.

    Of a model that is called `name@version` the registry is asked, too: an archived version is not released, nor one
    that does not fit the taxonomy, the vocabulary and the crosswalk in use.
    """

    def __init__(self, models: Collection[str], registered: ModelCatalogue) -> None:
        self._models = frozenset(models)
        self._registered = registered

    async def problem(self, kind: VariantKind, version: str) -> str | None:
        """See `VersionCheck.problem`."""
        if kind is VariantKind.MODEL:
            if version not in self._models:
                known = ", ".join(sorted(self._models)) or "none"
                return f"no model of the setting `generation` has the release {version}; there are: {known}"
            return await registry_refusal(self._registered, version)
        if kind is VariantKind.PROMPT:
            known = ", ".join(AnswerForm)
            return (
                None if version in set(AnswerForm) else f"no form of the prompt is called {version}; there are: {known}"
            )
        if kind is VariantKind.STRATEGY:
            return None if strategy_of(version) else f"{version} is no strategy, such as model-first or cascade@0.8"
        if kind is VariantKind.SCHEMA:
            return None  # what is committed of a schema is its evaluation, without which it is not admitted
        return f"versions of a {kind} are not released in this way"


async def registry_refusal(registered: ModelCatalogue, release: str) -> str | None:
    """Why the registry of models says that a version `name@version` may not answer; None for one that it does not know.

    Raises `STORE_UNAVAILABLE`.
    """
    name, at, version = release.partition("@")
    if not at:
        return None
    try:
        await registered.servable(EVERYONE, name, version)
    except NotFoundError:
        return None
    except ModelRegistryError as error:
        return error.message
    return None


class RegisteredEvaluations:
    """Keeps `EvaluationRecords`: the figures that a model was registered with, under the digest of its manifest."""

    def __init__(self, records: ModelRecords) -> None:
        self._records = records

    async def of(self, kind: VariantKind, version: str) -> EvaluationSummary | None:
        """See `EvaluationRecords.of`; figures whose names a release cannot carry are left out."""
        name, at, number = version.partition("@")
        if kind is not VariantKind.MODEL or not at:
            return None
        found = (await self._records.model(EVERYONE, name)).version(number)
        if found is None:
            return None
        figures = {key: value for key, value in found.manifest.metrics.items() if _is_figure(key)}
        return EvaluationSummary(digest=found.digest, figures=dict(list(figures.items())[:_FIGURES]))


class RegistryWatch:
    """Looks now and then whether the models that releases can name may still answer."""

    def __init__(self, registered: ModelCatalogue, releases: Collection[str]) -> None:
        self._registered = registered
        self._releases = tuple(releases)
        self._refusals: Mapping[str, str] = {}

    def may_answer(self, release: str) -> bool:
        """Whether a version may answer, as last seen."""
        return release not in self._refusals

    def notes(self) -> Mapping[str, str]:
        """Why each version that may not answer may not."""
        return {f"model.{release}": reason for release, reason in self._refusals.items()}

    async def look(self) -> None:
        """Look once; raise `STORE_UNAVAILABLE`, and what was seen before still holds."""
        found = {release: await registry_refusal(self._registered, release) for release in self._releases}
        self._refusals = {release: reason for release, reason in found.items() if reason is not None}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except ServiceError:
                continue  # what was seen before still holds; that the database is away is told elsewhere


def _is_figure(name: str) -> bool:
    return len(name) <= 64 and name[0].islower() and _FIGURE_NAME.issuperset(name)
