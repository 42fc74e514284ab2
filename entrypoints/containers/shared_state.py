"""Wiring of what the processes of an installation share: in memory, or on Redis with memory behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llama_mapper.adapters.platform.shared_state.memory_breakers import MemoryBreakerBoard
from llama_mapper.adapters.platform.shared_state.memory_cache import MemoryCache
from llama_mapper.adapters.platform.shared_state.memory_idempotency import MemoryIdempotency
from llama_mapper.adapters.platform.shared_state.memory_rate_limiter import MemoryRateLimiter
from llama_mapper.domain.kernel.breakers import BreakerBoard
from llama_mapper.domain.kernel.cache import Cache
from llama_mapper.domain.kernel.idempotency import IdempotencyRecords
from llama_mapper.domain.kernel.rate_limits import RateLimiter

if TYPE_CHECKING:
    from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
    from llama_mapper.adapters.platform.shared_state.availability import Availability
    from llama_mapper.adapters.platform.shared_state.redis_breakers import RedisBreakerBoard
    from llama_mapper.adapters.platform.shared_state.redis_client import RedisClient
    from llama_mapper.entrypoints.settings import Settings


@dataclass(frozen=True, slots=True)
class RedisParts:
    """What runs and is closed where the state is on Redis."""

    client: RedisClient
    availability: Availability
    breakers: RedisBreakerBoard


@dataclass(frozen=True, slots=True)
class SharedState:
    """The four ports; `redis` is None where they are in memory."""

    cache: Cache
    idempotency: IdempotencyRecords
    limiter: RateLimiter
    breakers: BreakerBoard
    redis: RedisParts | None = None

    def notes(self) -> Mapping[str, str]:
        """For `/readyz`: that Redis is away, and why."""
        if self.redis is None or self.redis.availability.away is None:
            return {}
        return {"shared_state": f"degraded: {self.redis.availability.away}; this process goes on alone"}


def shared_state(settings: Settings) -> SharedState:
    """The ports as the settings ask for them; nothing is connected yet."""
    cache, idempotency, limiter = MemoryCache(), MemoryIdempotency(), MemoryRateLimiter()
    if settings.redis_url is None:
        return SharedState(cache, idempotency, limiter, MemoryBreakerBoard())
    from llama_mapper.adapters.platform.shared_state.availability import Availability
    from llama_mapper.adapters.platform.shared_state.falling_back import (
        FallingBackCache,
        FallingBackIdempotency,
        FallingBackRateLimiter,
    )
    from llama_mapper.adapters.platform.shared_state.redis_breakers import RedisBreakerBoard
    from llama_mapper.adapters.platform.shared_state.redis_cache import RedisCache
    from llama_mapper.adapters.platform.shared_state.redis_client import open_redis
    from llama_mapper.adapters.platform.shared_state.redis_idempotency import RedisIdempotency
    from llama_mapper.adapters.platform.shared_state.redis_rate_limiter import RedisRateLimiter

    client = open_redis(settings.redis_url.get_secret_value())
    availability = Availability(client.ping, wait_s=settings.redis_timeout_ms / 1000.0)
    board = RedisBreakerBoard(client)
    return SharedState(
        FallingBackCache(RedisCache(client), cache, availability),
        FallingBackIdempotency(RedisIdempotency(client), idempotency, availability),
        FallingBackRateLimiter(RedisRateLimiter(client), limiter, availability),
        board,
        RedisParts(client, availability, board),
    )


@asynccontextmanager
async def running_shared_state(state: SharedState, metrics: PrometheusMetrics) -> AsyncIterator[SharedState]:
    """The state with what runs in its background; a Redis that is away keeps nothing from starting."""
    redis = state.redis
    if redis is None:
        yield state
        return
    _gauges(metrics, redis.availability)
    try:
        await redis.availability.check()
        await redis.breakers.start()
        yield state
    finally:
        await redis.breakers.close()
        await redis.availability.close()
        await redis.client.close()


def _gauges(metrics: PrometheusMetrics, availability: Availability) -> None:
    metrics.gauge(
        "llama_mapper_shared_state_degraded",
        "1 while Redis is away and this process keeps limits, cache and idempotency alone.",
        lambda: float(availability.away is not None),
    )
    metrics.gauge("llama_mapper_shared_state_losses", "How often Redis went away.", lambda: availability.losses)
    metrics.gauge(
        "llama_mapper_shared_state_local_calls", "Calls served without Redis.", lambda: availability.served_locally
    )
