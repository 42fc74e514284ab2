"""Asking many detectors at once."""

from __future__ import annotations

import asyncio
import gc
from time import monotonic
from typing import Any

import pytest

from llama_mapper.domain.contracts.orchestration import DetectorStatus
from llama_mapper.domain.orchestration.fanout import Call, FanOut
from llama_mapper.domain.orchestration.ports import DetectorFailed
from tests.unit.orchestration.support import ScriptedDetector, raises, says, sleeps


def call(name: str, detector: ScriptedDetector, timeout_s: float = 1.0) -> Call:
    return Call(name, detector, timeout_s)


async def test_detectors_run_at_the_same_time() -> None:
    calls = [call(name, ScriptedDetector(name, behave=sleeps(0.05))) for name in "abcdef"]
    began = monotonic()
    await FanOut().run(calls, "x", (), began, 1.0)
    assert monotonic() - began < 0.15
    assert all(one.answer is not None and one.elapsed_ms >= 45 for one in calls)


async def test_each_detector_has_its_own_limit_and_nobody_else_waits_or_stops_for_it() -> None:
    slow, slower = ScriptedDetector("slow", behave=sleeps(5)), ScriptedDetector("slower", behave=sleeps(5))
    fine = ScriptedDetector("fine", behave=sleeps(0.06))
    calls = [call("slow", slow, 0.02), call("slower", slower, 0.04), call("fine", fine)]
    began = monotonic()
    await FanOut().run(calls, "x", (), began, 1.0)
    assert [one.status for one in calls] == [DetectorStatus.TIMEOUT, DetectorStatus.TIMEOUT, DetectorStatus.SUCCESS]
    assert calls[0].elapsed_ms < calls[1].elapsed_ms < 60
    assert (slow.cancelled, slower.cancelled, fine.cancelled) == (1, 1, 0)
    assert monotonic() - began < 0.2


async def test_the_deadline_stands_over_every_limit() -> None:
    calls = [call("a", ScriptedDetector("a", behave=sleeps(5)), 5.0), call("b", ScriptedDetector("b"), 5.0)]
    began = monotonic()
    await FanOut().run(calls, "x", (), began, 0.03)
    assert [one.status for one in calls] == [DetectorStatus.TIMEOUT, DetectorStatus.SUCCESS]
    assert monotonic() - began < 0.2


async def test_a_detector_is_skipped_where_no_time_is_left() -> None:
    detector = ScriptedDetector("a")
    calls = [call("a", detector)]
    await FanOut().run(calls, "x", (), monotonic() - 2.0, 1.0)
    assert (calls[0].status, calls[0].elapsed_ms, detector.asked) == (DetectorStatus.SKIPPED, 0.0, 0)
    assert calls[0].fault is not None
    assert calls[0].fault.code == "DEADLINE_PASSED"


async def test_a_detector_that_ignores_cancelling_does_not_hold_the_answer() -> None:
    release = asyncio.Event()

    async def stubborn(content: str) -> object:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        raise RuntimeError("too late to matter")

    fan_out = FanOut()
    calls = [call("a", ScriptedDetector("a", behave=stubborn), 0.02), call("b", ScriptedDetector("b"))]
    began = monotonic()
    await fan_out.run(calls, "x", (), began, 1.0)
    assert monotonic() - began < 0.2
    assert [one.status for one in calls] == [DetectorStatus.TIMEOUT, DetectorStatus.SUCCESS]
    assert fan_out.stragglers == 1
    release.set()
    await asyncio.sleep(0.01)
    assert fan_out.stragglers == 0


async def test_cancelling_the_run_cancels_every_detector() -> None:
    detectors = [ScriptedDetector(name, behave=sleeps(5)) for name in "abc"]
    others = asyncio.all_tasks()
    run = asyncio.create_task(
        FanOut().run([call(one.descriptor.name, one, 5) for one in detectors], "x", (), monotonic(), 5.0)
    )
    await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert [one.cancelled for one in detectors] == [1, 1, 1]
    assert asyncio.all_tasks() <= others


async def test_what_a_late_detector_raises_is_never_printed() -> None:
    seen: list[object] = []

    async def angry(content: str) -> object:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            raise RuntimeError(content) from None
        return None

    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: seen.append(context))
    try:
        calls = [call("a", ScriptedDetector("a", behave=angry), 0.01)]
        await FanOut().run(calls, "content to keep quiet about", (), monotonic(), 1.0)
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
    assert (calls[0].status, seen) == (DetectorStatus.TIMEOUT, [])


async def test_an_answer_that_is_there_is_not_thrown_away_for_a_late_neighbour() -> None:
    calls = [call("a", ScriptedDetector("a", behave=says(("EMAIL", 0.9)))), call("b", ScriptedDetector("b"), 0.01)]
    await FanOut().run(calls, "x", (), monotonic(), 1.0)
    assert calls[0].answer is not None


@pytest.mark.parametrize("code", ["no spaces, please", "", "x" * 200, 7])
async def test_a_fault_with_a_code_that_is_no_code_has_the_usual_one(code: Any) -> None:
    calls = [call("a", ScriptedDetector("a", behave=raises(DetectorFailed("broken", code))))]
    await FanOut().run(calls, "x", (), monotonic(), 1.0)
    assert calls[0].fault is not None
    assert (calls[0].status, calls[0].fault.code) == (DetectorStatus.FAILED, "DETECTOR_FAILED")
