"""A detector that does what a test tells it, and a guard around it on a clock of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from llama_mapper.domain.contracts.detectors import ResilienceTerms
from llama_mapper.domain.kernel.breakers import BreakerBoard
from llama_mapper.domain.orchestration.ports import (
    DetectorDescriptor,
    DetectorFailed,
    DetectorUnavailable,
    Inquiry,
    Inspection,
    RawFinding,
)
from llama_mapper.domain.orchestration.resilience.guard import GuardedDetector

Clock = Callable[[], float]
Behaviour = Callable[[Inquiry], Awaitable[Inspection]]

ANSWER = Inspection((RawFinding("toxic", 0.9),), "en")


async def answers(_: Inquiry) -> Inspection:
    """The answer at once."""
    return ANSWER


def after(seconds: float, then: Behaviour = answers) -> Behaviour:
    """What `then` does, later."""

    async def behave(inquiry: Inquiry) -> Inspection:
        await asyncio.sleep(seconds)
        return await then(inquiry)

    return behave


def failing(code: str = "BROKEN", *, retryable: bool = True, retry_after_s: float | None = None) -> Behaviour:
    """A failure at once."""

    async def behave(_: Inquiry) -> Inspection:
        raise DetectorFailed("it failed", code, retryable=retryable, retry_after_s=retry_after_s)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One after the other, then the last one for ever."""
    left = list(behaviours)

    async def behave(inquiry: Inquiry) -> Inspection:
        return await (left.pop(0) if len(left) > 1 else left[0])(inquiry)

    return behave


class RemoteDetector:
    """Counts what reaches it and does what `behave` says; its probes fail while `probe_fault` says why."""

    readiness: str | None = None

    def __init__(self, behave: Behaviour = answers, name: str = "remote") -> None:
        self.descriptor = DetectorDescriptor(name, "acme", "1", (), (), (), 0.0, remote=True)
        self.behave = behave
        self.asked = self.running = self.peak = self.probes = self.probing = 0
        self.probe_fault: str | None = None
        self.probe_takes_s = 0.0

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """See `Detector.inspect`."""
        self.asked += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            return await self.behave(inquiry)
        finally:
            self.running -= 1

    async def probe(self) -> None:
        """See `ProbedDetector.probe`."""
        assert not self.probing, "two probes at once"
        self.probes += 1
        self.probing += 1
        try:
            await asyncio.sleep(self.probe_takes_s)
            if self.probe_fault is not None:
                raise DetectorUnavailable(self.probe_fault)
        finally:
            self.probing -= 1


def guard_of(
    detector: RemoteDetector,
    clock: Clock,
    *,
    timeout_s: float = 2.0,
    draw: float = 0.5,
    board: BreakerBoard | None = None,
    **terms: Any,
) -> GuardedDetector:
    """A guard on these terms; `draw` is every random number."""
    return GuardedDetector(
        detector, ResilienceTerms(**terms), timeout_s=timeout_s, clock=clock, draw=lambda: draw, board=board
    )
