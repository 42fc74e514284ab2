"""What every rate limiter promises, and what the one in memory promises besides."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from llama_mapper.adapters.platform.shared_state.memory_rate_limiter import MemoryRateLimiter
from llama_mapper.adapters.platform.shared_state.redis_client import open_redis, redis_key
from llama_mapper.adapters.platform.shared_state.redis_rate_limiter import RedisRateLimiter
from llama_mapper.domain.kernel.rate_limits import Limit, Quota, used
from tests.support.shared_state import Ports

HOURS = 86_400
"""So long a window that no test sees it end."""


def quota(tenant: str, requests: int, *, name: str = "key", subject: str = "k1", window_s: int = HOURS) -> Quota:
    return Quota(Limit(name, requests, window_s), tenant, subject)


async def test_so_many_are_admitted_and_no_more(ports: Ports, tenant: str) -> None:
    three = quota(tenant, 3)
    remaining = []
    for _ in range(3):
        [allowance] = await ports.limiter.admit([three])
        assert allowance.retry_after_s is None
        assert 0 < allowance.reset_s <= HOURS
        remaining.append(allowance.remaining)
    assert remaining == [2, 1, 0]
    for _ in range(2):
        [refused] = await ports.limiter.admit([three])
        assert refused.remaining == 0
        assert refused.retry_after_s is not None
        assert 0 < refused.retry_after_s <= 2 * HOURS


async def test_tenants_limits_and_subjects_are_apart(ports: Ports, tenant: str) -> None:
    for one in (
        quota(tenant, 1),
        quota(tenant + "x", 1),
        quota(tenant, 1, subject="k2"),
        quota(tenant, 1, name="tenant"),
    ):
        assert (await ports.limiter.admit([one]))[0].retry_after_s is None
        assert (await ports.limiter.admit([one]))[0].retry_after_s is not None


async def test_a_request_that_one_limit_refuses_costs_nothing_on_the_others(ports: Ports, tenant: str) -> None:
    narrow, wide = quota(tenant, 1), quota(tenant, 3, name="tenant", subject="")
    assert [each.remaining for each in await ports.limiter.admit([narrow, wide])] == [0, 2]
    for _ in range(3):
        first, second = await ports.limiter.admit([narrow, wide])
        assert first.retry_after_s is not None
        assert (second.retry_after_s, second.remaining) == (None, 2)


async def test_callers_at_once_never_get_more_than_the_limit_together(ports: Ports, tenant: str) -> None:
    ten = quota(tenant, 10)
    allowances = await asyncio.gather(*(ports.limiter.admit([ten]) for _ in range(40)))
    assert sum(allowance.retry_after_s is None for [allowance] in allowances) == 10


async def test_whoever_waits_as_long_as_told_is_admitted(ports: Ports, tenant: str) -> None:
    two = quota(tenant, 2, window_s=1)
    for _ in range(10_000):  # one of these in a row is refused, however slow the machine
        [allowance] = await ports.limiter.admit([two])
        if allowance.retry_after_s is not None:
            break
    else:
        pytest.fail("every request went through a limit of two a second")
    await asyncio.sleep(allowance.retry_after_s + 0.02)
    assert (await ports.limiter.admit([two]))[0].retry_after_s is None


async def test_redis_counts_the_window_before_by_the_share_that_is_left_of_it(valkey: str, tenant: str) -> None:
    client = open_redis(valkey)
    try:
        seconds = int((await client.call("TIME"))[0])
        window_s = next(w for w in range(50_000, 60_000) if 0.4 < seconds % w / w < 0.6)
        before = {"n": seconds // window_s - 1, "c": 1000, "p": 0}
        fields = [part for pair in before.items() for part in pair]
        room_for_one = used(1000, 0, seconds % window_s, window_s) + 1
        for subject in ("one", "another"):
            await client.call("HSET", redis_key(tenant, "rate", "key", subject), *fields)
        limiter = RedisRateLimiter(client)
        [allowance] = await limiter.admit([quota(tenant, room_for_one, subject="one", window_s=window_s)])
        assert allowance.retry_after_s is None
        [allowance] = await limiter.admit([quota(tenant, room_for_one - 100, subject="another", window_s=window_s)])
        assert allowance.retry_after_s is not None
    finally:
        await client.close()


async def test_no_quotas_are_no_question(ports: Ports) -> None:
    assert await ports.limiter.admit([]) == []


async def test_memory_stays_flat_under_a_flood_of_distinct_callers() -> None:
    limiter = MemoryRateLimiter(max_quotas=50)
    for turn in range(500):
        await limiter.admit([quota("acme", 5, subject=str(turn))])
        assert len(limiter) <= 50


@given(
    requests=st.integers(1, 20),
    steps=st.lists(st.tuples(st.floats(0, 90), st.integers(1, 12)), min_size=1, max_size=12),
)
async def test_what_is_admitted_is_what_the_library_limits_admits(
    requests: int, steps: list[tuple[float, int]]
) -> None:
    now = 6_000_000.0
    clock = SimpleNamespace(time=lambda: now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limits.aio.storage.memory.time", clock)
        patch.setattr("limits.aio.strategies.time", clock)
        library, item = SlidingWindowCounterRateLimiter(MemoryStorage()), RateLimitItemPerMinute(requests)
        ours, ours_of = MemoryRateLimiter(clock=lambda: now), quota("acme", requests, window_s=60)
        for pause_s, burst in steps:
            now += pause_s
            for _ in range(burst):
                [allowance] = await ours.admit([ours_of])
                assert (allowance.retry_after_s is None) == await library.hit(item, "acme", "k1")


@given(
    requests=st.integers(1, 50),
    bursts=st.lists(st.tuples(st.floats(0, 100), st.integers(1, 60)), min_size=1, max_size=6),
)
async def test_the_wait_told_is_enough_and_not_a_tenth_of_a_second_too_long(
    requests: int, bursts: list[tuple[float, int]]
) -> None:
    now = 1000.0
    limiter = MemoryRateLimiter(clock=lambda: now)
    one = quota("acme", requests, window_s=60)
    for pause_s, burst in bursts:
        now += pause_s
        for _ in range(burst):
            await limiter.admit([one])
    [allowance] = await limiter.admit([one])
    if (wait_s := allowance.retry_after_s) is not None:
        now += wait_s - 0.1
        if wait_s > 0.1:
            assert (await limiter.admit([one]))[0].retry_after_s is not None
        now += 0.1
        assert (await limiter.admit([one]))[0].retry_after_s is None
