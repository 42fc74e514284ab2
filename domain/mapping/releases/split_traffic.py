"""Labels shared out among versions as the releases under way say, and what becomes of them counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Generic, Protocol, TypeVar

from llama_mapper.domain.contracts.releases import TrafficUnit, VariantKind
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.releases.router import ReleaseRouter
from llama_mapper.domain.mapping.releases.routing import Assignment, LiveRelease, Route, Served, Variant, served_now
from llama_mapper.domain.mapping.releases.states import BASELINE
from llama_mapper.domain.mapping.releases.tally import Outcome

A = TypeVar("A")

BESIDE = 8
"""Calls in the background at one time; what would be one more is left out."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[A]):
    """One answer a label, in order, and the tokens that they took."""

    answers: Sequence[A]
    tokens: int = 0


class Asking(Protocol[A]):
    """Asks versions about the labels at some places of a call."""

    def version(
        self, variant: Variant, indexes: Sequence[int], *, beside: bool = False
    ) -> Awaitable[Answered[A]] | None:
        """A version's answers; None if it does not run here. What runs `beside` the answer has time of its own."""
        ...

    def usual(self, indexes: Sequence[int]) -> Awaitable[Answered[A]]:
        """The answers of whoever answers where no version is named, or where the one in force does not run here."""
        ...


@dataclass(frozen=True, slots=True)
class Reading(Generic[A]):
    """How an answer is read: what it comes to (None: an abstention), whether it broke the schema, whether it could not
    be given."""

    canonical: Callable[[A], str | None]
    is_invalid: Callable[[A], bool]
    is_failed: Callable[[A], bool]


@dataclass(frozen=True, slots=True)
class _Asked(Generic[A]):
    """What one arm made of its labels; None if it made nothing."""

    answered: Answered[A] | None
    latency_ms: float | None
    failed: bool


@dataclass(frozen=True, slots=True)
class _Call(Generic[A]):
    """One call: its labels, how to ask about them, and for whom."""

    labels: Sequence[LabelKey]
    asking: Asking[A]
    served: Served


class SplitTraffic(Generic[A]):
    """Asks for each label the version that its release assigns, and counts what becomes of it.

    Labels that a version on trial fails on are asked of the baseline in its place, and the failure is counted; where
    the version in force does not run here, whoever usually answers is asked.

    What runs in the background (shadow versions; the baseline, to learn agreement) starts after the answer is known,
    and is left out while `beside` such calls run. It holds no caller up and its errors reach nobody.
    """

    def __init__(self, kind: VariantKind, router: ReleaseRouter, reading: Reading[A], *, beside: int = BESIDE) -> None:
        self._kind = kind
        self._router = router
        self._reading = reading
        self._beside = beside
        self._tasks: set[asyncio.Task[None]] = set()
        self.left_out = 0

    @property
    def route(self) -> Route:
        """What holds now."""
        return self._router.route(self._kind)

    def assignments(self, labels: Sequence[LabelKey]) -> list[Assignment]:
        """Which version answers each label, for whom labels are mapped now."""
        route = self.route
        if route.answering is None:
            return [route.usual] * len(labels)
        served = served_now()
        return [route.assign(served.tenant_id, unit) for unit in _units(route.answering, labels, served)]

    def recall(self, labels: Sequence[LabelKey], answers: Sequence[A]) -> None:
        """Count answers that were remembered from an earlier call: all but how long they took."""
        if self.route.answering is None:
            return
        for at, indexes in grouped(self.assignments(labels)).items():
            self._router.record(at, self._outcome(_Asked(Answered([answers[i] for i in indexes]), None, False), 0))

    async def answer(self, labels: Sequence[LabelKey], asking: Asking[A]) -> tuple[list[A], frozenset[int]]:
        """One answer a label, in order, and the places of those that did not come from the version assigned."""
        route = self.route
        live, shadow, served = route.answering, route.shadow, served_now()
        call = _Call(labels, asking, served)
        groups = grouped(self.assignments(labels))
        stable = None if live is None else live.baseline.variant
        asked = await asyncio.gather(*(self._arm(call, at, indexes, stable) for at, indexes in groups.items()))
        answers: dict[int, A] = {}
        strangers: list[int] = []
        for indexes, (found, not_its_own) in zip(groups.values(), asked, strict=True):
            answers.update(zip(indexes, found.answered.answers if found.answered else (), strict=True))
            strangers += not_its_own
        ordered = [answers[index] for index in range(len(labels))]
        if live is not None:
            for at, indexes in groups.items():
                if at.arm in live.arms and at.release_id is not None:
                    self._compare(live, at, call, ordered, indexes)
        if shadow is not None and shadow.takes_part(served.tenant_id):
            self._shadow(shadow, call, ordered, [found for found, _ in asked])
        return ordered, frozenset(strangers)

    async def close(self) -> None:
        """End what runs in the background."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until nothing runs in the background any more."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _arm(
        self, call: _Call[A], at: Assignment, indexes: Sequence[int], stable: Variant | None
    ) -> tuple[_Asked[A], Sequence[int]]:
        """The answers for an arm, counted, and the places of those that are not its own."""
        coming = None if at.variant is None else call.asking.version(at.variant, indexes)
        is_on_trial = at.release_id is not None and at.arm != BASELINE
        if coming is None and not is_on_trial:
            asked = await self._usual(call, indexes)
            self._router.record(at, self._outcome(asked, len(indexes)))
            return asked, ()
        asked = await self._tried(coming, len(indexes))
        self._router.record(at, self._outcome(asked, len(indexes)))
        if asked.answered is None:
            return await self._instead(call, indexes, stable if is_on_trial else None), indexes
        if not (is_on_trial and asked.failed):
            return asked, ()
        answers = list(asked.answered.answers)
        places = [place for place, answer in enumerate(answers) if self._reading.is_failed(answer)]
        instead = await self._instead(call, [indexes[place] for place in places], stable)
        for place, answer in zip(places, instead.answered.answers if instead.answered else (), strict=True):
            answers[place] = answer
        answered = Answered(answers, asked.answered.tokens)
        return _Asked(answered, asked.latency_ms, True), [indexes[place] for place in places]

    async def _instead(self, call: _Call[A], indexes: Sequence[int], stable: Variant | None) -> _Asked[A]:
        """The answers of the baseline where a version on trial has none, else those of whoever usually answers."""
        if stable is not None:
            asked = await self._tried(call.asking.version(stable, indexes), len(indexes))
            if asked.answered is not None:
                return asked
        return await self._usual(call, indexes)

    async def _usual(self, call: _Call[A], indexes: Sequence[int]) -> _Asked[A]:
        began = perf_counter()
        answered = await call.asking.usual(indexes)
        return _Asked(answered, (perf_counter() - began) * 1e3, any(map(self._reading.is_failed, answered.answers)))

    async def _tried(self, coming: Awaitable[Answered[A]] | None, labels: int) -> _Asked[A]:
        if coming is None:
            return _Asked(None, None, True)
        began = perf_counter()
        try:
            answered = await coming
        except Exception:  # a version on trial may do anything; what it did is counted, and the label answered
            return _Asked(None, None, True)
        if len(answered.answers) != labels:
            return _Asked(None, None, True)
        failed = any(map(self._reading.is_failed, answered.answers))
        return _Asked(answered, (perf_counter() - began) * 1e3, failed)

    def _outcome(self, asked: _Asked[A], labels: int) -> Outcome:
        answers = asked.answered.answers if asked.answered else ()
        return Outcome(
            labels=len(answers) or labels,
            failed=asked.failed,
            invalid=sum(map(self._reading.is_invalid, answers)),
            abstained=sum(self._reading.canonical(answer) is None for answer in answers) if answers else labels,
            latency_ms=asked.latency_ms,
            tokens=None if asked.latency_ms is None or asked.answered is None else asked.answered.tokens,
        )

    def _compare(
        self, live: LiveRelease, at: Assignment, call: _Call[A], answers: Sequence[A], indexes: Sequence[int]
    ) -> None:
        """Ask the baseline too for some of what another version answered."""
        units = _units(live, call.labels, call.served)
        chosen = [index for index in indexes if live.is_compared(call.served.tenant_id, units[index])]
        if chosen:
            self._start(self._learn_agreement(call, at, live.baseline.variant, answers, chosen, is_counted=False))

    def _shadow(self, shadow: LiveRelease, call: _Call[A], answers: Sequence[A], asked: Sequence[_Asked[A]]) -> None:
        """Count what answered as the shadow's baseline, and ask the shadow versions."""
        latencies = [each.latency_ms for each in asked if each.latency_ms is not None]
        tokens = sum(each.answered.tokens for each in asked if each.answered)
        answered = _Asked(Answered(answers, tokens), max(latencies, default=None), any(each.failed for each in asked))
        self._router.record(shadow.baseline, self._outcome(answered, len(answers)))
        groups: dict[Assignment, list[int]] = {}
        for index, unit in enumerate(_units(shadow, call.labels, call.served)):
            arm = shadow.arm_for(call.served.tenant_id, unit)
            if arm is not None:
                groups.setdefault(arm, []).append(index)
        for at, indexes in groups.items():
            self._start(self._learn_agreement(call, at, at.variant, answers, indexes, is_counted=True))

    async def _learn_agreement(
        self,
        call: _Call[A],
        at: Assignment,
        variant: Variant | None,
        given: Sequence[A],
        indexes: Sequence[int],
        *,
        is_counted: bool,
    ) -> None:
        """Ask a version what was answered already, and count for an arm how often both say the same."""
        coming = None if variant is None else call.asking.version(variant, indexes, beside=True)
        asked = await self._tried(coming, len(indexes))
        if is_counted:
            self._router.record(at, self._outcome(asked, len(indexes)))
        if asked.answered is not None and not asked.failed:
            read = self._reading.canonical
            pairs = zip(asked.answered.answers, (given[index] for index in indexes), strict=True)
            agreed = sum(read(one) == read(other) for one, other in pairs)
            self._router.record(at, Outcome(labels=0, compared=len(indexes), agreed=agreed))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._tasks) >= self._beside:
            self.left_out += 1
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def grouped(assignments: Sequence[Assignment]) -> Mapping[Assignment, list[int]]:
    """The places of each assignment."""
    groups: dict[Assignment, list[int]] = {}
    for index, at in enumerate(assignments):
        groups.setdefault(at, []).append(index)
    return groups


def _units(live: LiveRelease, labels: Sequence[LabelKey], served: Served) -> list[str]:
    """What each label is assigned by. Labels are not kept: they only decide."""
    if live.unit is TrafficUnit.REQUEST:
        return [served.request_key] * len(labels)
    return [f"{key.vendor}\x00{key.label}" for key in labels]
