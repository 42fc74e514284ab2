"""The cache in Redis.

A value is `lm:<tenant>:cache:<namespace>:<key>`, the namespace's generation `lm:<tenant>:generation:<namespace>`.
"""

from __future__ import annotations

import secrets

from llama_mapper.adapters.platform.shared_state.redis_client import RedisClient, redis_key
from llama_mapper.domain.kernel.cache import Cached

_GENERATION_BYTES = 8


class RedisCache:
    """Keeps `Cache`. A value is stored behind its generation, so that a look-up is one command and no script.

    A generation that Redis forgot (eviction, a restart without its file) is drawn anew and at random: what was stored
    under the old one is never found again.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def get(self, tenant_id: str, namespace: str, key: str) -> Cached:
        """See `Cache.get`."""
        of_namespace = redis_key(tenant_id, "generation", namespace)
        generation, entry = await self._redis.call("MGET", of_namespace, redis_key(tenant_id, "cache", namespace, key))
        if generation is None:
            await self._redis.call("SET", of_namespace, secrets.token_bytes(_GENERATION_BYTES), "NX")
            generation = await self._redis.call("GET", of_namespace) or b""  # an empty one matches no entry
        if entry is None or entry[:_GENERATION_BYTES] != generation:
            return Cached(None, generation)
        return Cached(entry[_GENERATION_BYTES:], generation)

    async def put(
        self, tenant_id: str, namespace: str, key: str, value: bytes, *, generation: bytes, ttl_s: float
    ) -> None:
        """See `Cache.put`."""
        name = redis_key(tenant_id, "cache", namespace, key)
        milliseconds = int(ttl_s * 1000)
        if milliseconds < 1 or len(generation) != _GENERATION_BYTES:
            await self._redis.call("DEL", name)
            return
        await self._redis.call("SET", name, generation + value, "PX", milliseconds)

    async def invalidate(self, tenant_id: str, namespace: str) -> None:
        """See `Cache.invalidate`."""
        name = redis_key(tenant_id, "generation", namespace)
        await self._redis.call("SET", name, secrets.token_bytes(_GENERATION_BYTES))
