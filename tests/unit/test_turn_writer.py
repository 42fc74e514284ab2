"""`TurnWriter`."""

from __future__ import annotations

import asyncio

import pytest

from llama_mapper.adapters.platform.turn_writer import TurnWriter


class Recorder:
    """Doubles what it is given, and remembers the groups; writes nothing where an item is negative."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    def write(self, items: list[int]) -> list[int] | None:
        self.groups.append(items)
        if max(items) > 999:
            raise OSError("surprise")
        return None if min(items) < 0 else [item * 2 for item in items]


async def test_what_comes_in_one_turn_is_written_together_in_order() -> None:
    recorder = Recorder()
    writer = TurnWriter(recorder.write)
    assert await asyncio.gather(*(writer.submit(number) for number in range(10))) == [2 * n for n in range(10)]
    assert recorder.groups == [list(range(10))]


async def test_what_comes_later_is_written_later() -> None:
    recorder = Recorder()
    writer = TurnWriter(recorder.write)
    assert [await writer.submit(number) for number in (1, 2)] == [2, 4]
    assert recorder.groups == [[1], [2]]


async def test_large_groups_are_split_and_others_get_a_turn_in_between() -> None:
    recorder = Recorder()
    writer = TurnWriter(recorder.write, group_limit=2)
    written_meanwhile = []

    async def other() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            written_meanwhile.append(len(recorder.groups))

    *outcomes, _ = await asyncio.gather(*(writer.submit(number) for number in range(5)), other())
    assert outcomes == [0, 2, 4, 6, 8]
    assert recorder.groups == [[0, 1], [2, 3], [4]]
    assert len(set(written_meanwhile)) > 1


async def test_what_was_not_written_is_told_to_everyone() -> None:
    writer = TurnWriter(Recorder().write)
    assert await asyncio.gather(*(writer.submit(number) for number in (1, -2, 3))) == [None, None, None]
    assert await writer.submit(4) == 8


async def test_an_error_reaches_everyone_and_the_next_turn_is_written() -> None:
    writer = TurnWriter(Recorder().write)
    outcomes = await asyncio.gather(*(writer.submit(number) for number in (1, 1000)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError, OSError]
    assert await writer.submit(4) == 8


async def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    recorder = Recorder()
    writer = TurnWriter(recorder.write)
    first, second = [asyncio.create_task(writer.submit(number)) for number in (1, 2)]
    asyncio.get_running_loop().call_soon(first.cancel)
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == 4
    assert recorder.groups == [[1, 2]]
