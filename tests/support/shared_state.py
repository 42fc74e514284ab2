"""The adapters of the shared ports, for tests that put the same promises to all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from llama_mapper.adapters.platform.shared_state.availability import Availability
from llama_mapper.adapters.platform.shared_state.falling_back import (
    FallingBackCache,
    FallingBackIdempotency,
    FallingBackRateLimiter,
)
from llama_mapper.adapters.platform.shared_state.memory_cache import MemoryCache
from llama_mapper.adapters.platform.shared_state.memory_idempotency import MemoryIdempotency
from llama_mapper.adapters.platform.shared_state.memory_rate_limiter import MemoryRateLimiter
from llama_mapper.adapters.platform.shared_state.redis_cache import RedisCache
from llama_mapper.adapters.platform.shared_state.redis_client import open_redis
from llama_mapper.adapters.platform.shared_state.redis_idempotency import RedisIdempotency
from llama_mapper.adapters.platform.shared_state.redis_rate_limiter import RedisRateLimiter
from llama_mapper.domain.kernel.cache import Cache
from llama_mapper.domain.kernel.idempotency import IdempotencyRecords
from llama_mapper.domain.kernel.rate_limits import RateLimiter

MEMORY, REDIS, FALLING_BACK = "memory", "redis", "falling back"
KINDS = (MEMORY, REDIS, FALLING_BACK)
PATIENT_S = 30.0
"""How long a slow test machine may take for an answer before Redis counts as away."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One of each."""

    cache: Cache
    idempotency: IdempotencyRecords
    limiter: RateLimiter
    availability: Availability | None = None


@asynccontextmanager
async def open_ports(kind: str, url: str, wait_s: float = PATIENT_S) -> AsyncIterator[Ports]:
    """The adapters of a kind; those that need a server use the one at `url`."""
    in_memory = Ports(MemoryCache(), MemoryIdempotency(), MemoryRateLimiter())
    if kind == MEMORY:
        yield in_memory
        return
    client = open_redis(url)
    shared = Ports(RedisCache(client), RedisIdempotency(client), RedisRateLimiter(client))
    availability = Availability(client.ping, wait_s=wait_s, pause_s=0.05)
    try:
        if kind == REDIS:
            yield shared
        else:
            yield Ports(
                FallingBackCache(shared.cache, MemoryCache(), availability),
                FallingBackIdempotency(shared.idempotency, MemoryIdempotency(), availability),
                FallingBackRateLimiter(shared.limiter, MemoryRateLimiter(), availability),
                availability,
            )
    finally:
        await availability.close()
        await client.close()
