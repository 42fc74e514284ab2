"""The shared ports over Redis that go on in this process's memory while Redis is away."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from llama_mapper.adapters.platform.shared_state.availability import Availability
from llama_mapper.adapters.platform.shared_state.memory_cache import MemoryCache
from llama_mapper.adapters.platform.shared_state.memory_idempotency import MemoryIdempotency
from llama_mapper.domain.kernel.cache import Cache, Cached
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.kernel.idempotency import Begun, Fresh, IdempotencyRecords, RecordName
from llama_mapper.domain.kernel.rate_limits import Allowance, Quota, RateLimiter


class FallingBackRateLimiter:
    """Keeps `RateLimiter` and raises nothing: while Redis is away each process counts for itself."""

    def __init__(self, shared: RateLimiter, local: RateLimiter, availability: Availability) -> None:
        self._shared = shared
        self._local = local
        self._availability = availability

    async def admit(self, quotas: Sequence[Quota]) -> list[Allowance]:
        """See `RateLimiter.admit`."""
        return await self._availability.either(lambda: self._shared.admit(quotas), lambda: self._local.admit(quotas))


class FallingBackCache:
    """Keeps `Cache` and raises nothing.

    The local cache starts empty at each loss, for others may have invalidated what it held. Invalidations made while
    Redis is away are repeated there before it is used again.
    """

    def __init__(self, shared: Cache, local: MemoryCache, availability: Availability) -> None:
        self._shared = shared
        self._local = local
        self._availability = availability
        self._to_invalidate: dict[tuple[str, str], None] = {}  # at most tenants times namespaces
        availability.on_loss.append(local.clear)
        availability.before_return.append(self._repeat_invalidations)

    async def get(self, tenant_id: str, namespace: str, key: str) -> Cached:
        """See `Cache.get`."""
        return await self._availability.either(
            lambda: self._shared.get(tenant_id, namespace, key), lambda: self._local.get(tenant_id, namespace, key)
        )

    async def put(
        self, tenant_id: str, namespace: str, key: str, value: bytes, *, generation: bytes, ttl_s: float
    ) -> None:
        """See `Cache.put`."""
        await self._availability.either(
            lambda: self._shared.put(tenant_id, namespace, key, value, generation=generation, ttl_s=ttl_s),
            lambda: self._local.put(tenant_id, namespace, key, value, generation=generation, ttl_s=ttl_s),
        )

    async def invalidate(self, tenant_id: str, namespace: str) -> None:
        """See `Cache.invalidate`."""
        await self._local.invalidate(tenant_id, namespace)
        try:
            await self._availability.ask(lambda: self._shared.invalidate(tenant_id, namespace))
        except StoreError:
            self._to_invalidate[tenant_id, namespace] = None

    async def _repeat_invalidations(self) -> None:
        while self._to_invalidate:
            name = next(iter(self._to_invalidate))
            await self._shared.invalidate(*name)
            self._to_invalidate.pop(name, None)


class FallingBackIdempotency:
    """Keeps `IdempotencyRecords` and raises nothing.

    A key is claimed in this process first and then in Redis, so that what arrives twice at one process needs no second
    look at Redis, and what runs when Redis goes away still runs once in this process. While Redis is away a key holds
    within this process only; what was answered then stays answered here after Redis is back.
    """

    def __init__(self, shared: IdempotencyRecords, local: MemoryIdempotency, availability: Availability) -> None:
        self._shared = shared
        self._local = local
        self._availability = availability

    async def begin(self, name: RecordName, digest: bytes, lease_s: float) -> Begun:
        """See `IdempotencyRecords.begin`."""
        mine = await self._local.begin(name, digest, lease_s)
        if not isinstance(mine, Fresh):
            return mine
        try:
            found = await self._availability.ask(lambda: self._shared.begin(name, digest, lease_s))
        except StoreError:
            self._availability.served_locally += 1
            return mine
        except BaseException:  # cancelled: nobody will carry the request out under this claim
            await self._local.abandon(name, mine.token)
            raise
        if isinstance(found, Fresh):
            return Fresh(f"{mine.token}:{found.token}")
        await self._local.abandon(name, mine.token)
        return found

    async def complete(self, name: RecordName, token: str, answer: bytes, keep_s: float) -> bool:
        """See `IdempotencyRecords.complete`."""
        mine, _, shared = token.partition(":")
        if shared:
            try:
                kept = await self._availability.ask(lambda: self._shared.complete(name, shared, answer, keep_s))
            except StoreError:
                self._availability.served_locally += 1
            else:
                await self._local.abandon(name, mine)
                return kept
        return await self._local.complete(name, mine, answer, keep_s)

    async def abandon(self, name: RecordName, token: str) -> None:
        """See `IdempotencyRecords.abandon`."""
        mine, _, shared = token.partition(":")
        if shared:
            with suppress(StoreError):  # its lease ends the claim
                await self._availability.ask(lambda: self._shared.abandon(name, shared))
        await self._local.abandon(name, mine)

    async def settled(self, name: RecordName, within_s: float) -> None:
        """See `IdempotencyRecords.settled`."""
        await (self._local if self._local.holds(name) else self._shared).settled(name, within_s)
