"""One attempt at a detector: a place in its bulkhead, a ticket of its breaker, a limit in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from llama_mapper.domain.contracts.detectors import BreakerState
from llama_mapper.domain.orchestration.ports import (
    Detector,
    DetectorFailed,
    DetectorTimeout,
    DetectorUnavailable,
    Inquiry,
    Inspection,
    NoAnswer,
)
from llama_mapper.domain.orchestration.resilience.blame import is_to_blame
from llama_mapper.domain.orchestration.resilience.breaker import CircuitBreaker
from llama_mapper.domain.orchestration.resilience.bulkhead import Bulkhead, Entry

BREAKER_OPEN = "BREAKER_OPEN"
OVERLOADED = "DETECTOR_OVERLOADED"

MARGIN_S = 0.002
"""How long before the caller's deadline an attempt ends, so that we and not the caller say what became of it."""

_QUICKEST_S = 0.005
_NEWEST = 0.1


class Refused(DetectorUnavailable):
    """The detector was not asked: its breaker is open, or it has enough to do."""


@dataclass(slots=True)
class Effort:
    """What one call took so far, over all of its attempts."""

    attempts: int = 0
    hedged: bool = False
    queued_s: float = 0.0


class Attempts:
    """Makes attempts at `detector`, each of at most `timeout_s` and within the inquiry's deadline.

    While the breaker is half open, at most `queue` calls wait for the verdict of those that it let through. They are
    few, for the detector is not ready then; but the windows of one text come together, and would fail together.
    `on_end` hears how each one ended that says something about the detector: None, or the failure's code.
    """

    __slots__ = ("_breaker", "_clock", "_detector", "_on_end", "_places", "_timeout_s", "_typical_s", "_verdict")

    def __init__(
        self,
        detector: Detector,
        places: Bulkhead,
        breaker: CircuitBreaker,
        queue: int,
        timeout_s: float,
        clock: Callable[[], float],
        on_end: Callable[[str | None], None],
    ) -> None:
        self._detector = detector
        self._places = places
        self._breaker = breaker
        self._timeout_s = timeout_s
        self._clock = clock
        self._on_end = on_end
        self._typical_s = 0.0
        self._verdict = Bulkhead(0, queue)

    def is_room(self, inquiry: Inquiry, wait_s: float = 0.0) -> bool:
        """Whether an attempt that begins in `wait_s` seconds may be expected to end in time, by what others took."""
        return inquiry.deadline - self._clock() - wait_s > MARGIN_S + max(_QUICKEST_S, self._typical_s)

    @property
    def waiting(self) -> int:
        """Calls that wait for a place, or for what the calls that a half-open breaker let through come to."""
        return self._places.waiting + self._verdict.waiting

    async def make(self, inquiry: Inquiry, effort: Effort) -> Inspection:
        """The detector's answer. Raises `Refused` if it was not asked, else what `Detector.inspect` raises."""
        while True:
            if not self._places.try_enter():
                await self._wait_for_place(inquiry, effort)
            try:
                ticket = self._breaker.admit()
                if ticket is not None:
                    return await self._ask(inquiry, effort, ticket)
            finally:
                self._places.leave()
            await self._wait_for_verdict(inquiry, effort)

    def breaker_changed(self, state: BreakerState) -> None:
        """Nobody waits for a detector found dead, and nobody for a verdict that is given."""
        if state is BreakerState.OPEN:
            self._places.dismiss()
        self._verdict.dismiss()

    def _shut(self) -> Refused:
        wait_s = self._breaker.refusal_s() or 0.0
        return Refused(breaker_text(wait_s), BREAKER_OPEN, retryable=True, retry_after_s=wait_s)

    async def _wait_for_place(self, inquiry: Inquiry, effort: Effort) -> None:
        if self._breaker.refusal_s() is not None:
            raise self._shut()
        began = self._clock()
        entry = await self._places.enter(inquiry.deadline - began - MARGIN_S)
        effort.queued_s += self._clock() - began
        if entry is Entry.GRANTED:
            return
        if entry is Entry.DISMISSED:
            raise self._shut()
        why = "too many calls wait for it" if entry is Entry.FULL else "no place became free in time"
        raise Refused(why, OVERLOADED, retryable=True)

    async def _wait_for_verdict(self, inquiry: Inquiry, effort: Effort) -> None:
        if self._breaker.refusal_s():
            raise self._shut()
        began = self._clock()
        entry = await self._verdict.enter(inquiry.deadline - began - MARGIN_S)
        effort.queued_s += self._clock() - began
        if entry is not Entry.DISMISSED:
            raise self._shut()

    async def _ask(self, inquiry: Inquiry, effort: Effort, ticket: int) -> Inspection:
        began = self._clock()
        limit_s = min(self._timeout_s, inquiry.deadline - began - MARGIN_S)
        if limit_s <= 0:
            self._abandon(ticket)
            raise Refused("no time was left to ask it", OVERLOADED if effort.queued_s else "DEADLINE_PASSED")
        effort.attempts += 1
        # A failure holds this frame, so nothing here may hold the failure: the circle would keep the text for a while.
        limit = asyncio.timeout(limit_s)
        answer: Inspection | None = None
        try:
            async with limit:
                answer = await self._detector.inspect(inquiry)
        except NoAnswer as error:
            self._failed(error, ticket, began)
            raise
        except TimeoutError as error:
            if not limit.expired():
                raise self._failed(_broken(error), ticket, began) from error
        except Exception as error:
            raise self._failed(_broken(error), ticket, began) from error
        except BaseException:
            # The caller cancels. If that is because the deadline is there, it says what a time-out says.
            if self._clock() < inquiry.deadline - MARGIN_S:
                self._abandon(ticket)
            else:
                self._failed(DetectorTimeout(""), ticket, began)
            raise
        finally:
            del limit  # it knows the task, which knows the failure
        if answer is None:  # raised here, without the cause: that one, too, knows the task
            raise self._failed(
                DetectorTimeout(f"no answer within {limit_s * 1e3:.0f} ms", retryable=True), ticket, began
            )
        self._breaker.succeeded(ticket)
        took_s = self._clock() - began
        self._typical_s += (took_s - self._typical_s) * _NEWEST if self._typical_s else took_s
        self._on_end(None)
        return answer

    def _abandon(self, ticket: int) -> None:
        self._breaker.abandoned(ticket)
        self._verdict.dismiss()  # it is another's turn

    def _failed(self, fault: NoAnswer, ticket: int, began: float) -> NoAnswer:
        if is_to_blame(fault, self._clock() - began, self._timeout_s):
            self._breaker.failed(ticket)
            self._on_end(fault.code)
        else:
            self._abandon(ticket)
        return fault


def _broken(error: Exception) -> DetectorFailed:
    """Somebody else's exception text may quote the content: its class is all we pass on."""
    return DetectorFailed(type(error).__name__, "DETECTOR_ERROR", retryable=isinstance(error, OSError))


def breaker_text(wait_s: float) -> str:
    """What is said of a breaker that admits nobody for `wait_s` seconds."""
    if wait_s > 0:
        return f"its circuit breaker is open for another {wait_s:.1f} s"
    return "its circuit breaker is half open and waits for the outcome of others' calls"
