"""Plugins that add detectors, policies and hooks."""

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
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.orchestration.hooks import OrchestrationHook
from llama_mapper.domain.orchestration.plugins import Plugin
from llama_mapper.domain.orchestration.ports import Detector, PolicyBundle
from llama_mapper.domain.orchestration.roster import check_declaration


@dataclass(frozen=True, slots=True)
class LoadedPlugins:
    """Everything that the plugins in service bring, and the state of each."""

    states: tuple[PluginState, ...] = ()
    detectors: tuple[Detector, ...] = ()
    scanners: tuple[str, ...] = ()
    policies: tuple[PolicyBundle, ...] = ()
    hooks: tuple[OrchestrationHook, ...] = ()


def load_plugins(
    catalogue: CatalogueView,
    settings: Mapping[str, Mapping[str, Any]],
    enabled: Collection[str] | None,
    *,
    detectors: Collection[str] = (),
    policies: Collection[str] = (),
    found: Sequence[EntryPoint] | None = None,
) -> LoadedPlugins:
    """Load the plugins of all installed packages. `detectors` and `policies` are names that they must not take."""
    brought = _Brought(catalogue, set(detectors), set(policies))
    states = PluginFinder(Plugin, settings, enabled, found).load(brought.take)
    return LoadedPlugins(
        states, tuple(brought.detectors), tuple(brought.scanners), tuple(brought.policies), tuple(brought.hooks)
    )


@dataclass(slots=True)
class _Brought:
    catalogue: CatalogueView
    detector_names: set[str]
    policy_names: set[str]
    detectors: list[Detector] = field(default_factory=list)
    scanners: list[str] = field(default_factory=list)
    policies: list[PolicyBundle] = field(default_factory=list)
    hooks: list[OrchestrationHook] = field(default_factory=list)

    def take(self, plugin: Plugin, settings: Any) -> Mapping[str, tuple[str, ...]]:
        """Everything that one plugin brings, or nothing of it."""
        detectors = made("detectors", plugin.detectors, settings)
        scanners = made("scanners", plugin.scanners, settings)
        policies = made("policies", plugin.policies, settings)
        hooks = made("hooks", plugin.hooks, settings)
        names = [_declared(detector, self.catalogue) for detector in detectors]
        scanner_names = [_scanner_name(factory) for factory in scanners]
        if clash := sorted({*names, *scanner_names} & self.detector_names):
            raise FaultyPlugin(f"other detectors have the names {', '.join(clash)}")
        if len({*names, *scanner_names}) < len(names) + len(scanner_names):
            raise FaultyPlugin("two of its detectors have the same name")
        if not all(isinstance(bundle, PolicyBundle) for bundle in policies):
            raise FaultyPlugin("its policies are not PolicyBundle objects")
        if clash := sorted({bundle.name for bundle in policies} & self.policy_names):
            raise FaultyPlugin(f"other policy bundles have the names {', '.join(clash)}")
        if not all(isinstance(hook, OrchestrationHook) for hook in hooks):
            raise FaultyPlugin("its hooks are not OrchestrationHook objects")
        hook_names = tuple([guarded("reading a hook's name", _hook_name, hook) for hook in hooks])
        self.detector_names.update(names, scanner_names)
        self.policy_names.update(bundle.name for bundle in policies)
        self.detectors += detectors
        self.scanners += scanners
        self.policies += policies
        self.hooks += hooks
        return {
            "detectors": tuple(names),
            "scanners": tuple(scanner_names),
            "policies": tuple(bundle.applied for bundle in policies),
            "hooks": hook_names,
        }


def _declared(detector: Detector, catalogue: CatalogueView) -> str:
    def check() -> str:
        name = detector.descriptor.name
        check_declaration(name, detector, catalogue)
        return name

    return guarded("reading a detector's declaration", check)


def _scanner_name(factory: str) -> str:
    from llama_mapper.adapters.orchestration.workers.pool import describe

    return guarded("making a scanner", describe, factory).name


def _hook_name(hook: OrchestrationHook) -> str:
    """The name, if every record can carry it and the version."""
    ProvenanceEntry(stage="orchestration", component=f"hook:{hook.name}", version=hook.version, duration_ms=0.0)
    return hook.name
