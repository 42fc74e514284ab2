"""What every store of idempotency records promises, and what the one in memory promises besides."""

from __future__ import annotations

import asyncio

from llama_mapper.adapters.platform.shared_state.memory_idempotency import MemoryIdempotency
from llama_mapper.domain.kernel.idempotency import Conflict, Done, Fresh, RecordName, Running
from tests.support.shared_state import Ports

BODY, OTHER = b"b" * 32, b"o" * 32


def named(tenant: str, key: str = "k", operation: str = "op") -> RecordName:
    return RecordName(tenant, operation, key)


async def claimed(ports: Ports, name: RecordName, lease_s: float = 60) -> str:
    begun = await ports.idempotency.begin(name, BODY, lease_s)
    assert isinstance(begun, Fresh)
    return begun.token


async def test_a_key_is_fresh_once_then_running_then_done(ports: Ports, tenant: str) -> None:
    name = named(tenant)
    token = await claimed(ports, name)
    assert await ports.idempotency.begin(name, BODY, 60) == Running()
    assert await ports.idempotency.complete(name, token, b"\x00answer\xff", 60)
    for _ in range(2):
        assert await ports.idempotency.begin(name, BODY, 60) == Done(b"\x00answer\xff")


async def test_another_body_conflicts_while_it_runs_and_after(ports: Ports, tenant: str) -> None:
    name = named(tenant)
    token = await claimed(ports, name)
    assert await ports.idempotency.begin(name, OTHER, 60) == Conflict()
    await ports.idempotency.complete(name, token, b"answer", 60)
    assert await ports.idempotency.begin(name, OTHER, 60) == Conflict()
    assert await ports.idempotency.begin(name, BODY, 60) == Done(b"answer")


async def test_tenants_operations_and_keys_are_apart(ports: Ports, tenant: str) -> None:
    await claimed(ports, named(tenant))
    for other in (named(tenant + "x"), named(tenant, "k2"), named(tenant, operation="other")):
        assert isinstance(await ports.idempotency.begin(other, OTHER, 60), Fresh)


async def test_of_many_at_once_exactly_one_gets_the_claim(ports: Ports, tenant: str) -> None:
    begun = await asyncio.gather(*(ports.idempotency.begin(named(tenant), BODY, 60) for _ in range(20)))
    assert sum(isinstance(one, Fresh) for one in begun) == 1
    assert sum(one == Running() for one in begun) == 19


async def test_an_abandoned_key_is_free_for_any_body(ports: Ports, tenant: str) -> None:
    name = named(tenant)
    await ports.idempotency.abandon(name, await claimed(ports, name))
    assert isinstance(await ports.idempotency.begin(name, OTHER, 60), Fresh)


async def test_a_claim_whose_lease_ended_is_free_and_its_token_is_worth_nothing(ports: Ports, tenant: str) -> None:
    name = named(tenant)
    crashed = await claimed(ports, name, lease_s=0.05)
    await asyncio.sleep(0.1)
    token = await claimed(ports, name)
    assert not await ports.idempotency.complete(name, crashed, b"late", 60)
    await ports.idempotency.abandon(name, crashed)
    assert await ports.idempotency.begin(name, BODY, 60) == Running()
    assert await ports.idempotency.complete(name, token, b"answer", 60)
    assert not await ports.idempotency.complete(name, token, b"again", 60)
    await ports.idempotency.abandon(name, token)
    assert await ports.idempotency.begin(name, BODY, 60) == Done(b"answer")


async def test_an_answer_is_forgotten_when_its_time_is_up(ports: Ports, tenant: str) -> None:
    name = named(tenant)
    await ports.idempotency.complete(name, await claimed(ports, name), b"answer", 0.05)
    await asyncio.sleep(0.1)
    assert isinstance(await ports.idempotency.begin(name, OTHER, 60), Fresh)


async def test_waiting_ends_by_itself_and_then_the_answer_is_there(ports: Ports, tenant: str) -> None:
    name = named(tenant)
    token = await claimed(ports, name)

    async def wait() -> object:
        while (begun := await ports.idempotency.begin(name, BODY, 60)) == Running():
            await ports.idempotency.settled(name, 0.02)
        return begun

    async with asyncio.timeout(30):
        waiting = [asyncio.create_task(wait()) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        await ports.idempotency.complete(name, token, b"answer", 60)
        assert await asyncio.gather(*waiting) == [Done(b"answer")] * 3
        await ports.idempotency.settled(name, 0.01)


async def test_whoever_waits_in_the_same_process_is_woken() -> None:
    store = MemoryIdempotency()
    begun = await store.begin(named("acme"), BODY, 60)
    assert isinstance(begun, Fresh)
    async with asyncio.timeout(30):
        waiting = asyncio.create_task(store.settled(named("acme"), 3600))
        await asyncio.sleep(0)
        await store.abandon(named("acme"), begun.token)
        await waiting


async def test_memory_stays_flat_under_a_flood_of_distinct_keys() -> None:
    store = MemoryIdempotency(max_records=100, max_bytes=200_000)
    for turn in range(1000):
        name = named("acme", str(turn))
        begun = await store.begin(name, BODY, 60)
        assert isinstance(begun, Fresh)
        if turn % 3:
            await store.complete(name, begun.token, bytes(turn * 5), 60)
        assert len(store) <= 100
        assert store.size <= 200_000
    assert store.holds(named("acme", "999"))


async def test_what_is_out_of_date_does_not_pile_up() -> None:
    now = 0.0
    store = MemoryIdempotency(clock=lambda: now)
    for turn in range(200):
        now = turn * 10.0
        await store.begin(named("acme", str(turn)), BODY, 15)
        assert len(store) <= 3
