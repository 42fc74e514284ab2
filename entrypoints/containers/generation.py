"""Wiring of the models: those that the settings name, in their order, and the cascade's stage over them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.kernel.money import TokenPrice, dollars
from llama_mapper.domain.mapping.cascade.cascade import StageSlot
from llama_mapper.domain.mapping.generation.failover import FailingOver
from llama_mapper.domain.mapping.generation.metering import MeteredGeneration, Use
from llama_mapper.domain.mapping.generation.ports import Generation, GenerationFault

if TYPE_CHECKING:
    from llama_mapper.adapters.mapping.mapping_plugins import LoadedMappingPlugins
    from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
    from llama_mapper.domain.mapping.cascade.ports import CandidateStage
    from llama_mapper.domain.mapping.generation.label_stage import LabelModelStage
    from llama_mapper.domain.mapping.releases.router import ReleaseRouter
    from llama_mapper.domain.mapping.releases.routing import Variant
    from llama_mapper.domain.mapping.releases.split_stage import SplitStage, StageOf
    from llama_mapper.entrypoints.model_settings import ModelSettings
    from llama_mapper.entrypoints.settings import Settings

_LOOK_EVERY_S = 10.0
_WHILE_AWAY_S = 1.0
_LOADING_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class ConfiguredModels:
    """The models of the settings: `released` by the version that releases know them by, `always` the others."""

    released: Mapping[str, MeteredGeneration]
    always: tuple[MeteredGeneration, ...]

    def chain(self, release: str | None) -> FailingOver | None:
        """A released model before those that are always asked; None where there is none."""
        first = () if release is None else (self.released[release],)
        chain = (*first, *self.always)
        return FailingOver(chain) if chain else None

    @property
    def usual(self) -> str | None:
        """The version that answers where nothing was ever released."""
        return next(iter(self.released), None)

    async def states(self) -> dict[str, GenerationFault | None]:
        """Why each cannot be asked now, by release or by name."""
        named = {**self.released, **{each.name: each for each in self.always}}
        return {name: await each.unready() for name, each in named.items()}

    async def model_version(self) -> str:
        """The releases, and the versions that the other models tell, separated by commas."""
        return ",".join([*self.released, *[await each.model_version() for each in self.always]])

    async def close(self) -> None:
        """Close them all."""
        for each in (*self.released.values(), *self.always):
            await each.close()


def configured_models(
    settings: Settings,
    metrics: PrometheusMetrics | None = None,
    plugins: Mapping[str, Generation] = MappingProxyType({}),
) -> ConfiguredModels:
    """The models of the settings, counted in `metrics`. Nothing is connected yet.

    `plugins` are models that installed packages bring, by name. Offline only local files are models. Raises
    `CONFIGURATION_INVALID` for a kind whose package is not installed, and for a plugin's model that is not there.
    """
    on_use = None if metrics is None else _counting(metrics)
    released: dict[str, MeteredGeneration] = {}
    always: list[MeteredGeneration] = []
    for model in settings.generation:
        if model.kind != "gguf" and settings.mapping_offline:
            continue
        price = TokenPrice(model.prompt_price, model.completion_price)
        made = MeteredGeneration(_made(model, plugins, settings), price=price, adapter=model.adapter, on_use=on_use)
        if model.release is None:
            always.append(made)
        else:
            released[model.release] = made
    return ConfiguredModels(released, tuple(always))


def model_stage_of(
    settings: Settings,
    generation: Generation,
    taxonomy: Mapping[str, Any],
    shortlist: CandidateStage | None = None,
    form: str | None = None,
    release: str | None = None,
    metrics: PrometheusMetrics | None = None,
) -> LabelModelStage:
    """The cascade's stage that asks `generation`; `taxonomy` is a valid document, `shortlist` says among what.

    `form` is how the model answers, unset as the settings say; `release` the version that releases know it by.
    """
    from llama_mapper.domain.mapping.generation.definitions import definitions_of
    from llama_mapper.domain.mapping.generation.label_prompt import AnswerForm
    from llama_mapper.domain.mapping.generation.label_stage import LabelModelStage, told_to_nobody

    return LabelModelStage(
        generation,
        definitions_of(taxonomy),
        [category["id"] for domain in taxonomy["domains"] for category in domain["categories"]],
        shortlist=shortlist,
        candidates=settings.generation_candidates,
        form=AnswerForm(form or settings.generation_form),
        release=release,
        on_wrong_answer=told_to_nobody if metrics is None else metrics.on_wrong_answer,
    )


@dataclass(frozen=True, slots=True)
class ReleasedStages:
    """The model stage as releases share it out: its versions by kind, and the stages that count."""

    stage: CandidateStage
    splits: tuple[SplitStage, ...]
    model_of: StageOf
    prompt_of: StageOf


def released_stages(
    settings: Settings,
    models: ConfiguredModels,
    router: ReleaseRouter,
    may_answer: Callable[[str], bool],
    metrics: PrometheusMetrics | None = None,
) -> ReleasedStages | None:
    """The stage over the models, shared out by model and by form of the prompt; None where there are no models.

    `may_answer` says of a model's version whether the registry of models permits it now.
    """
    from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
    from llama_mapper.domain.contracts.mapping import MappingStage
    from llama_mapper.domain.contracts.releases import VariantKind
    from llama_mapper.domain.mapping.generation.label_prompt import AnswerForm
    from llama_mapper.domain.mapping.releases.split_stage import NobodyStage, SplitStage

    usual = models.chain(models.usual)
    if usual is None:
        return None
    always = models.chain(None)
    taxonomy = load_raw_catalogue().taxonomy
    splits: list[SplitStage] = []

    def by_form(generation: Generation, release: str | None = None) -> SplitStage:
        forms = {
            form.value: model_stage_of(settings, generation, taxonomy, form=form, release=release, metrics=metrics)
            for form in AnswerForm
        }
        split = SplitStage(
            VariantKind.PROMPT, router, lambda variant: forms.get(variant.version), forms[settings.generation_form]
        )
        splits.append(split)
        return split

    stages = {
        release: by_form(chain, release) for release in models.released if (chain := models.chain(release)) is not None
    }
    usually = NobodyStage(MappingStage.MODEL, "no_model_permitted") if always is None else by_form(always)

    def model_of(variant: Variant) -> CandidateStage | None:
        return stages.get(variant.version) if may_answer(variant.version) else None

    whole = SplitStage(VariantKind.MODEL, router, model_of, usually)
    prompts = {form.value: model_stage_of(settings, usual, taxonomy, form=form, metrics=metrics) for form in AnswerForm}
    return ReleasedStages(whole, (whole, *splits), model_of, lambda variant: prompts.get(variant.version))


def stage_slots(
    settings: Settings, model_stage: CandidateStage | None, plugins: LoadedMappingPlugins
) -> tuple[StageSlot, ...]:
    """The stages besides the shipped ones: plugins' own, then the models, then plugins' fallbacks."""
    slots = [StageSlot(stage) for stage in plugins.stages]
    if model_stage is not None:
        # A tenant that is offline does without all models as soon as one of them is on a server.
        remote = not settings.mapping_offline and any(model.kind != "gguf" for model in settings.generation)
        slots.append(StageSlot(model_stage, late=True, remote=remote))
    return (*slots, *[StageSlot(stage, late=True) for stage in plugins.fallbacks])


class ModelWatch:
    """Looks now and then how the models are, for `/readyz`: a model that is away degrades and stops nothing."""

    def __init__(self, models: ConfiguredModels) -> None:
        self.models = models
        self._faults: Mapping[str, str] = {}

    def notes(self) -> Mapping[str, str]:
        """Why each model that cannot be asked now cannot, as last seen."""
        return self._faults

    async def wait(self, within_s: float) -> None:
        """Wait, at most so many seconds, while a model says that it is not loaded yet; for commands, that run once."""
        for _ in range(round(within_s / _LOADING_POLL_S)):
            if GenerationFault.MODEL_NOT_LOADED not in (await self.models.states()).values():
                return
            await asyncio.sleep(_LOADING_POLL_S)

    async def look(self) -> None:
        """Look once; this also begins to load local models."""
        states = await self.models.states()
        self._faults = {f"model.{name}": f"degraded: {fault}" for name, fault in states.items() if fault}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look again and again within the block, and close the models at its end."""
        if not (self.models.released or self.models.always):
            yield
            return
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
            await self.models.close()

    async def _keep_looking(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_WHILE_AWAY_S if self._faults else _LOOK_EVERY_S)


def _counting(metrics: PrometheusMetrics) -> Callable[[Use], None]:
    def count(use: Use) -> None:
        metrics.on_generation(
            use.model,
            use.outcomes,
            prompt_tokens=use.prompt_tokens,
            completion_tokens=use.completion_tokens,
            usd=dollars(use.microdollars),
            seconds=use.seconds,
        )

    return count


def _made(model: ModelSettings, plugins: Mapping[str, Generation], settings: Settings) -> Generation:
    if model.kind == "triton":
        return _triton(model, settings)
    if model.kind != "plugin":
        return _KINDS[model.kind](model)
    if model.model not in plugins:
        known = ", ".join(plugins) or "none"
        raise ConfigurationError(f"no plugin brings the model '{model.model}'; those that are brought are {known}")
    return plugins[model.model]


def _openai(model: ModelSettings) -> Generation:
    from llama_mapper.adapters.mapping.generation.openai_dialects import Dialect
    from llama_mapper.adapters.mapping.generation.openai_generation import OpenAiGeneration, OpenAiServer

    return OpenAiGeneration(
        OpenAiServer(
            model.url or "",
            model.model,
            Dialect(model.kind),
            key_env=model.api_key_env,
            concurrency=model.concurrency,
            adapters=tuple(model.adapters),
            version=model.version,
        )
    )


def _triton(model: ModelSettings, settings: Settings) -> Generation:
    _require("tritonclient", "triton")
    from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress
    from llama_mapper.adapters.mapping.generation.triton_generation import TritonGeneration, TritonModel
    from llama_mapper.entrypoints.containers.model_servers import server_named, triton_address

    if model.server is None:
        address = TritonAddress(model.url or "")
    else:
        address = triton_address(server_named(settings, model.server))
    return TritonGeneration(TritonModel(address, model.model, model.version or "", model.concurrency))


def _gguf(model: ModelSettings) -> Generation:
    _require("xllamacpp", "gguf")
    from llama_mapper.adapters.mapping.generation.gguf_generation import GgufGeneration, GgufModel

    return GgufGeneration(
        GgufModel(
            model.path or Path(),
            sha256=model.sha256,
            context=model.context,
            parallel=model.parallel,
            threads=model.threads,
            adapters={name: path for name, path in model.adapters.items() if path is not None},
        ),
        partial(_log_problem, model.path),
    )


def _log_problem(path: Path | None, problem: str) -> None:
    import structlog

    logger = structlog.get_logger("llama_mapper.generation")
    logger.warning("model_not_loaded", file=None if path is None else path.name, reason=problem)


def _require(package: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise ConfigurationError(
            f"a model of the setting 'generation' needs the package {package}: install 'llama-mapper[{extra}]'"
        )


_KINDS: dict[str, Callable[[ModelSettings], Generation]] = {
    **dict.fromkeys(("openai", "vllm", "tgi", "llama_cpp"), _openai),
    "gguf": _gguf,
}
