"""Which versions of the registry's models answer now: what a process says of itself, and what others may rely on."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.releases import VariantKind
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.models.serving import ServableModel

HELD = timedelta(days=7)
"""For so long a version counts as used after a process last said that it answers with it: a process may be down."""

_REFERENCE = re.compile(
    r"(?:^|\+)(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,62})@"
    r"(?P<version>[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)$"
)

Reference = tuple[str, str]
"""Name and version of a registered model."""

ToldVersion = Callable[[], Awaitable[str]]
"""What a stage's models say of their versions, separated by commas; `1+mapper@2.0.1` and `mapper@2.0.1` name one that
is registered."""

Standings = Callable[[str, str, str], Awaitable[ServableModel]]
"""The version of an owner (`ServingModels.servable`)."""


def references_in(told: str) -> tuple[Reference, ...]:
    """The registered models that a text of versions names, each once."""
    found = (_REFERENCE.search(part.strip()) for part in told.split(","))
    return tuple(dict.fromkeys((match["name"], match["version"]) for match in found if match))


class ModelUses(Protocol):
    """What processes say that they answer with. Raises `STORE_UNAVAILABLE`."""

    async def say(self, process: str, references: Collection[Reference], now: datetime) -> None:
        """Keep that the process answers with these now; what it said before stays until it is old."""
        ...

    async def since(self, moment: datetime) -> Sequence[Reference]:
        """What any process said since then."""
        ...

    async def forget_before(self, moment: datetime) -> None:
        """Forget what was said last before then."""
        ...


ReleasedVersions = Callable[[VariantKind], Awaitable[Collection[str]]]
"""The versions of a kind that a release under way may send requests to, and the one in force: `mapper@1.1.0`."""


@dataclass(frozen=True, slots=True)
class UsedModels:
    """Keeps `ModelsInUse` for the registry: what processes and releases use, whoever owns a model of that name."""

    uses: ModelUses
    released: ReleasedVersions
    clock: Clock
    held: timedelta = HELD

    async def __call__(self, owner: str) -> Collection[Reference]:
        """Name and version of each; raise what the stores raise, so that nothing is removed while they are away."""
        said = await self.uses.since(self.clock() - self.held)
        released = await self.released(VariantKind.MODEL)
        return {*said, *(reference for text in released for reference in references_in(text))}


@dataclass(slots=True)
class ModelWarnings:
    """What answers of a stage should carry about the models behind it, as of the last look."""

    texts: Mapping[MappingStage, str] = field(default_factory=dict)

    def of(self, stage: MappingStage) -> str | None:
        """The warning for answers of a stage; None where there is none."""
        return self.texts.get(stage)


class ModelsInService:
    """Looks which registered versions this process answers with, says so to others, and learns how they stand."""

    def __init__(
        self,
        process: str,
        sources: Mapping[MappingStage, ToldVersion],
        uses: ModelUses,
        standing: Standings,
        warnings: ModelWarnings,
        clock: Clock,
    ) -> None:
        self._process = process
        self._sources = sources
        self._uses = uses
        self._standing = standing
        self._warnings = warnings
        self._clock = clock
        self._models: Mapping[str, ServableModel] = {}
        self._problems: Mapping[str, str] = {}
        self.trouble: str | None = None

    async def look(self) -> None:
        """Look once; a store that is away is told by `trouble`, and what was known before stays known."""
        told = {stage: references_in(await source()) for stage, source in self._sources.items()}
        now = self._clock()
        try:
            await self._uses.say(self._process, {each for found in told.values() for each in found}, now)
            await self._uses.forget_before(now - HELD)
            await self._learn(told, now)
        except ServiceError as error:
            self.trouble = f"degraded: {error.message}"
        else:
            self.trouble = None

    def notes(self) -> dict[str, str]:
        """Models that answer and should not, or not for long, by reference."""
        found = {f"model.{name}": text for name, text in self._problems.items()}
        return found if self.trouble is None else {**found, "model_uses": self.trouble}

    def deprecated(self) -> frozenset[str]:
        """References of those that answer past the date of their deprecation."""
        now = self._clock()
        return frozenset(name for name, model in self._models.items() if model.is_deprecated(now))

    def ending(self) -> frozenset[str]:
        """References of those that answer and whose deprecation is near."""
        now = self._clock()
        near = {name for name, model in self._models.items() if model.warning(now) is not None}
        return frozenset(near - self.deprecated())

    async def _learn(self, told: Mapping[MappingStage, Sequence[Reference]], now: datetime) -> None:
        models: dict[str, ServableModel] = {}
        problems: dict[str, str] = {}
        for name, version in dict.fromkeys(each for found in told.values() for each in found):
            reference = f"{name}@{version}"
            try:
                models[reference] = model = await self._standing(EVERYONE, name, version)
            except ServiceError as error:
                if error.error_code is ErrorCode.STORE_UNAVAILABLE:
                    raise
                if (
                    error.error_code is not ErrorCode.MODEL_NOT_FOUND
                ):  # one that nobody registered is no business of ours
                    problems[reference] = error.message
                continue
            if (warning := model.warning(now)) is not None:
                problems[reference] = warning
        self._models, self._problems = models, problems
        self._warnings.texts = {
            stage: "; ".join(texts)
            for stage, found in told.items()
            if (texts := [problems[f"{n}@{v}"] for n, v in found if f"{n}@{v}" in problems])
        }
