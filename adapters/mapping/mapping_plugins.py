"""Plugins that add stages, models and checks to mapping."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any

from llama_mapper.adapters.platform.entry_point_plugins import (
    FaultyPlugin,
    PluginFinder,
    PluginState,
    guarded,
    made,
)
from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.ports import CandidateStage
from llama_mapper.domain.mapping.generation.ports import Generation
from llama_mapper.domain.mapping.plugins import MappingPlugin
from llama_mapper.domain.mapping.validation.validator import Check

_RANKING = frozenset({MappingStage.LEXICAL, MappingStage.EMBEDDING, MappingStage.MODEL})


@dataclass(frozen=True, slots=True)
class LoadedMappingPlugins:
    """Everything that the plugins in service bring, and the state of each."""

    states: tuple[PluginState, ...] = ()
    stages: tuple[CandidateStage, ...] = ()
    fallbacks: tuple[CandidateStage, ...] = ()
    generations: Mapping[str, Generation] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


def load_mapping_plugins(
    settings: Mapping[str, Mapping[str, Any]],
    enabled: Collection[str] | None,
    *,
    found: Sequence[EntryPoint] | None = None,
) -> LoadedMappingPlugins:
    """Load the plugins of all installed packages; see `PluginFinder`."""
    brought = _Brought()
    states = PluginFinder(MappingPlugin, settings, enabled, found).load(brought.take)
    return LoadedMappingPlugins(
        states, tuple(brought.stages), tuple(brought.fallbacks), brought.generations, tuple(brought.checks)
    )


@dataclass(slots=True)
class _Brought:
    stages: list[CandidateStage] = field(default_factory=list)
    fallbacks: list[CandidateStage] = field(default_factory=list)
    generations: dict[str, Generation] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    def take(self, plugin: MappingPlugin, settings: Any) -> Mapping[str, tuple[str, ...]]:
        """Everything that one plugin brings, or nothing of it."""
        stages = made("stages", plugin.stages, settings)
        fallbacks = made("fallbacks", plugin.fallbacks, settings)
        generations = {
            guarded("reading a model's name", _model_name, each): each
            for each in made("generations", plugin.generations, settings)
        }
        checks = made("checks", plugin.checks, settings)
        stage_names = [guarded("reading a stage's version", _stage_name, stage) for stage in (*stages, *fallbacks)]
        if clash := sorted(generations.keys() & self.generations.keys()):
            raise FaultyPlugin(f"other models have the names {', '.join(clash)}")
        if not all(callable(check) for check in checks):
            raise FaultyPlugin("its checks are not functions")
        self.stages += stages
        self.fallbacks += fallbacks
        self.generations |= generations
        self.checks += checks
        return {
            "stages": tuple(stage_names[: len(stages)]),
            "fallbacks": tuple(stage_names[len(stages) :]),
            "generations": tuple(generations),
            "checks": tuple(getattr(check, "__name__", type(check).__name__) for check in checks),
        }


def _stage_name(stage: CandidateStage) -> str:
    """The version, if the stage is one that ranks and every record can carry it."""
    if stage.stage not in _RANKING:
        raise FaultyPlugin(f"a stage calls itself '{stage.stage}', which ranks nothing")
    ProvenanceEntry(stage="mapping", component=f"stage:{stage.stage.value}", version=stage.version, duration_ms=0.0)
    return stage.version


def _model_name(generation: Generation) -> str:
    ProvenanceEntry(stage="mapping", component=generation.name, version="1", duration_ms=0.0)
    return generation.name
