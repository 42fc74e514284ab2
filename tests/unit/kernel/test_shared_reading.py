"""Who asks for the same thing at the same time shares one reading."""

from __future__ import annotations

import asyncio

import pytest

from llama_mapper.domain.kernel.shared_reading import SharedReading


class Store:
    """Answers with the number of the reading once it is told to, or raises."""

    def __init__(self) -> None:
        self.readings = 0
        self.ready = asyncio.Event()
        self.error: Exception | None = None

    async def read(self) -> int:
        self.readings += 1
        number = self.readings
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        return number


async def test_all_who_ask_at_once_are_answered_by_one_reading() -> None:
    store, shared = Store(), SharedReading[int]()
    asking = [asyncio.create_task(shared.read("key", store.read)) for _ in range(16)]
    await asyncio.sleep(0)
    store.ready.set()
    assert await asyncio.gather(*asking) == [1] * 16


async def test_who_asks_after_the_answer_reads_anew() -> None:
    store, shared = Store(), SharedReading[int]()
    store.ready.set()
    assert [await shared.read("key", store.read) for _ in range(3)] == [1, 2, 3]


async def test_different_keys_are_read_side_by_side() -> None:
    store, shared = Store(), SharedReading[int]()
    asking = [asyncio.create_task(shared.read(key, store.read)) for key in "ab"]
    await asyncio.sleep(0)
    store.ready.set()
    assert sorted(await asyncio.gather(*asking)) == [1, 2]


async def test_a_caller_that_is_cancelled_does_not_take_the_others_answer() -> None:
    store, shared = Store(), SharedReading[int]()
    first, second = [asyncio.create_task(shared.read("key", store.read)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    store.ready.set()
    assert await second == 1


async def test_an_error_reaches_all_and_is_not_remembered() -> None:
    store, shared = Store(), SharedReading[int]()
    store.error = OSError("down")
    asking = [asyncio.create_task(shared.read("key", store.read)) for _ in range(2)]
    await asyncio.sleep(0)
    store.ready.set()
    assert [str(error) for error in await asyncio.gather(*asking, return_exceptions=True)] == ["down", "down"]
    store.error = None
    assert await shared.read("key", store.read) == 2
