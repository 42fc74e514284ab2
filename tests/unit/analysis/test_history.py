"""The history off the critical path: remembered reads, buffered writes, and a store that is down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest

from llama_mapper.domain.analysis import history_memo, history_recorder
from llama_mapper.domain.analysis.history_memo import HistoryMemo
from llama_mapper.domain.analysis.history_recorder import HistoryRecorder
from llama_mapper.domain.analysis.patterns.insights import HistoryInsights
from llama_mapper.domain.analysis.ports import HistoryEntry, HistoryWindow
from tests.unit.analysis.support import EMAIL, NOW, HistoryInMemory


class Watch:
    """A monotonic clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def entry(i: int) -> HistoryEntry:
    return HistoryEntry("acme", f"r{i}", NOW, {EMAIL: 1})


def memo(history: HistoryInMemory, watch: Watch) -> HistoryMemo:
    return HistoryMemo(history, lambda: NOW, watch, 30)


class SlowHistory(HistoryInMemory):
    """Answers only once `answer` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = asyncio.Event()

    async def window(self, tenant_id: str, since: datetime, until: datetime) -> HistoryWindow:
        await self.answer.wait()
        return await super().window(tenant_id, since, until)

    async def record(self, entries: Sequence[HistoryEntry]) -> None:
        await self.answer.wait()
        await super().record(entries)


async def test_a_window_is_read_once_a_second_however_many_ask() -> None:
    history, watch = HistoryInMemory(), Watch()
    past = memo(history, watch)
    await asyncio.gather(*[past.past("acme") for _ in range(50)])
    watch.now += 0.9
    await past.past("acme")
    assert history.reads == past.reads == 1


async def test_a_stale_window_is_given_at_once_and_read_anew_in_the_background() -> None:
    history, watch = HistoryInMemory(), Watch()
    past = memo(history, watch)
    first = await past.past("acme")
    watch.now += 2.0
    assert await past.past("acme") is first
    for _ in range(100):
        await asyncio.sleep(0.002)
        if history.reads == 2 and await past.past("acme") is not first:
            break
    assert history.reads == 2
    assert await past.past("acme") is not first


async def test_an_old_window_is_waited_for() -> None:
    history, watch = HistoryInMemory(), Watch()
    past = memo(history, watch)
    first = await past.past("acme")
    watch.now += 5.1
    assert await past.past("acme") is not first


async def test_tenants_do_not_see_each_others_past() -> None:
    history, watch = HistoryInMemory(), Watch()
    await history.record([HistoryEntry("acme", "r", NOW.replace(hour=1), {EMAIL: 1})])
    past = memo(history, watch)
    mine, other = await past.past("acme"), await past.past("other")
    assert isinstance(mine, HistoryInsights)
    assert isinstance(other, HistoryInsights)
    assert (mine.window.assessments, other.window.assessments) == (1, 0)


async def test_a_store_that_is_down_is_asked_once_a_second_and_named() -> None:
    history, watch = HistoryInMemory(), Watch()
    history.down = True
    past = memo(history, watch)
    assert [await past.past("acme") for _ in range(5)] == ["STORE_UNAVAILABLE"] * 5
    assert (past.reads, past.read_failures) == (1, 1)
    history.down = False
    watch.now += 6.0
    assert isinstance(await past.past("acme"), HistoryInsights)


async def test_a_slow_store_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_memo, "WAIT_S", 0.01)
    history, watch = SlowHistory(), Watch()
    past = memo(history, watch)
    assert await past.past("acme") == "REQUEST_TIMEOUT"
    history.answer.set()
    monkeypatch.setattr(history_memo, "WAIT_S", 1.0)
    assert isinstance(await past.past("acme"), HistoryInsights)
    assert history.reads == 1


async def test_the_memo_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_memo, "TENANTS", 3)
    history, watch = HistoryInMemory(), Watch()
    past = memo(history, watch)
    for name in ("a", "b", "c", "d", "a"):
        await past.past(name)
    assert history.reads == 5
    await past.past("d")
    assert history.reads == 5
    await past.stop()


async def test_entries_are_written_in_batches_in_the_background() -> None:
    history, watch = HistoryInMemory(), Watch()
    recorder = HistoryRecorder(history, watch)
    await recorder.start()
    for i in range(2500):
        await recorder.add(entry(i))
    assert recorder.waiting == 2500
    for _ in range(100):
        await asyncio.sleep(0.01)
        if not recorder.waiting:
            break
    await recorder.stop()
    assert (history.batches, recorder.recorded, recorder.lost) == ([1000, 1000, 500], 2500, 0)


async def test_stopping_writes_what_waits() -> None:
    history, watch = HistoryInMemory(), Watch()
    recorder = HistoryRecorder(history, watch)
    await recorder.start()
    await recorder.add(entry(1))
    await recorder.stop()
    assert set(history.entries) == {("acme", "r1")}


async def test_a_failed_write_is_tried_again_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_recorder, "RETRY_S", 0.001)
    monkeypatch.setattr(history_recorder, "INTERVAL_S", 0.005)
    history, watch = HistoryInMemory(), Watch()
    history.down = True
    recorder = HistoryRecorder(history, watch)
    await recorder.start()
    await recorder.add(entry(1))
    async with asyncio.timeout(10):
        while recorder.failures < 4:
            await asyncio.sleep(0.002)
    assert (recorder.waiting, recorder.last_failure) == (1, "StoreError")
    history.down = False
    async with asyncio.timeout(10):
        while recorder.waiting:
            await asyncio.sleep(0.002)
    await recorder.stop()
    assert (recorder.recorded, recorder.lost) == (1, 0)


async def test_a_full_buffer_waits_for_a_write_and_drops_nothing() -> None:
    history, watch = HistoryInMemory(), Watch()
    recorder = HistoryRecorder(history, watch, capacity=10)
    for i in range(95):
        await recorder.add(entry(i))
    await recorder.stop()
    assert (len(history.entries), recorder.lost) == (95, 0)


async def test_with_the_store_down_and_the_buffer_full_only_the_newest_are_given_up_and_counted() -> None:
    history, watch = HistoryInMemory(), Watch()
    history.down = True
    recorder = HistoryRecorder(history, watch, capacity=10)
    for i in range(15):
        await recorder.add(entry(i))
    assert (recorder.waiting, recorder.lost, recorder.failures) == (10, 5, 1)
    history.down = False
    assert await recorder.flush()
    assert sorted(history.entries) == sorted(("acme", f"r{i}") for i in range(10))


async def test_a_full_buffer_over_a_store_that_hangs_holds_an_answer_only_briefly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history_recorder, "WAIT_S", 0.01)
    history, watch = SlowHistory(), Watch()
    recorder = HistoryRecorder(history, watch, capacity=2)
    for i in range(5):
        await asyncio.wait_for(recorder.add(entry(i)), 1.0)
    assert (recorder.waiting, recorder.lost) == (2, 3)
    history.answer.set()
    await recorder.stop()
    assert len(history.entries) == 2


async def test_what_cannot_be_written_at_the_end_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_recorder, "RETRY_S", 0.001)
    history, watch = HistoryInMemory(), Watch()
    history.down = True
    recorder = HistoryRecorder(history, watch)
    await recorder.add(entry(1))
    await recorder.stop()
    assert (recorder.lost, recorder.failures, recorder.waiting) == (1, 3, 0)
