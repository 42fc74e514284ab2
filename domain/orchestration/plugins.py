"""What a plugin is: an object that an installed package names, and that says what it brings.

A package declares an entry point in the group `llama_mapper.plugins` whose object is a `Plugin`. It runs in this
process with all of this process's rights: installing a package is trusting it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.orchestration.hooks import OrchestrationHook
from llama_mapper.domain.orchestration.ports import Detector, PolicyBundle

PLUGIN_API = (1, 0)
"""Version of what plugins may rely on: the ports, the hooks, the contracts and this module.

The first number grows when something is taken away or changes its meaning, the second when something is added.
"""

PLUGIN_GROUP = "llama_mapper.plugins"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin, before anything of it is made.

    `name` is lower case and unique in an installation; its settings are found under it. `api` is the `PLUGIN_API` that
    it was written for. `settings` is called with the configured settings as keyword arguments and gives the object
    that the makers below get, None without it. All makers are optional and called once, at start:

    - `detectors` gives detectors that run in the event loop and never block it;
    - `scanners` gives import strings `package.module:callable` of `TextScanner` factories, which run in the worker
      processes: the right place for anything that costs processor time;
    - `policies` gives bundles that every tenant may name, as the shipped ones;
    - `hooks` gives code that takes part in every request.
    """

    name: str
    version: str
    api: tuple[int, int]
    settings: Callable[..., Any] | None = None
    detectors: Callable[[Any], Sequence[Detector]] | None = None
    scanners: Callable[[Any], Sequence[str]] | None = None
    policies: Callable[[Any], Sequence[PolicyBundle]] | None = None
    hooks: Callable[[Any], Sequence[OrchestrationHook]] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("a plugin's name is 1 to 63 of a-z, 0-9 and '_', starting with a letter")


def incompatibility(api: tuple[int, int]) -> str | None:
    """Why a plugin written for `api` does not fit this version; None if it does."""
    major, minor = api
    if major != PLUGIN_API[0] or minor > PLUGIN_API[1]:
        return f"it is written for plugin API {major}.{minor}; this is {PLUGIN_API[0]}.{PLUGIN_API[1]}"
    return None
