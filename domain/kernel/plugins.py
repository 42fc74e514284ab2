"""What every plugin is, whichever context it adds to.

A package declares an entry point in the group `llama_mapper.plugins` whose object is a plugin of a context. It runs
in this process with all of this process's rights: installing a package is trusting it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PLUGIN_API = (1, 1)
"""Version of what plugins may rely on: the ports, the hooks, the contracts and the plugin classes.

The first number grows when something is taken away or changes its meaning, the second when something is added.
"""

PLUGIN_GROUP = "llama_mapper.plugins"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePlugin:
    """A plugin, before anything of it is made.

    `name` is lower case and unique in an installation; its settings are found under it. `api` is the `PLUGIN_API` that
    it was written for. `settings` is called with the configured settings as keyword arguments and gives the object
    that the makers of the context's class get, None without it.
    """

    name: str
    version: str
    api: tuple[int, int]
    settings: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("a plugin's name is 1 to 63 of a-z, 0-9 and '_', starting with a letter")


def incompatibility(api: tuple[int, int]) -> str | None:
    """Why a plugin written for `api` does not fit this version; None if it does."""
    major, minor = api
    if major != PLUGIN_API[0] or minor > PLUGIN_API[1]:
        return f"it is written for plugin API {major}.{minor}; this is {PLUGIN_API[0]}.{PLUGIN_API[1]}"
    return None
