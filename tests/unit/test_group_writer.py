"""`GroupWriter`."""

from __future__ import annotations

import asyncio

import pytest

from llama_mapper.adapters.platform.group_writer import GroupWriter
from llama_mapper.domain.kernel.errors import StoreError


class Recorder:
    """Doubles what it is given, and remembers the groups; it refuses groups with a negative item."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    async def write(self, items: list[int]) -> list[int]:
        await asyncio.sleep(0)
        self.groups.append(items)
        if min(items) < 0:
            raise StoreError("refused", retryable=False)
        if max(items) > 999:
            raise StoreError("unavailable")
        return [item * 2 for item in items]


async def test_items_that_wait_together_are_written_together_in_order() -> None:
    recorder = Recorder()
    writer = GroupWriter(recorder.write, group_limit=4)
    assert await asyncio.gather(*(writer.submit("", number) for number in range(10))) == [2 * n for n in range(10)]
    assert recorder.groups == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_keys_do_not_share_a_group() -> None:
    recorder = Recorder()
    writer = GroupWriter(recorder.write)
    await asyncio.gather(*(writer.submit(str(number % 2), number) for number in range(6)))
    assert sorted(recorder.groups) == [[0, 2, 4], [1, 3, 5]]


async def test_a_refused_item_fails_only_its_caller() -> None:
    writer = GroupWriter(Recorder().write)
    outcomes = await asyncio.gather(*(writer.submit("", number) for number in (1, -2, 3)), return_exceptions=True)
    assert outcomes[::2] == [2, 6]
    assert isinstance(outcomes[1], StoreError)


async def test_an_unavailable_store_fails_the_group_once_with_an_error_for_each_caller() -> None:
    recorder = Recorder()
    writer = GroupWriter(recorder.write)
    outcomes = await asyncio.gather(*(writer.submit("", number) for number in (1, 1000)), return_exceptions=True)
    assert recorder.groups == [[1, 1000]]
    assert all(isinstance(outcome, StoreError) for outcome in outcomes)
    assert outcomes[0] is not outcomes[1]
    assert await writer.submit("", 1) == 2


async def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    writer = GroupWriter(Recorder().write)
    calls = [asyncio.create_task(writer.submit("", number)) for number in range(3)]
    await asyncio.sleep(0)
    calls[1].cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert outcomes[::2] == [0, 4]
    assert isinstance(outcomes[1], asyncio.CancelledError)


async def test_a_loop_that_shuts_down_leaves_nobody_waiting() -> None:
    async def never(items: list[int]) -> list[int]:
        await asyncio.Event().wait()
        return items

    writer = GroupWriter(never, group_limit=1)
    calls = [asyncio.create_task(writer.submit("", number)) for number in range(2)]
    await asyncio.sleep(0.01)
    for task in asyncio.all_tasks() - {asyncio.current_task()} - set(calls):
        if "_drain" in repr(task.get_coro()):
            task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.gather(*calls), 1)
