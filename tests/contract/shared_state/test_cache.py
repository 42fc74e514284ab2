"""What every cache promises, and what the one in memory promises besides."""

from __future__ import annotations

import asyncio

from llama_mapper.adapters.platform.shared_state.memory_cache import MemoryCache
from tests.support.shared_state import Ports


async def keep(ports: Ports, tenant: str, key: str, value: bytes, *, namespace: str = "ns", ttl_s: float = 60) -> None:
    generation = (await ports.cache.get(tenant, namespace, key)).generation
    await ports.cache.put(tenant, namespace, key, value, generation=generation, ttl_s=ttl_s)


async def value_of(ports: Ports, tenant: str, key: str, namespace: str = "ns") -> bytes | None:
    return (await ports.cache.get(tenant, namespace, key)).value


async def test_what_was_put_is_found_as_it_was(ports: Ports, tenant: str) -> None:
    assert await value_of(ports, tenant, "a:b") is None
    for value in (b"", b"\x00\xff" * 100, b"second"):
        await keep(ports, tenant, "a:b", value)
        assert await value_of(ports, tenant, "a:b") == value


async def test_tenants_namespaces_and_keys_are_apart(ports: Ports, tenant: str) -> None:
    await keep(ports, tenant, "k", b"mine")
    assert await value_of(ports, tenant + "x", "k") is None
    assert await value_of(ports, tenant, "k", "other") is None
    assert await value_of(ports, tenant, "k2") is None


async def test_a_value_is_gone_when_its_time_is_up(ports: Ports, tenant: str) -> None:
    await keep(ports, tenant, "short", b"x", ttl_s=0.05)
    await keep(ports, tenant, "long", b"y", ttl_s=60)
    await keep(ports, tenant, "never", b"z", ttl_s=0)
    await asyncio.sleep(0.1)
    assert [await value_of(ports, tenant, key) for key in ("short", "long", "never")] == [None, b"y", None]


async def test_an_invalidated_namespace_is_empty_and_no_other_is(ports: Ports, tenant: str) -> None:
    await keep(ports, tenant, "k", b"x")
    await keep(ports, tenant, "k", b"kept", namespace="other")
    await ports.cache.invalidate(tenant, "ns")
    assert await value_of(ports, tenant, "k") is None
    assert await value_of(ports, tenant, "k", "other") == b"kept"
    await keep(ports, tenant, "k", b"new")
    assert await value_of(ports, tenant, "k") == b"new"


async def test_what_was_computed_before_an_invalidation_is_not_found_after_it(ports: Ports, tenant: str) -> None:
    before = (await ports.cache.get(tenant, "ns", "k")).generation
    await ports.cache.invalidate(tenant, "ns")
    await ports.cache.put(tenant, "ns", "k", b"stale", generation=before, ttl_s=60)
    assert await value_of(ports, tenant, "k") is None


async def test_memory_stays_flat_under_a_flood_of_distinct_keys() -> None:
    cache = MemoryCache(max_entries=100, max_bytes=50_000)
    for turn in range(2000):
        generation = (await cache.get("acme", "ns", str(turn))).generation
        await cache.put("acme", "ns", str(turn), bytes(turn % 700), generation=generation, ttl_s=60)
        assert len(cache) <= 100
        assert cache.size <= 50_000
    assert (await cache.get("acme", "ns", "1999")).value is not None
    await cache.put("acme", "ns", "huge", bytes(60_000), generation=generation, ttl_s=60)
    assert (await cache.get("acme", "ns", "huge")).value is None
    assert (await cache.get("acme", "ns", "1999")).value is not None


async def test_the_least_recently_used_value_goes_first() -> None:
    cache = MemoryCache(max_entries=2)
    generation = (await cache.get("acme", "ns", "a")).generation
    for key in ("a", "b"):
        await cache.put("acme", "ns", key, b"x", generation=generation, ttl_s=60)
    await cache.get("acme", "ns", "a")
    await cache.put("acme", "ns", "c", b"x", generation=generation, ttl_s=60)
    assert [(await cache.get("acme", "ns", key)).value for key in "abc"] == [b"x", None, b"x"]
