"""A remote detector, protected from us, and we from it: limits, queue, breaker, retries, hedges around each call."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from time import monotonic
from types import MappingProxyType
from typing import Any

from llama_mapper.domain.contracts.detectors import BreakerState, DetectorHealth, ResilienceTerms
from llama_mapper.domain.contracts.orchestration import HealthState
from llama_mapper.domain.kernel.breakers import BreakerBoard
from llama_mapper.domain.kernel.clock import Clock, system_clock
from llama_mapper.domain.orchestration.health import Vitals, after_call, after_probe
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inquiry, Inspection, NoAnswer, ProbedDetector
from llama_mapper.domain.orchestration.resilience.attempts import OVERLOADED, Attempts, Effort, Refused, breaker_text
from llama_mapper.domain.orchestration.resilience.backoff import Backoff
from llama_mapper.domain.orchestration.resilience.breaker import CircuitBreaker
from llama_mapper.domain.orchestration.resilience.bulkhead import Bulkhead
from llama_mapper.domain.orchestration.resilience.figures import CallOutcome, DetectorFigures, outcome_of
from llama_mapper.domain.orchestration.resilience.hedge import hedged
from llama_mapper.domain.orchestration.resilience.retry_budget import RetryBudget

_AT_ONCE: Mapping[str, str | bool | int | float] = MappingProxyType(
    {"attempts": 1, "breaker": BreakerState.CLOSED.value}
)


class GuardedDetector:
    """Keeps `ProbedDetector` around `inner`, and adds to every answer's notes how it came about.

    Notes: `attempts`; `breaker`, its state afterwards; `hedged`, true where a second attempt was started besides the
    first; `queued_ms` where the call waited for its turn. Codes of its own are `BREAKER_OPEN` and
    `DETECTOR_OVERLOADED`, both `DetectorUnavailable`; `DETECTOR_TIMEOUT` where an attempt took longer than `timeout_s`
    or the caller's deadline.

    `clock` is in seconds and that of `Inquiry.deadline`. `draw` gives random numbers from 0 to 1. `on_change` hears
    what changed (`health` or `breaker`), to what, and why. On the `board` it is known by `board_name`, or else by the
    detector's name. A guard belongs to one event loop.
    """

    def __init__(
        self,
        inner: ProbedDetector,
        terms: ResilienceTerms,
        *,
        timeout_s: float,
        board: BreakerBoard | None = None,
        board_name: str | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = monotonic,
        now: Clock = system_clock,
        draw: Callable[[], float] = random.random,
        on_change: Callable[[str, str, str], None] | None = None,
    ) -> None:
        self._inner = inner
        self._descriptor = inner.descriptor
        self._clock = clock
        self._now = now
        self._draw = draw
        self._on_change = on_change
        self._on_suspicion: Callable[[], None] | None = None
        self._backoff = backoff or Backoff()
        self._budget = RetryBudget(terms.retry_budget)
        self._places = Bulkhead(terms.max_concurrency, terms.max_queue)
        self._breaker = CircuitBreaker(
            board_name or self._descriptor.name,
            failures=terms.breaker_failures,
            open_s=terms.breaker_open_ms / 1e3,
            probes=terms.half_open_probes,
            clock=clock,
            board=board,
            on_change=self._on_breaker,
        )
        self._attempts = Attempts(
            inner, self._places, self._breaker, terms.max_queue, timeout_s, clock, self._note_call
        )
        self._losers: set[asyncio.Task[Inspection]] = set()
        self._vitals = Vitals()
        self._last_probe_at: datetime | None = None
        self._calls = dict.fromkeys(CallOutcome, 0)
        self._retries = self._hedges = 0
        self.probe_interval_s = terms.probe_interval_ms / 1e3

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What the detector declares."""
        return self._descriptor

    @property
    def readiness(self) -> str | None:
        """None if it can be asked; else that it is unhealthy, that its breaker is open, or what it says itself."""
        if self._vitals.state is HealthState.UNHEALTHY:
            return f"unhealthy: {self._vitals.reason}"
        wait_s = self._breaker.refusal_s()
        return self._inner.readiness if wait_s is None else breaker_text(wait_s)

    @property
    def vitals(self) -> Vitals:
        """What probes and calls together say of it."""
        return self._vitals

    @property
    def health(self) -> DetectorHealth:
        """How it is, for people and programs."""
        return DetectorHealth(
            state=self._vitals.state,
            breaker=self._breaker.state,
            consecutive_failures=self._breaker.failures,
            last_probe_at=self._last_probe_at,
            reason=self._vitals.reason[:512],
            in_flight=self._places.taken,
            queued=self._attempts.waiting,
        )

    @property
    def figures(self) -> DetectorFigures:
        """What was counted."""
        return DetectorFigures(
            name=self._descriptor.name,
            health=self._vitals.state,
            breaker=self._breaker.state,
            transitions=self._breaker.transitions,
            calls=MappingProxyType(self._calls),
            retries=self._retries,
            hedges=self._hedges,
            in_flight=self._places.taken,
            queued=self._attempts.waiting,
        )

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """See `Detector.inspect`."""
        effort = Effort()
        outcome = CallOutcome.CANCELLED
        self._budget.note_first(self._clock())
        try:
            answer = await self._insist(inquiry, effort)
            outcome = CallOutcome.SUCCESS
            notes = self._notes(effort)
            return Inspection(answer.findings, answer.language, {**answer.notes, **notes} if answer.notes else notes)
        except NoAnswer as fault:
            outcome = outcome_of(fault)
            fault.notes = {**fault.notes, **self._notes(effort)}
            raise
        finally:
            self._calls[outcome] += 1

    async def probe(self) -> None:
        """See `ProbedDetector.probe`; the result counts for nothing until it is given to `note_probe`."""
        await self._inner.probe()

    def note_probe(self, fault: str | None) -> None:
        """Take note of a probe's result; `fault` says why it failed, None that it did not."""
        self._last_probe_at = self._now()
        was_unhealthy = self._vitals.state is HealthState.UNHEALTHY
        self._take(after_probe(self._vitals, fault))
        if was_unhealthy and self._vitals.state is not HealthState.UNHEALTHY:
            self._breaker.end_wait()

    def watch(self, on_suspicion: Callable[[], None] | None) -> None:
        """From now on call `on_suspicion` when calls make the health worse."""
        self._on_suspicion = on_suspicion

    async def _insist(self, inquiry: Inquiry, effort: Effort) -> Inspection:
        """Attempt, and attempt again while that is allowed and useful."""
        retries = 0
        while True:
            try:
                if inquiry.hedge_after_s is None:
                    return await self._attempts.make(inquiry, effort)
                return await hedged(
                    self._attempts.make(inquiry, effort),
                    inquiry.hedge_after_s,
                    lambda: self._second(inquiry, effort),
                    self._losers,
                )
            except Refused:
                raise
            except NoAnswer as fault:
                wait_s = self._wait_s(fault, inquiry, retries)
                if wait_s is None:
                    raise
            self._retries += 1
            retries += 1
            await asyncio.sleep(wait_s)

    def _wait_s(self, fault: NoAnswer, inquiry: Inquiry, retries: int) -> float | None:
        """Seconds to wait before another retry after so many; None if there should be none."""
        if not fault.retryable or retries >= inquiry.retries or self._breaker.refusal_s() is not None:
            return None
        wait_s = self._backoff.wait_s(retries, self._draw(), fault.retry_after_s)
        if not self._attempts.is_room(inquiry, wait_s) or not self._budget.spend(self._clock()):
            return None
        return wait_s

    def _second(self, inquiry: Inquiry, effort: Effort) -> Coroutine[Any, Any, Inspection] | None:
        """The attempt besides a slow one, unless it is plain that there can be none."""
        if self._breaker.state is not BreakerState.CLOSED or not self._attempts.is_room(inquiry):
            return None
        return self._besides(inquiry, effort) if self._places.is_free else None

    async def _besides(self, inquiry: Inquiry, effort: Effort) -> Inspection:
        """It does not wait: `Refused` if there is no place or no budget for it."""
        if not self._places.is_free or not self._budget.spend(self._clock()):
            raise Refused("there is no room for a second attempt", OVERLOADED)
        self._hedges += 1
        effort.hedged = True
        return await self._attempts.make(inquiry, effort)

    def _notes(self, effort: Effort) -> Mapping[str, str | bool | int | float]:
        state = self._breaker.state
        if effort.attempts == 1 and state is BreakerState.CLOSED and not effort.hedged and not effort.queued_s:
            return _AT_ONCE
        notes: dict[str, str | bool | int | float] = {"attempts": effort.attempts, "breaker": state.value}
        if effort.hedged:
            notes["hedged"] = True
        if effort.queued_s > 0:
            notes["queued_ms"] = round(effort.queued_s * 1e3, 3)
        return notes

    def _note_call(self, fault: str | None) -> None:
        vitals = after_call(self._vitals, fault)
        if vitals is self._vitals:
            return
        worse = fault is not None and vitals.state is not self._vitals.state
        self._take(vitals)
        if worse and self._on_suspicion is not None:
            self._on_suspicion()

    def _take(self, vitals: Vitals) -> None:
        before, self._vitals = self._vitals, vitals
        if vitals.state is not before.state and self._on_change is not None:
            self._on_change("health", vitals.state.value, vitals.reason)

    def _on_breaker(self, state: BreakerState) -> None:
        self._attempts.breaker_changed(state)
        if self._on_change is not None:
            failures = self._breaker.failures
            self._on_change("breaker", state.value, f"{failures} failures in a row" if failures else "")
