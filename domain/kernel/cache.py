"""Bytes kept for a while, by tenant and namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Cached:
    """What a look-up found: the value, or None, and the generation of the namespace at that moment."""

    value: bytes | None
    generation: bytes


class Cache(Protocol):
    """Values that can be computed again. Anything may be forgotten at any time; nothing is ever wrong.

    `namespace` is a short constant of the code without a colon; `key` is opaque ASCII of at most 255 characters.
    Neither key nor value holds content. Raises `STORE_UNAVAILABLE`.
    """

    async def get(self, tenant_id: str, namespace: str, key: str) -> Cached:
        """What was put under `key` in the namespace's present generation and is still within its time to live."""
        ...

    async def put(
        self, tenant_id: str, namespace: str, key: str, value: bytes, *, generation: bytes, ttl_s: float
    ) -> None:
        """Keep `value` for `ttl_s` seconds as of `generation`, which a `get` before the computation gave.

        If the namespace was invalidated in between, the value is never found.
        """
        ...

    async def invalidate(self, tenant_id: str, namespace: str) -> None:
        """Begin a new generation: nothing that was put before is found any more."""
        ...
