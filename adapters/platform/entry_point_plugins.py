"""Plugins of installed packages, found by their entry points.

Whatever a plugin does wrong is its own misfortune: it is left out, named with what went wrong, and everything else
starts. The words of its exceptions are not shown: they may hold its settings, and settings hold secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.kernel.plugins import PLUGIN_GROUP, BasePlugin, incompatibility

T = TypeVar("T")
Kind = TypeVar("Kind", bound=BasePlugin)


@dataclass(frozen=True, slots=True)
class PluginState:
    """What became of one entry point: `reason` is empty if the plugin is in service.

    `brings` names what it added, by part: `detectors`, `stages` and so on.
    """

    name: str
    entry_point: str
    package: str
    version: str = ""
    reason: str = ""
    enabled: bool = True
    brings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class FaultyPlugin(Exception):
    """What is wrong with a plugin, in words of ours."""


@dataclass(frozen=True, slots=True)
class PluginFinder(Generic[Kind]):
    """Finds the plugins of one context among those of all installed packages, in order of their entry points' names.

    `settings` is plugin → its settings. `enabled` names the entry points to load, None for all. `found` stands in for
    what is installed. `take` is given each plugin that fits and its settings object; it returns what the plugin
    brings, by part, or raises `FaultyPlugin`.
    """

    kind: type[Kind]
    settings: Mapping[str, Mapping[str, Any]]
    enabled: Collection[str] | None = None
    found: Sequence[EntryPoint] | None = None

    def load(self, take: Callable[[Kind, Any], Mapping[str, tuple[str, ...]]]) -> tuple[PluginState, ...]:
        """What became of each entry point, but for those that add to another context."""
        names: set[str] = set()
        states: list[PluginState] = []
        points = entry_points(group=PLUGIN_GROUP) if self.found is None else self.found
        for point in sorted(points, key=lambda point: (point.name, point.value)):
            package = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
            state = PluginState(point.name, point.value, package)
            if self.enabled is not None and point.name not in self.enabled:
                states.append(replace(state, enabled=False, reason="not among the enabled plugins"))
                continue
            try:
                plugin = guarded("loading it", point.load)
                if isinstance(plugin, BasePlugin) and not isinstance(plugin, self.kind):
                    continue
                if not isinstance(plugin, self.kind):
                    raise FaultyPlugin(f"its entry point is no Plugin but a {type(plugin).__name__}")
                states.append(replace(state, version=plugin.version, brings=self._taken(plugin, point, names, take)))
                names.add(plugin.name)
            except FaultyPlugin as fault:
                states.append(replace(state, reason=str(fault)[:512]))
        return tuple(states)

    def _taken(
        self,
        plugin: Kind,
        point: EntryPoint,
        names: Collection[str],
        take: Callable[[Kind, Any], Mapping[str, tuple[str, ...]]],
    ) -> Mapping[str, tuple[str, ...]]:
        if (why := incompatibility(plugin.api)) is not None:
            raise FaultyPlugin(why)
        if plugin.name != point.name:
            raise FaultyPlugin(f"it calls itself '{plugin.name}' and its entry point '{point.name}'")
        if plugin.name in names:
            raise FaultyPlugin("another plugin has its name")
        own = self.settings.get(plugin.name, {})
        if plugin.settings is None and own:
            raise FaultyPlugin("it has no settings, and some are given")
        return take(plugin, guarded("its settings", plugin.settings, **own) if plugin.settings else None)


def guarded(what: str, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """What `work` gives; raise `FaultyPlugin` for whatever it raises."""
    try:
        return work(*arguments, **named)
    except FaultyPlugin:
        raise
    except ServiceError as error:  # ours, and fit to be shown
        raise FaultyPlugin(f"{what} failed: {error.message}") from error
    except Exception as error:
        raise FaultyPlugin(f"{what} failed: {type(error).__name__}") from error
    except SystemExit as error:
        raise FaultyPlugin(f"{what} failed: it wanted to end the process") from error


def made(what: str, maker: Callable[[Any], Sequence[T]] | None, settings: object) -> tuple[T, ...]:
    """What a maker gives, which is optional; raise `FaultyPlugin` for what is no list."""
    if maker is None:
        return ()
    found = guarded(f"making its {what}", maker, settings)
    if not isinstance(found, list | tuple):
        raise FaultyPlugin(f"its {what} are not a list")
    return tuple(found)
