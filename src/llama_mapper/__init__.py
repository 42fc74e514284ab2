"""Runs content detectors and returns one record: findings, risk, canonical labels, controls, signed evidence.

    async with LlamaMapper.open() as mapper:
        assessment = await mapper.assess("text to judge", frameworks=["soc2"])

Importing this package loads nothing else; the names below load what they need when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llama_mapper.entrypoints.embedded import LlamaMapper, assess

__all__ = ["LlamaMapper", "assess"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from llama_mapper.entrypoints import embedded

        return getattr(embedded, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
