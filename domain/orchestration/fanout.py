"""Asks many detectors at once, each within its own time and all within one deadline.

One task a detector and one `asyncio.wait` for each distinct limit: the usual run, where everybody is in time, waits
once. A timer a detector (`wait_for`) costs three times as much for the same promise.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from llama_mapper.domain.contracts.orchestration import DetectorFault, DetectorStatus
from llama_mapper.domain.kernel.tracing import Step, error_name, step
from llama_mapper.domain.orchestration.ports import (
    Detector,
    DetectorFailed,
    DetectorTimeout,
    Inquiry,
    Inspection,
    NoAnswer,
    Turn,
)

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_GRACE_S = 0.01
"""How long a cancelled detector may take to let go before the answer no longer waits for it."""


@dataclass(slots=True)
class Call:
    """One detector to ask, and what became of it: `answer` if it returned, else `status` and `fault`.

    `timeout_s` counts from the common start. `elapsed_ms` is the time from asking to the answer or to giving up.
    `retries` and `hedge_after_s` are passed on to the detector. `notes` are what a detector without an answer told.
    """

    name: str
    detector: Detector
    timeout_s: float
    retries: int = 0
    hedge_after_s: float | None = None
    answer: Inspection | None = None
    status: DetectorStatus = DetectorStatus.SUCCESS
    fault: DetectorFault | None = None
    notes: Mapping[str, str | bool | int | float] = field(default_factory=dict)
    asked: float = 0.0
    ended: float = 0.0

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds from asking to the end; 0 if it was never asked."""
        return max(0.0, self.ended - self.asked) * 1e3 if self.asked else 0.0


class FanOut:
    """Runs calls to the end. Detectors that ignore cancelling are kept track of, not waited for."""

    def __init__(self) -> None:
        self._stragglers: set[asyncio.Task[Inspection]] = set()

    @property
    def stragglers(self) -> int:
        """How many detectors still run although they were told to stop."""
        return len(self._stragglers)

    async def run(
        self, calls: Sequence[Call], text: str, turns: tuple[Turn, ...], started: float, deadline_s: float
    ) -> None:
        """Ask every call's detector; fill in `answer`, or `status` and `fault`. A detector's failure raises nothing.

        `started` is a `monotonic` reading and `deadline_s` counts from it. On cancelling, every detector is
        cancelled too.
        """
        limits = {id(call): started + min(call.timeout_s, deadline_s) for call in calls}
        tasks: dict[asyncio.Task[Inspection], Call] = {}
        now = monotonic()
        for call in calls:
            if limits[id(call)] <= now:
                _skip(call)
            else:
                inquiry = Inquiry(text, turns, limits[id(call)], call.retries, call.hedge_after_s)
                tasks[asyncio.create_task(_ask(call, inquiry))] = call
        pending = set(tasks)
        try:
            while pending:
                limit = min(limits[id(tasks[task])] for task in pending)
                _, pending = await asyncio.wait(pending, timeout=max(0.0, limit - monotonic()))
                if pending and (late := {task for task in pending if limits[id(tasks[task])] <= monotonic()}):
                    pending -= late
                    for task in late:
                        _give_up(tasks[task])
                    await self._stop(late)
        finally:
            if pending:  # only if this run itself is being cancelled
                await self._stop(pending)
        for task, call in tasks.items():
            if call.fault is None:
                _settle(task, call)

    async def _stop(self, tasks: set[asyncio.Task[Inspection]]) -> None:
        for task in tasks:
            self._stragglers.add(task)
            task.add_done_callback(self._stragglers.discard)
            task.add_done_callback(_forget)
            task.cancel()
        await asyncio.wait(tasks, timeout=_GRACE_S)


async def _ask(call: Call, inquiry: Inquiry) -> Inspection:
    call.asked = monotonic()
    with step("detect", call.name) as at:
        try:
            answer = await call.detector.inspect(inquiry)
        except BaseException as error:
            if at:
                _tell(at, call, error)
            raise
        finally:
            call.ended = monotonic()
        if at:
            _tell(at, call, None)
    return answer


def _tell(at: Step, call: Call, error: BaseException | None) -> None:
    """What the result will say of the call; one that was given up counts as that, whatever it still says."""
    status, code = call.status, None if call.fault is None else call.fault.code
    if call.fault is None and error is not None:
        if isinstance(error, NoAnswer):
            status, code = _status_of(error), _code_of(error)
        else:
            status, code = DetectorStatus.FAILED, error_name(error)
    at.set({"llama_mapper.detector.id": call.name, "llama_mapper.detector.status": status.value})
    if code is not None:
        at.fail(code)


def _forget(task: asyncio.Task[Inspection]) -> None:
    """Take the exception of a task nobody asks any more, lest asyncio print it: it may quote content."""
    if not task.cancelled():
        task.exception()


def _skip(call: Call) -> None:
    call.status = DetectorStatus.SKIPPED
    call.fault = DetectorFault(code="DEADLINE_PASSED", message="no time was left to ask it")


def _give_up(call: Call) -> None:
    if not call.asked:  # the event loop was too busy to begin
        _skip(call)
        return
    call.ended = monotonic()
    call.status = DetectorStatus.TIMEOUT
    call.fault = DetectorFault(code="DETECTOR_TIMEOUT", message=f"no answer within {call.timeout_s * 1e3:.0f} ms")


def _said(error: Exception) -> str:
    """The exception's text, fit for a record: at most 512 characters, no lone surrogates."""
    return str(error)[:512].encode(errors="replace").decode()


def _status_of(error: NoAnswer) -> DetectorStatus:
    if isinstance(error, DetectorTimeout):
        return DetectorStatus.TIMEOUT
    return DetectorStatus.FAILED if isinstance(error, DetectorFailed) else DetectorStatus.UNAVAILABLE


def _code_of(error: NoAnswer) -> str:
    return error.code if isinstance(error.code, str) and _CODE.fullmatch(error.code) else error.default_code


def _settle(task: asyncio.Task[Inspection], call: Call) -> None:
    """Read the outcome of a task that ended by itself."""
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None:
        call.answer = task.result()
    elif isinstance(error, NoAnswer):
        call.status = _status_of(error)
        call.fault = DetectorFault(code=_code_of(error), message=_said(error))
        call.notes = error.notes
    else:
        # Somebody else's exception text may quote the content: its class is all we pass on.
        call.status = DetectorStatus.FAILED
        call.fault = DetectorFault(code="DETECTOR_ERROR", message=type(error).__name__[:512])
