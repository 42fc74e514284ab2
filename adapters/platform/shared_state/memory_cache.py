"""The cache in memory: bounded in entries and bytes, least recently used first out."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from llama_mapper.domain.kernel.cache import Cached

_GENERATIONS = 65_536
_ENTRY_OVERHEAD = 512
"""Bytes that an entry takes besides its value: key strings, tuple, place in the dictionary."""


class MemoryCache:
    """Keeps `Cache` within one process. A value larger than `max_bytes` is not kept."""

    def __init__(
        self, *, max_entries: int = 16_384, max_bytes: int = 64 * 1024 * 1024, clock: Callable[[], float] = monotonic
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str, str], tuple[bytes, bytes, float]] = OrderedDict()
        self._generations: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """How many values are kept, those included whose time is up and that nobody asked for since."""
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes that the values take, about."""
        return self._bytes

    async def get(self, tenant_id: str, namespace: str, key: str) -> Cached:
        """See `Cache.get`."""
        generation = self._generation(tenant_id, namespace)
        name = (tenant_id, namespace, key)
        if (entry := self._entries.get(name)) is None:
            return Cached(None, generation)
        value, of, until = entry
        if of != generation or until <= self._clock():
            self._drop(name)
            return Cached(None, generation)
        self._entries.move_to_end(name)
        return Cached(value, generation)

    async def put(
        self, tenant_id: str, namespace: str, key: str, value: bytes, *, generation: bytes, ttl_s: float
    ) -> None:
        """See `Cache.put`."""
        name = (tenant_id, namespace, key)
        if name in self._entries:
            self._drop(name)
        if generation != self._generation(tenant_id, namespace) or ttl_s <= 0:
            return
        size = len(value) + _ENTRY_OVERHEAD
        if size > self._max_bytes:
            return
        self._entries[name] = (value, generation, self._clock() + ttl_s)
        self._bytes += size
        while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
            self._drop(next(iter(self._entries)))

    async def invalidate(self, tenant_id: str, namespace: str) -> None:
        """See `Cache.invalidate`."""
        self._generations.pop((tenant_id, namespace), None)  # the next look-up draws another

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._generations.clear()
        self._bytes = 0

    def _generation(self, tenant_id: str, namespace: str) -> bytes:
        name = (tenant_id, namespace)
        if (generation := self._generations.get(name)) is None:
            # Random, so that one which was forgotten never comes back.
            generation = self._generations[name] = secrets.token_bytes(8)
            if len(self._generations) > _GENERATIONS:
                self._generations.popitem(last=False)
        return generation

    def _drop(self, name: tuple[str, str, str]) -> None:
        self._bytes -= len(self._entries.pop(name)[0]) + _ENTRY_OVERHEAD
