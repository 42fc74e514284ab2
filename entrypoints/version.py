"""The version of this installation."""

from __future__ import annotations

from functools import cache


@cache
def service_version() -> str:
    """The version of the installed distribution."""
    from importlib.metadata import version

    return version("llama-mapper")
