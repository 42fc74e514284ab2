"""Plugins of installed packages, found by their entry points.

Whatever a plugin does wrong is its own misfortune: it is left out, named with what went wrong, and everything else
starts. The words of its exceptions are not shown: they may hold its settings, and settings hold secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.orchestration.hooks import OrchestrationHook
from llama_mapper.domain.orchestration.plugins import PLUGIN_GROUP, Plugin, incompatibility
from llama_mapper.domain.orchestration.ports import Detector, PolicyBundle
from llama_mapper.domain.orchestration.roster import check_declaration

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PluginState:
    """What became of one entry point: `reason` is empty if the plugin is in service."""

    name: str
    entry_point: str
    package: str
    version: str = ""
    reason: str = ""
    enabled: bool = True
    detectors: tuple[str, ...] = ()
    scanners: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedPlugins:
    """Everything that the plugins in service bring, and the state of each."""

    states: tuple[PluginState, ...] = ()
    detectors: tuple[Detector, ...] = ()
    scanners: tuple[str, ...] = ()
    policies: tuple[PolicyBundle, ...] = ()
    hooks: tuple[OrchestrationHook, ...] = ()


@dataclass(slots=True)
class _Taken:
    """Names that are given away."""

    plugins: set[str] = field(default_factory=set)
    detectors: set[str] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)


class _Faulty(Exception):
    """What is wrong with a plugin, in words of ours."""


def load_plugins(
    catalogue: CatalogueView,
    settings: Mapping[str, Mapping[str, Any]],
    enabled: Collection[str] | None,
    *,
    detectors: Collection[str] = (),
    policies: Collection[str] = (),
    found: Sequence[EntryPoint] | None = None,
) -> LoadedPlugins:
    """Load the plugins of all installed packages, in order of their entry points' names.

    `settings` is plugin → its settings. `enabled` names the entry points to load, None for all. `detectors` and
    `policies` are names that plugins must not take. `found` stands in for what is installed.
    """
    taken = _Taken(detectors=set(detectors), policies=set(policies))
    loaded = LoadedPlugins()
    points = entry_points(group=PLUGIN_GROUP) if found is None else found
    for point in sorted(points, key=lambda point: (point.name, point.value)):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
        state = PluginState(point.name, point.value, package)
        if enabled is not None and point.name not in enabled:
            state = replace(state, enabled=False, reason="not among the enabled plugins")
            loaded = replace(loaded, states=(*loaded.states, state))
            continue
        try:
            loaded = _with(loaded, state, point, catalogue, settings, taken)
        except _Faulty as fault:
            state = replace(state, reason=str(fault)[:512])
            loaded = replace(loaded, states=(*loaded.states, state))
    return loaded


def _with(
    loaded: LoadedPlugins,
    state: PluginState,
    point: EntryPoint,
    catalogue: CatalogueView,
    settings: Mapping[str, Mapping[str, Any]],
    taken: _Taken,
) -> LoadedPlugins:
    plugin = _guarded("loading it", point.load)
    if not isinstance(plugin, Plugin):
        raise _Faulty(f"its entry point is no Plugin but a {type(plugin).__name__}")
    if (why := incompatibility(plugin.api)) is not None:
        raise _Faulty(why)
    if plugin.name != point.name:
        raise _Faulty(f"it calls itself '{plugin.name}' and its entry point '{point.name}'")
    if plugin.name in taken.plugins:
        raise _Faulty("another plugin has its name")
    own = settings.get(plugin.name, {})
    if plugin.settings is None and own:
        raise _Faulty("it has no settings, and some are given")
    made = _guarded("its settings", plugin.settings, **own) if plugin.settings else None
    detectors = _made("detectors", plugin.detectors, made)
    scanners = _made("scanners", plugin.scanners, made)
    policies = _made("policies", plugin.policies, made)
    hooks = _made("hooks", plugin.hooks, made)
    names = [_declared(detector, catalogue) for detector in detectors]
    scanner_names = [_scanner_name(factory) for factory in scanners]
    if clash := sorted({*names, *scanner_names} & taken.detectors):
        raise _Faulty(f"other detectors have the names {', '.join(clash)}")
    if len({*names, *scanner_names}) < len(names) + len(scanner_names):
        raise _Faulty("two of its detectors have the same name")
    if not all(isinstance(bundle, PolicyBundle) for bundle in policies):
        raise _Faulty("its policies are not PolicyBundle objects")
    if clash := sorted({bundle.name for bundle in policies} & taken.policies):
        raise _Faulty(f"other policy bundles have the names {', '.join(clash)}")
    if not all(isinstance(hook, OrchestrationHook) for hook in hooks):
        raise _Faulty("its hooks are not OrchestrationHook objects")
    hook_names = tuple([_guarded("reading a hook's name", _hook_name, hook) for hook in hooks])
    taken.plugins.add(plugin.name)
    taken.detectors.update(names, scanner_names)
    taken.policies.update(bundle.name for bundle in policies)
    state = replace(
        state,
        version=plugin.version,
        detectors=tuple(names),
        scanners=tuple(scanner_names),
        policies=tuple(bundle.applied for bundle in policies),
        hooks=hook_names,
    )
    return LoadedPlugins(
        (*loaded.states, state),
        (*loaded.detectors, *detectors),
        (*loaded.scanners, *scanners),
        (*loaded.policies, *policies),
        (*loaded.hooks, *hooks),
    )


def _guarded(what: str, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    try:
        return work(*arguments, **named)
    except ServiceError as error:  # ours, and fit to be shown
        raise _Faulty(f"{what} failed: {error.message}") from error
    except Exception as error:
        raise _Faulty(f"{what} failed: {type(error).__name__}") from error
    except SystemExit as error:
        raise _Faulty(f"{what} failed: it wanted to end the process") from error


def _made(what: str, maker: Callable[[Any], Sequence[T]] | None, settings: object) -> tuple[T, ...]:
    if maker is None:
        return ()
    made = _guarded(f"making its {what}", maker, settings)
    if not isinstance(made, list | tuple):
        raise _Faulty(f"its {what} are not a list")
    return tuple(made)


def _declared(detector: Detector, catalogue: CatalogueView) -> str:
    def check() -> str:
        name = detector.descriptor.name
        check_declaration(name, detector, catalogue)
        return name

    return _guarded("reading a detector's declaration", check)


def _scanner_name(factory: str) -> str:
    from llama_mapper.adapters.orchestration.workers.pool import describe

    return _guarded("making a scanner", describe, factory).name


def _hook_name(hook: OrchestrationHook) -> str:
    """The name, if every record can carry it and the version."""
    ProvenanceEntry(stage="orchestration", component=f"hook:{hook.name}", version=hook.version, duration_ms=0.0)
    return hook.name
