"""Wiring of the models: those that the settings name, in their order, and the cascade's stage over them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
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
    from llama_mapper.entrypoints.model_settings import ModelSettings
    from llama_mapper.entrypoints.settings import Settings

_LOOK_EVERY_S = 10.0
_WHILE_AWAY_S = 1.0
_LOADING_POLL_S = 0.05


def generation_of(
    settings: Settings,
    metrics: PrometheusMetrics | None = None,
    plugins: Mapping[str, Generation] = MappingProxyType({}),
) -> FailingOver | None:
    """The models of the settings as one, counted in `metrics`; None where there are none. Nothing is connected yet.

    `plugins` are models that installed packages bring, by name. Offline only local files are models. Raises
    `CONFIGURATION_INVALID` for a kind whose package is not installed, and for a plugin's model that is not there.
    """
    on_use = None if metrics is None else _counting(metrics)
    generations = [
        MeteredGeneration(
            _made(model, plugins),
            price=TokenPrice(model.prompt_price, model.completion_price),
            adapter=model.adapter,
            on_use=on_use,
        )
        for model in settings.generation
        if model.kind == "gguf" or not settings.mapping_offline
    ]
    return FailingOver(generations) if generations else None


def model_stage_of(
    settings: Settings, generation: Generation, taxonomy: Mapping[str, Any], shortlist: CandidateStage | None = None
) -> LabelModelStage:
    """The cascade's stage that asks `generation`; `taxonomy` is a valid document, `shortlist` says among what."""
    from llama_mapper.domain.mapping.generation.definitions import definitions_of
    from llama_mapper.domain.mapping.generation.label_prompt import AnswerForm
    from llama_mapper.domain.mapping.generation.label_stage import LabelModelStage

    return LabelModelStage(
        generation,
        definitions_of(taxonomy),
        [category["id"] for domain in taxonomy["domains"] for category in domain["categories"]],
        shortlist=shortlist,
        candidates=settings.generation_candidates,
        form=AnswerForm(settings.generation_form),
    )


def stage_slots(settings: Settings, models: FailingOver | None, plugins: LoadedMappingPlugins) -> tuple[StageSlot, ...]:
    """The stages besides the shipped ones: plugins' own, then the models, then plugins' fallbacks."""
    slots = [StageSlot(stage) for stage in plugins.stages]
    if models is not None:
        from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue

        # A tenant that is offline does without all models as soon as one of them is on a server.
        remote = not settings.mapping_offline and any(model.kind != "gguf" for model in settings.generation)
        slots.append(
            StageSlot(model_stage_of(settings, models, load_raw_catalogue().taxonomy), late=True, remote=remote)
        )
    return (*slots, *[StageSlot(stage, late=True) for stage in plugins.fallbacks])


class ModelWatch:
    """Looks now and then how the models are, for `/readyz`: a model that is away degrades and stops nothing."""

    def __init__(self, models: FailingOver | None) -> None:
        self.models = models
        self._faults: Mapping[str, str] = {}

    def notes(self) -> Mapping[str, str]:
        """Why each model that cannot be asked now cannot, as last seen."""
        return self._faults

    async def wait(self, within_s: float) -> None:
        """Wait, at most so many seconds, while a model says that it is not loaded yet; for commands, that run once."""
        for _ in range(round(within_s / _LOADING_POLL_S)):
            states = {} if self.models is None else await self.models.states()
            if GenerationFault.MODEL_NOT_LOADED not in states.values():
                return
            await asyncio.sleep(_LOADING_POLL_S)

    async def look(self) -> None:
        """Look once; this also begins to load local models."""
        if self.models is not None:
            states = await self.models.states()
            self._faults = {f"model.{name}": f"degraded: {fault}" for name, fault in states.items() if fault}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look again and again within the block, and close the models at its end."""
        if self.models is None:
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


def _made(model: ModelSettings, plugins: Mapping[str, Generation]) -> Generation:
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


def _triton(model: ModelSettings) -> Generation:
    _require("tritonclient", "triton")
    from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress
    from llama_mapper.adapters.mapping.generation.triton_generation import TritonGeneration, TritonModel

    address = TritonAddress(model.url or "")
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
    "triton": _triton,
    "gguf": _gguf,
}
