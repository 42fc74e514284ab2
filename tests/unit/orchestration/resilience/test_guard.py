"""A guarded detector, on a clock that jumps."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import weakref
from collections.abc import Callable

import pytest

from llama_mapper.adapters.platform.shared_state.memory_breakers import MemoryBreakerBoard
from llama_mapper.domain.contracts.detectors import BreakerState
from llama_mapper.domain.contracts.orchestration import HealthState
from llama_mapper.domain.orchestration.ports import (
    DetectorFailed,
    DetectorTimeout,
    DetectorUnavailable,
    Inquiry,
    Inspection,
    NoAnswer,
)
from llama_mapper.domain.orchestration.resilience.figures import CallOutcome
from llama_mapper.domain.orchestration.resilience.guard import GuardedDetector
from tests.support.virtual_time import run_in_virtual_time
from tests.unit.orchestration.resilience.support import (
    ANSWER,
    Clock,
    RemoteDetector,
    after,
    answers,
    failing,
    guard_of,
    in_turn,
)


async def fault_of(guard: GuardedDetector, inquiry: Inquiry) -> NoAnswer:
    """Why the call got no answer."""
    with pytest.raises(NoAnswer) as caught:
        await guard.inspect(inquiry)
    return caught.value


def within(clock: Clock, seconds: float, retries: int = 0, hedge_after_s: float | None = None) -> Inquiry:
    return Inquiry("text", (), clock() + seconds, retries, hedge_after_s)


def idle(guard: GuardedDetector) -> bool:
    """Whether it holds nothing."""
    figures = guard.figures
    return (figures.in_flight, figures.queued) == (0, 0)


def test_an_answer_passes_unchanged_with_notes_on_how_it_came_about() -> None:
    async def story(clock: Clock) -> None:
        guard = guard_of(RemoteDetector(), clock)
        answer = await guard.inspect(within(clock, 1))
        assert (answer.findings, answer.language) == (ANSWER.findings, ANSWER.language)
        assert dict(answer.notes) == {"attempts": 1, "breaker": "closed"}
        assert guard.figures.calls[CallOutcome.SUCCESS] == 1
        assert idle(guard)

    run_in_virtual_time(story)


def test_the_detectors_own_notes_are_kept() -> None:
    async def noted(_: Inquiry) -> Inspection:
        return Inspection(notes={"windows": 3})

    async def refuses(_: Inquiry) -> Inspection:
        raise DetectorFailed("no", notes={"http_status": 500})

    async def story(clock: Clock) -> None:
        guard = guard_of(RemoteDetector(in_turn(noted, refuses)), clock)
        assert dict((await guard.inspect(within(clock, 1))).notes) == {"windows": 3, "attempts": 1, "breaker": "closed"}
        fault = await fault_of(guard, within(clock, 1))
        assert dict(fault.notes) == {"http_status": 500, "attempts": 1, "breaker": "closed"}

    run_in_virtual_time(story)


def test_an_attempt_ends_at_the_detectors_limit_or_just_before_the_deadline() -> None:
    async def story(clock: Clock) -> None:
        guard = guard_of(RemoteDetector(after(60)), clock, timeout_s=2.0)
        for allowed_s, took_s in ((math.inf, 2.0), (10.0, 2.0), (1.0, 0.998)):
            began = clock()
            fault = await fault_of(guard, within(clock, allowed_s))
            assert isinstance(fault, DetectorTimeout)
            assert (fault.code, fault.notes["attempts"]) == ("DETECTOR_TIMEOUT", 1)
            assert clock() - began == pytest.approx(took_s)
        assert guard.figures.calls[CallOutcome.TIMEOUT] == 3
        assert idle(guard)

    run_in_virtual_time(story)


def test_a_failure_is_retried_as_often_as_the_inquiry_allows_with_growing_waits() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(in_turn(failing(), failing(), answers))
        guard = guard_of(detector, clock, draw=1.0)
        answer = await guard.inspect(within(clock, 2, retries=2))
        assert answer.notes["attempts"] == 3
        assert clock() == pytest.approx(0.05 + 0.1)
        detector.behave = failing()
        assert (await fault_of(guard, within(clock, 2, retries=1))).notes["attempts"] == 2
        assert guard.figures.retries == 3

    run_in_virtual_time(story)


@pytest.mark.parametrize(
    ("inquiry", "behaviour"),
    [
        pytest.param(Inquiry("text", (), 10.0, retries=0), failing(), id="not-allowed"),
        pytest.param(Inquiry("text", (), 10.0, retries=5), failing(retryable=False), id="useless"),
        pytest.param(Inquiry("text", (), 10.0, retries=5), failing(retry_after_s=10.0), id="told-to-come-too-late"),
        pytest.param(Inquiry("text", (), 0.05, retries=5), failing(), id="no-time-left"),
    ],
)
def test_there_is_no_retry_that_is_not_allowed_or_not_useful(
    inquiry: Inquiry, behaviour: Callable[[Inquiry], object]
) -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(behaviour)  # type: ignore[arg-type]  # a behaviour, which parametrize forgets
        fault = await fault_of(guard_of(detector, clock, draw=1.0), inquiry)
        assert (fault.code, detector.asked, clock()) == ("BROKEN", 1, 0.0)

    run_in_virtual_time(story)


def test_a_detector_that_says_when_to_come_back_is_asked_then() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(in_turn(failing(retry_after_s=0.7), answers))
        await guard_of(detector, clock, draw=0.0).inspect(within(clock, 2, retries=1))
        assert clock() == pytest.approx(0.7)

    run_in_virtual_time(story)


def test_no_retry_begins_that_would_take_longer_than_is_left_by_what_others_took() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(after(0.5))
        guard = guard_of(detector, clock, draw=0.0)
        await guard.inspect(within(clock, 2))
        detector.behave = after(0.1, failing())
        detector.asked = 0
        await fault_of(guard, within(clock, 0.55, retries=3))
        assert detector.asked == 1, "another would have needed half a second"

    run_in_virtual_time(story)


def test_retries_of_all_callers_together_stay_within_their_budget() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(failing())
        guard = guard_of(detector, clock, retry_budget=0.2, breaker_failures=1000, max_concurrency=1024)
        await asyncio.gather(*[fault_of(guard, within(clock, 2, retries=5)) for _ in range(200)])
        assert guard.figures.retries == 40
        assert detector.asked == 240

    run_in_virtual_time(story)


def test_calls_beyond_the_places_wait_and_beyond_the_queue_are_refused_at_once() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(after(0.5))
        guard = guard_of(detector, clock, max_concurrency=2, max_queue=3)
        calls = [asyncio.create_task(guard.inspect(within(clock, 10))) for _ in range(5)]
        await asyncio.sleep(0)
        fault = await fault_of(guard, within(clock, 10, retries=5))
        assert isinstance(fault, DetectorUnavailable)
        assert (fault.code, clock(), fault.notes["attempts"]) == ("DETECTOR_OVERLOADED", 0.0, 0)
        answers = await asyncio.gather(*calls)
        assert [answer.notes.get("queued_ms", 0) for answer in answers] == [0, 0, 500, 500, 1000]
        assert (detector.peak, clock()) == (2, 1.5)
        assert guard.figures.calls[CallOutcome.OVERLOADED] == 1
        assert idle(guard)

    run_in_virtual_time(story)


def test_nobody_waits_for_a_place_beyond_the_deadline() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(after(1.5))
        guard = guard_of(detector, clock, max_concurrency=1)
        long = asyncio.create_task(guard.inspect(within(clock, 10)))
        await asyncio.sleep(0)
        fault = await fault_of(guard, within(clock, 0.5))
        assert fault.code == "DETECTOR_OVERLOADED"
        assert clock() == pytest.approx(0.498)
        assert fault.notes["queued_ms"] == pytest.approx(498)
        await long
        assert idle(guard)

    run_in_virtual_time(story)


def test_failures_in_a_row_open_the_breaker_and_then_nobody_asks() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(failing())
        guard = guard_of(detector, clock, breaker_failures=3, breaker_open_ms=1000)
        for _ in range(3):
            fault = await fault_of(guard, within(clock, 10))
        assert (fault.code, fault.notes["breaker"]) == ("BROKEN", "open")
        fault = await fault_of(guard, within(clock, 10, retries=3))
        assert isinstance(fault, DetectorUnavailable)
        assert (fault.code, fault.retry_after_s, detector.asked) == ("BREAKER_OPEN", 1.0, 3)
        assert dict(fault.notes) == {"attempts": 0, "breaker": "open"}
        assert guard.readiness == "its circuit breaker is open for another 1.0 s"
        detector.behave = answers
        await asyncio.sleep(1)
        assert guard.readiness is None, "somebody has to try"
        assert (await guard.inspect(within(clock, 10))).notes["breaker"] == "closed"
        assert guard.figures.calls[CallOutcome.BREAKER_OPEN] == 1

    run_in_virtual_time(story)


@pytest.mark.parametrize("recovers", [True, False])
def test_in_half_open_only_the_probes_get_through_and_who_came_with_them_waits_for_their_verdict(
    recovers: bool,
) -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(failing())
        guard = guard_of(detector, clock, breaker_failures=1, breaker_open_ms=1000, half_open_probes=2, max_queue=7)
        await fault_of(guard, within(clock, 10))
        await asyncio.sleep(1)
        detector.behave = in_turn(after(0.5, answers if recovers else failing()), after(0.5))
        detector.asked = 0
        calls = [asyncio.create_task(guard.inspect(within(clock, 10))) for _ in range(10)]
        await asyncio.sleep(0.4)
        assert guard.readiness == "its circuit breaker is half open and waits for the outcome of others' calls"
        assert (detector.asked, guard.figures.queued) == (2, 7)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        codes = [getattr(outcome, "code", "ok") for outcome in outcomes]
        if recovers:
            assert codes == ["ok"] * 9 + ["BREAKER_OPEN"], "the last found the queue full"
            assert guard.health.breaker is BreakerState.CLOSED
        else:
            assert codes == ["BROKEN", "ok"] + ["BREAKER_OPEN"] * 8
            assert (detector.asked, clock()) == (2, 1.5)
        assert idle(guard)

    run_in_virtual_time(story)


def test_the_windows_of_one_text_that_fail_together_do_not_keep_the_breaker_half_open() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(failing())
        guard = guard_of(detector, clock, breaker_failures=1, breaker_open_ms=1000)
        await fault_of(guard, within(clock, 10))
        await asyncio.sleep(1)
        detector.behave = after(0.1)
        async with asyncio.TaskGroup() as windows:  # one that fails cancels the others
            for _ in range(4):
                windows.create_task(guard.inspect(within(clock, 10)))
        assert guard.health.breaker is BreakerState.CLOSED

    run_in_virtual_time(story)


def test_who_waits_for_a_verdict_takes_the_turn_of_a_probe_that_is_called_off_and_waits_no_longer_than_they_can() -> (
    None
):
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(failing())
        guard = guard_of(detector, clock, breaker_failures=1, breaker_open_ms=1000)
        await fault_of(guard, within(clock, 10))
        await asyncio.sleep(1)
        detector.behave = after(1.0)
        first, second = (asyncio.create_task(guard.inspect(within(clock, 10))) for _ in range(2))
        await asyncio.sleep(0)
        assert (await fault_of(guard, within(clock, 0.2))).code == "BREAKER_OPEN"
        assert clock() == pytest.approx(1.198)
        first.cancel()
        answer = await second
        assert clock() == pytest.approx(2.198)
        assert answer.notes["queued_ms"] == pytest.approx(198)
        assert idle(guard)

    run_in_virtual_time(story)


def test_those_who_wait_in_the_queue_are_not_sent_to_a_detector_found_dead_meanwhile() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(after(1.0, failing()))
        guard = guard_of(detector, clock, breaker_failures=2, max_concurrency=2, max_queue=50)
        faults = await asyncio.gather(*[fault_of(guard, within(clock, 10)) for _ in range(40)])
        assert clock() == 1.0, "they are told when the breaker opens"
        assert [fault.code for fault in faults] == ["BROKEN"] * 2 + ["BREAKER_OPEN"] * 38
        assert detector.asked == 2
        assert idle(guard)

    run_in_virtual_time(story)


def test_those_who_wait_are_told_at_once_when_another_process_finds_the_detector_dead() -> None:
    async def story(clock: Clock) -> None:
        board = MemoryBreakerBoard(clock)
        guard = guard_of(RemoteDetector(after(1.5)), clock, max_concurrency=1, board=board)
        calls = [asyncio.create_task(guard.inspect(within(clock, 10))) for _ in range(3)]
        await asyncio.sleep(0.5)
        board.publish("remote", 60.0, 1)
        assert guard.readiness == "its circuit breaker is open for another 60.0 s"
        outcomes = await asyncio.gather(*calls[1:], return_exceptions=True)
        assert [getattr(outcome, "code", None) for outcome in outcomes] == ["BREAKER_OPEN"] * 2
        assert clock() == 0.5
        await calls[0]
        assert idle(guard)

    run_in_virtual_time(story)


def test_no_tenant_can_open_the_breaker_with_a_tiny_limit_or_with_content_that_is_refused() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(after(0.2))
        guard = guard_of(detector, clock, breaker_failures=2)
        for _ in range(10):
            assert (await fault_of(guard, within(clock, 0.01))).code == "DETECTOR_TIMEOUT"
        detector.behave = failing("REJECTED", retryable=False)
        for _ in range(10):
            assert (await fault_of(guard, within(clock, 1))).code == "REJECTED"
        assert guard.health.breaker is BreakerState.CLOSED
        assert guard.health.state is HealthState.HEALTHY

    run_in_virtual_time(story)


def test_a_caller_that_gives_up_at_its_deadline_has_found_the_detector_too_slow() -> None:
    async def give_up(guard: GuardedDetector, inquiry: Inquiry, after_s: float) -> None:
        task = asyncio.create_task(guard.inspect(inquiry))
        await asyncio.sleep(after_s)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def stubborn(_: Inquiry) -> Inspection:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(0.5)
                raise

    async def story(clock: Clock) -> None:
        for behaviour, after_s, state in (
            (after(60), 0.9, BreakerState.CLOSED),
            (stubborn, 1.0, BreakerState.OPEN),
        ):
            guard = guard_of(RemoteDetector(behaviour), clock, breaker_failures=1)
            await give_up(guard, within(clock, 1.0), after_s)
            await asyncio.sleep(1)
            assert guard.health.breaker is state
            assert idle(guard)

    run_in_virtual_time(story)


def test_an_unforeseen_exception_is_a_failure_whose_text_is_not_told() -> None:
    async def breaks(inquiry: Inquiry) -> Inspection:
        raise RuntimeError(f"cannot digest {inquiry.text}")

    async def breaks_oddly(_: Inquiry) -> Inspection:
        raise TimeoutError("text")

    async def story(clock: Clock) -> None:
        guard = guard_of(RemoteDetector(in_turn(breaks, breaks_oddly)), clock, breaker_failures=1)
        for name, state in (("RuntimeError", BreakerState.CLOSED), ("TimeoutError", BreakerState.OPEN)):
            fault = await fault_of(guard, within(clock, 1, retries=3))
            assert (str(fault), fault.code, guard.health.breaker) == (name, "DETECTOR_ERROR", state)

    run_in_virtual_time(story)


def test_a_slow_attempt_gets_a_second_one_beside_it_and_the_first_good_answer_wins() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(in_turn(after(1.5), after(0.1)))
        guard = guard_of(detector, clock)
        answer = await guard.inspect(within(clock, 2, hedge_after_s=0.2))
        assert dict(answer.notes) == {"attempts": 2, "breaker": "closed", "hedged": True}
        assert clock() == pytest.approx(0.3)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert detector.running == 0, "the loser is cancelled"
        assert (guard.figures.hedges, idle(guard)) == (1, True)

    run_in_virtual_time(story)


def test_a_quick_answer_is_not_asked_for_twice() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(after(0.1))
        answer = await guard_of(detector, clock).inspect(within(clock, 2, hedge_after_s=0.2))
        assert (detector.asked, "hedged" in answer.notes) == (1, False)

    run_in_virtual_time(story)


def test_if_the_second_fails_the_first_is_still_waited_for_and_the_other_way_round() -> None:
    async def story(clock: Clock) -> None:
        for pair in ((after(1.0), failing()), (after(0.5, failing()), after(0.5))):
            guard = guard_of(RemoteDetector(in_turn(*pair)), clock)
            assert (await guard.inspect(within(clock, 2, hedge_after_s=0.2))).findings == ANSWER.findings
        guard = guard_of(RemoteDetector(in_turn(after(0.5, failing("FIRST")), failing("SECOND"))), clock)
        assert (await fault_of(guard, within(clock, 2, hedge_after_s=0.2))).code == "FIRST"

    run_in_virtual_time(story)


def test_hedges_take_places_and_budget_and_never_wait_for_either() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(after(1.0))
        guard = guard_of(detector, clock, max_concurrency=3)
        calls = [guard.inspect(within(clock, 5, hedge_after_s=0.2)) for _ in range(2)]
        assert [answer.notes["attempts"] for answer in await asyncio.gather(*calls)] == [2, 1]
        assert (detector.peak, guard.figures.hedges) == (3, 1)
        guard = guard_of(detector, clock, retry_budget=0.0)
        assert (await guard.inspect(within(clock, 5, hedge_after_s=0.2))).notes["attempts"] == 1

    run_in_virtual_time(story)


def test_one_probe_and_no_hedge_in_half_open() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(in_turn(failing(), after(1.0)))
        guard = guard_of(detector, clock, breaker_failures=1, breaker_open_ms=100)
        await fault_of(guard, within(clock, 1))
        await asyncio.sleep(0.1)
        assert "hedged" not in (await guard.inspect(within(clock, 5, hedge_after_s=0.2))).notes

    run_in_virtual_time(story)


def test_a_storm_of_cancellations_leaves_nothing_behind() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(after(1.0))
        guard = guard_of(detector, clock, max_concurrency=4, max_queue=400, breaker_failures=1000)
        for hedge_after_s in (None, 0.05):
            for stopped_after_s in (0.0, 0.01, 0.1, 0.999, 1.0, 1.5):
                calls = [
                    asyncio.create_task(guard.inspect(within(clock, 3, retries=2, hedge_after_s=hedge_after_s)))
                    for _ in range(100)
                ]
                await asyncio.sleep(stopped_after_s)
                for call in calls[::2] + calls[1::2]:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
                for _ in range(5):
                    await asyncio.sleep(0)
                assert (idle(guard), detector.running, guard.health.breaker) == (True, 0, BreakerState.CLOSED)
        assert (await guard.inspect(within(clock, 3))).findings == ANSWER.findings
        assert guard.figures.calls[CallOutcome.CANCELLED] > 1000

    run_in_virtual_time(story)


@pytest.mark.parametrize("behaviour", [answers, failing(), after(5)], ids=["answer", "failure", "time-out"])
@pytest.mark.parametrize("hedge_after_s", [None, 0.01])
def test_nothing_holds_the_text_once_the_call_is_over(
    behaviour: Callable[[Inquiry], object], hedge_after_s: float | None
) -> None:
    class Text(str):
        """One that can be watched."""

    async def story(clock: Clock) -> None:
        guard = guard_of(RemoteDetector(behaviour), clock)  # type: ignore[arg-type]  # as above
        text = Text("secret")
        gone = weakref.ref(text)
        inquiry = Inquiry(text, (), clock() + 1, 1, hedge_after_s)
        del text
        gc.disable()
        try:
            with contextlib.suppress(NoAnswer):
                await guard.inspect(inquiry)
            del inquiry
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert gone() is None
        finally:
            gc.enable()

    run_in_virtual_time(story)


def test_an_unhealthy_detector_is_not_ready_and_two_good_probes_let_callers_try_it_at_once() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(failing())
        guard = guard_of(detector, clock, breaker_failures=3)
        for _ in range(3):
            await fault_of(guard, within(clock, 1))
        guard.note_probe("connection refused")
        assert guard.readiness == "unhealthy: 1 health probe failed, the last with: connection refused"
        detector.behave = answers
        guard.note_probe(None)
        assert guard.readiness is not None
        guard.note_probe(None)
        assert guard.readiness is None, "a minute of open breaker is not sat out"
        assert guard.health.breaker is BreakerState.HALF_OPEN
        await guard.inspect(within(clock, 1))
        assert guard.health.breaker is BreakerState.CLOSED
        assert guard.health.last_probe_at is not None

    run_in_virtual_time(story)


def test_good_probes_do_not_shorten_the_wait_for_a_detector_that_lives_and_does_not_answer() -> None:
    async def story(clock: Clock) -> None:
        guard = guard_of(RemoteDetector(failing()), clock, breaker_failures=3)
        for _ in range(3):
            await fault_of(guard, within(clock, 1))
        for _ in range(5):
            guard.note_probe(None)
        assert guard.health.state is HealthState.DEGRADED
        assert guard.readiness == "its circuit breaker is open for another 60.0 s"

    run_in_virtual_time(story)


def test_what_the_detector_says_of_its_readiness_is_passed_on() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector()
        guard = guard_of(detector, clock)
        assert guard.readiness is None
        detector.readiness = "its credential is not set"
        assert guard.readiness == "its credential is not set"
        assert guard.descriptor is detector.descriptor

    run_in_virtual_time(story)
