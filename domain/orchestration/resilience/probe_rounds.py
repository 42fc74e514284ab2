"""Asks every remote detector for signs of life, over and over, in one background task for all."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Protocol

from llama_mapper.domain.orchestration.health import PROBE_LIMIT_S, Vitals, probe_wait_s, soonest_s
from llama_mapper.domain.orchestration.ports import NoAnswer

_GRACE_S = 1.0


class Probed(Protocol):
    """What the rounds visit."""

    @property
    def vitals(self) -> Vitals:
        """What is known of its health."""
        ...

    @property
    def probe_interval_s(self) -> float:
        """Seconds between two probes while it is healthy."""
        ...

    async def probe(self) -> None:
        """Ask once for a sign of life; raise `NoAnswer` where there is none."""
        ...

    def note_probe(self, fault: str | None) -> None:
        """Take note of the result; `fault` says why there was no sign."""
        ...

    def watch(self, on_suspicion: Callable[[], None] | None) -> None:
        """Call `on_suspicion` when there is reason to probe soon."""
        ...


@dataclass(slots=True, eq=False)
class _Visit:
    """When a detector is next attended to, and the probe that runs now."""

    detector: Probed
    due: float
    began: float = -math.inf
    task: asyncio.Task[None] | None = None
    given_up: bool = False


class ProbeRounds:
    """Visits the detectors that it follows, at the times that `health.probe_wait_s` gives.

    A detector has one probe at a time. One without an answer after `limit_s` seconds has failed and is cancelled; if it
    runs on nevertheless, no other is begun, and each further visit is a failure. Detectors do not wait for each other.
    """

    def __init__(
        self,
        *,
        limit_s: float = PROBE_LIMIT_S,
        clock: Callable[[], float] = monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._draw = draw
        self._visits: dict[int, _Visit] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def follow(self, detectors: Iterable[Probed]) -> None:
        """From now on visit these and no others. New ones are due within a second; known ones keep their times."""
        wanted = {id(detector): detector for detector in detectors}
        for key in [key for key in self._visits if key not in wanted]:
            visit = self._visits.pop(key)
            visit.detector.watch(None)
            self._end(visit)
        for key, detector in wanted.items():
            if key not in self._visits:
                wait_s = self._draw() * soonest_s(detector.probe_interval_s)
                self._visits[key] = visit = _Visit(detector, self._clock() + wait_s)
                detector.watch(partial(self._hurry, visit))
        self._wake.set()

    async def start(self) -> None:
        """Begin; they start once, and after a stop again."""
        if self._task is None:
            self._task = asyncio.create_task(self._go_round(), name="probe-rounds")

    async def stop(self) -> None:
        """End the rounds and the probes that run. May be called again."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for visit in self._visits.values():
            visit.due = self._clock()
            self._end(visit)
        if self._ending:
            await asyncio.wait(self._ending, timeout=_GRACE_S)

    async def _go_round(self) -> None:
        while True:
            self._wake.clear()
            now = self._clock()
            for visit in self._visits.values():
                if visit.due <= now:
                    self._attend(visit, now)
            due = min((visit.due for visit in self._visits.values()), default=math.inf)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if due == math.inf else max(0.0, due - self._clock())):
                    await self._wake.wait()

    def _attend(self, visit: _Visit, now: float) -> None:
        if visit.task is None:
            visit.began, visit.due, visit.given_up = now, now + self._limit_s, False
            visit.task = asyncio.create_task(visit.detector.probe(), name="probe")
            visit.task.add_done_callback(partial(self._done, visit))
        elif not visit.given_up:
            visit.given_up = True
            visit.task.cancel()
            self._note(visit, f"no answer within {self._limit_s:g} s")
        else:
            self._note(visit, "an earlier probe does not end")

    def _done(self, visit: _Visit, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if visit.task is not task:
            return
        visit.task = None
        if visit.given_up:
            return
        if task.cancelled():
            self._note(visit, "cancelled")
        elif isinstance(error, NoAnswer):
            self._note(visit, str(error) or error.code)
        else:
            self._note(visit, None if error is None else type(error).__name__)
        self._wake.set()

    def _note(self, visit: _Visit, fault: str | None) -> None:
        visit.detector.note_probe(fault)
        interval_s = visit.detector.probe_interval_s
        visit.due = self._clock() + probe_wait_s(visit.detector.vitals, interval_s, self._draw())

    def _hurry(self, visit: _Visit) -> None:
        if visit.task is None:
            soonest = max(self._clock(), visit.began + soonest_s(visit.detector.probe_interval_s))
            visit.due = min(visit.due, soonest)
            self._wake.set()

    def _end(self, visit: _Visit) -> None:
        task, visit.task = visit.task, None
        if task is not None and not task.done():
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()
