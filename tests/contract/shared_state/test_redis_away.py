"""Redis is killed, hangs and comes back: nothing fails, and what was promised locally holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from llama_mapper.adapters.platform.shared_state.redis_breakers import RedisBreakerBoard
from llama_mapper.adapters.platform.shared_state.redis_client import open_redis, redis_key
from llama_mapper.domain.kernel.errors import ConfigurationError, StoreError
from llama_mapper.domain.kernel.idempotency import Conflict, Done, Fresh, RecordName, Running
from llama_mapper.domain.kernel.rate_limits import Limit, Quota
from tests.support.shared_state import FALLING_BACK, PATIENT_S, REDIS, Ports, open_ports
from tests.support.valkey import ValkeyServer

NAME = RecordName("acme", "op", "k")
BODY, OTHER = b"b" * 32, b"o" * 32
QUOTA = Quota(Limit("key", 2, 86_400), "acme", "k1")


@asynccontextmanager
async def served(folder: Path, wait_s: float = PATIENT_S) -> AsyncIterator[tuple[ValkeyServer, Ports]]:
    with ValkeyServer(folder) as server:
        async with open_ports(FALLING_BACK, server.url, wait_s) as ports:
            yield server, ports


async def until_back(ports: Ports) -> None:
    assert ports.availability is not None
    async with asyncio.timeout(30):
        while ports.availability.away is not None:
            await asyncio.sleep(0.01)


async def test_a_killed_redis_is_done_without_at_once_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, ports):
        availability = ports.availability
        assert availability is not None
        assert isinstance(await ports.idempotency.begin(NAME, BODY, 60), Fresh)
        assert availability.away is None
        server.kill()
        assert [(await ports.limiter.admit([QUOTA]))[0].remaining for _ in range(2)] == [1, 0]
        assert (await ports.limiter.admit([QUOTA]))[0].retry_after_s is not None
        generation = (await ports.cache.get("acme", "ns", "k")).generation
        await ports.cache.put("acme", "ns", "k", b"local", generation=generation, ttl_s=60)
        assert (await ports.cache.get("acme", "ns", "k")).value == b"local"
        assert availability.away is not None
        assert availability.losses == 1
        assert availability.served_locally >= 6
        server.start()
        await until_back(ports)
        assert (await ports.cache.get("acme", "ns", "k")).value is None
        assert [(await ports.limiter.admit([QUOTA]))[0].remaining for _ in range(2)] == [1, 0]


async def test_a_hanging_redis_is_waited_for_once_and_not_by_everybody(tmp_path: Path) -> None:
    async with served(tmp_path, wait_s=0.2) as (server, ports):
        await ports.limiter.admit([QUOTA])
        server.hang()
        try:
            assert (await ports.limiter.admit([QUOTA]))[0].retry_after_s is None
            assert ports.availability is not None
            assert ports.availability.away == "Redis did not answer within 200 ms"
            began = monotonic()
            for turn in range(200):
                await ports.limiter.admit([QUOTA])
                await ports.cache.get("acme", "ns", "k")
                await ports.idempotency.begin(RecordName("acme", "op", str(turn)), BODY, 60)
            assert monotonic() - began < 200 * 0.2  # what waiting each time would take
        finally:
            server.wake()
        await until_back(ports)


async def test_connections_that_were_reset_cost_nothing_but_a_moment(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, ports):
        await ports.limiter.admit([QUOTA])
        server.kill()
        server.start()
        assert (await ports.limiter.admit([QUOTA]))[0].retry_after_s is None
        await until_back(ports)


async def test_a_request_that_runs_when_redis_goes_away_still_runs_once_in_this_process(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, ports):
        begun = await ports.idempotency.begin(NAME, BODY, 60)
        assert isinstance(begun, Fresh)
        server.kill()
        assert await ports.idempotency.begin(NAME, BODY, 60) == Running()
        assert await ports.idempotency.complete(NAME, begun.token, b"answer", 60)
        assert await ports.idempotency.begin(NAME, BODY, 60) == Done(b"answer")
        server.start()
        await until_back(ports)
        assert await ports.idempotency.begin(NAME, BODY, 60) == Done(b"answer")
        assert await ports.idempotency.begin(NAME, OTHER, 60) == Conflict()


async def test_a_claim_abandoned_while_redis_is_away_is_free_here(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, ports):
        begun = await ports.idempotency.begin(NAME, BODY, 60)
        assert isinstance(begun, Fresh)
        server.kill()
        await ports.idempotency.abandon(NAME, begun.token)
        assert isinstance(await ports.idempotency.begin(NAME, OTHER, 60), Fresh)


async def test_an_invalidation_made_while_redis_hangs_holds_when_it_is_back(tmp_path: Path) -> None:
    async with served(tmp_path, wait_s=0.2) as (server, ports):
        generation = (await ports.cache.get("acme", "ns", "k")).generation
        await ports.cache.put("acme", "ns", "k", b"old", generation=generation, ttl_s=3600)
        server.hang()
        try:
            await ports.limiter.admit([QUOTA])  # now it counts as away, and is not even sent the invalidation
            await ports.cache.invalidate("acme", "ns")
        finally:
            server.wake()
        await until_back(ports)
        assert (await ports.cache.get("acme", "ns", "k")).value is None


async def test_what_was_cached_in_one_outage_is_not_served_in_the_next(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, ports):
        for expected in (None, None):
            server.kill()
            await ports.limiter.admit([QUOTA])
            found = await ports.cache.get("acme", "ns", "k")
            assert found.value is expected
            await ports.cache.put("acme", "ns", "k", b"x", generation=found.generation, ttl_s=3600)
            server.start()
            await until_back(ports)


async def test_redis_that_takes_no_writes_counts_as_away(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, ports):
        assert ports.availability is not None
        client = open_redis(server.url)
        try:
            await client.call("REPLICAOF", "127.0.0.1", 1)
            assert (await ports.limiter.admit([QUOTA]))[0].retry_after_s is None
            assert ports.availability.away is not None
            await asyncio.sleep(0.2)
            assert ports.availability.away is not None
            await client.call("REPLICAOF", "NO", "ONE")
        finally:
            await client.close()
        await until_back(ports)


async def test_the_adapters_alone_translate_the_drivers_errors(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        async with open_ports(REDIS, server.url) as ports:
            server.kill()
            with pytest.raises(StoreError) as caught:
                await ports.cache.get("acme", "ns", "k")
            assert caught.value.__cause__ is not None
            with pytest.raises(StoreError):
                await ports.limiter.admit([QUOTA])


async def test_every_key_begins_with_its_tenant(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        async with open_ports(REDIS, server.url) as ports:
            await ports.limiter.admit([QUOTA])
            await ports.idempotency.begin(NAME, BODY, 60)
            generation = (await ports.cache.get("acme", "ns", "k")).generation
            await ports.cache.put("acme", "ns", "k", b"x", generation=generation, ttl_s=60)
        client = open_redis(server.url)
        try:
            keys = sorted(await client.call("KEYS", "*"))
            assert keys == [
                b"lm:acme:cache:ns:k",
                b"lm:acme:generation:ns",
                b"lm:acme:idempotency:op:k",
                b"lm:acme:rate:key:k1",
            ]
            lives = [await client.call("PTTL", key) for key in keys]
            assert [life > 0 for life in lives] == [True, False, True, True]
        finally:
            await client.close()


async def test_the_rights_that_the_page_names_are_enough_and_reach_no_other_key(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "shared-state.md").read_text("utf-8")
    [line] = [line for line in page.splitlines() if line.startswith("ACL SETUSER mapper ")]
    with ValkeyServer(tmp_path) as server:
        owner = open_redis(server.url)
        mapper = open_redis(server.url.replace("redis://", "redis://mapper:secret@"))
        try:
            await owner.call(*line.replace(">…", ">secret").split())
            async with open_ports(FALLING_BACK, server.url.replace("redis://", "redis://mapper:secret@")) as ports:
                await ports.limiter.admit([QUOTA])
                begun = await ports.idempotency.begin(NAME, BODY, 60)
                assert isinstance(begun, Fresh)
                await ports.idempotency.complete(NAME, begun.token, b"answer", 60)
                generation = (await ports.cache.get("acme", "ns", "k")).generation
                await ports.cache.put("acme", "ns", "k", b"x", generation=generation, ttl_s=60)
                await ports.cache.put("acme", "ns", "k", b"x", generation=generation, ttl_s=0)
                await ports.cache.invalidate("acme", "ns")
                assert ports.availability is not None
                await ports.availability.check()
                assert ports.availability.losses == 0
            board = RedisBreakerBoard(mapper, wait_s=PATIENT_S)
            for open_for_s in (60.0, 0.0):
                board.publish("detector", open_for_s, 1)
                await board.exchange()
            with pytest.raises(StoreError):
                await mapper.call("GET", "another:key")
        finally:
            await owner.close()
            await mapper.close()


def test_a_colon_may_only_be_in_the_last_part_of_a_key() -> None:
    assert redis_key("acme", "cache", "ns", "a:b") == "lm:acme:cache:ns:a:b"
    with pytest.raises(ValueError, match="colon"):
        redis_key("acme", "cache", "n:s", "b")


@pytest.mark.parametrize("url", ["redis://host:port", "http://127.0.0.1"])
def test_a_wrong_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_redis(url)
    assert url not in caught.value.message
