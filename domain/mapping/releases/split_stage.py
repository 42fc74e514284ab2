"""A stage of the cascade that several versions share, as the releases under way say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.releases import TrafficUnit, VariantKind
from llama_mapper.domain.mapping.cascade.ports import CandidateStage, Ranking
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.releases.router import ReleaseRouter
from llama_mapper.domain.mapping.releases.routing import Assignment, LiveRelease, Served, Variant, served_now
from llama_mapper.domain.mapping.releases.states import BASELINE
from llama_mapper.domain.mapping.releases.tally import Outcome

StageOf = Callable[[Variant], CandidateStage | None]
"""The stage that runs a version; None for one that this process does not have."""

Answer = Callable[[Ranking], str | None]
"""The canonical label that a ranking comes to; None for an abstention."""

BESIDE = 8
"""Calls in the background at one time; what would be one more is left out."""

INVALID = "invalid_answer"
"""The fault of a ranking whose model broke the schema. Any other fault is a failure of the request."""

_UNAVAILABLE = "variant_unavailable"
_FAILED = "variant_failed"


def first_candidate(ranking: Ranking) -> str | None:
    """The best candidate, whatever its score."""
    return ranking.candidates[0].canonical if ranking.candidates else None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one arm made of its labels."""

    rankings: Sequence[Ranking]
    latency_ms: float | None
    failed: bool


class SplitStage:
    """Asks for each label the version that its release assigns, and counts what becomes of it.

    Without a release it passes on to the version in force; `usual` answers where the version in force, or the one on
    trial, does not run here or raises an error. A version on trial that does so is counted as failed.

    What runs in the background (shadow versions; the baseline, to learn agreement) starts after the answer is known,
    has its time, and is left out while `beside` such calls run. It holds no caller up and its errors reach nobody.
    """

    def __init__(
        self,
        kind: VariantKind,
        router: ReleaseRouter,
        stage_of: StageOf,
        usual: CandidateStage,
        *,
        answer: Answer = first_candidate,
        beside: int = BESIDE,
    ) -> None:
        self._kind = kind
        self._router = router
        self._stage_of = stage_of
        self._usual = usual
        self._answer = answer
        self._beside = beside
        self._tasks: set[asyncio.Task[None]] = set()
        self._missing: Variant | None = None
        self.left_out = 0

    @property
    def stage(self) -> MappingStage:
        """See `CandidateStage.stage`."""
        return self._usual.stage

    @property
    def version(self) -> str:
        """The version in force, and those that answer parts of the traffic beside it."""
        route = self._router.route(self._kind)
        live = route.answering
        if live is None:
            return self._stage_for(route.usual.variant).version
        arms = [f"{arm.variant.version}" for arm in live.arms.values() if arm.variant is not None]
        return "|".join([self._stage_for(live.baseline.variant).version, *arms])[:128]

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """See `CandidateStage.rank`."""
        route = self._router.route(self._kind)
        live, shadow = route.answering, route.shadow
        if live is None and shadow is None:
            return await self._stage_for(route.usual.variant).rank(labels, within_s=within_s)
        served = served_now()
        groups: dict[Assignment, list[int]] = {}
        if live is None:
            groups[route.usual] = list(range(len(labels)))
        else:
            for index, unit in enumerate(_units(live, labels, served)):
                groups.setdefault(route.assign(served.tenant_id, unit), []).append(index)
        until = perf_counter() + within_s
        asked = await asyncio.gather(
            *(self._ask(at, [labels[index] for index in indexes], within_s, until) for at, indexes in groups.items())
        )
        rankings: list[Ranking] = [Ranking()] * len(labels)
        for indexes, answers in zip(groups.values(), asked, strict=True):
            for index, ranking in zip(indexes, answers.rankings, strict=True):
                rankings[index] = ranking
        if live is not None:
            for at, indexes in groups.items():
                if at.arm in live.arms and at.release_id is not None:
                    self._compare(live, at, labels, rankings, indexes, served, within_s)
        if shadow is not None and shadow.takes_part(served.tenant_id):
            self._shadow(shadow, labels, rankings, asked, served, within_s)
        return rankings

    async def close(self) -> None:
        """End what runs in the background."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until nothing runs in the background any more."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stage_for(self, variant: Variant | None) -> CandidateStage:
        stage = self._stage_on_trial(variant)
        self._missing = variant if stage is None else None
        return self._usual if stage is None else stage

    def trouble(self) -> str | None:
        """Why the version in force does not answer here, as of the last request; None if it does."""
        missing = self._missing
        return None if missing is None else f"the {missing.kind} {missing.version} is in force and does not run here"

    def _stage_on_trial(self, variant: Variant | None) -> CandidateStage | None:
        return None if variant is None else self._stage_of(variant)

    async def _ask(self, at: Assignment, labels: Sequence[LabelKey], within_s: float, until: float) -> _Asked:
        """The arm's rankings, counted; those of `usual` where the arm has none."""
        is_on_trial = at.release_id is not None and at.arm != BASELINE
        stage = self._stage_on_trial(at.variant) if is_on_trial else self._stage_for(at.variant)
        asked = await self._tried(stage, labels, within_s)
        self._router.record(at, self._outcome(asked, len(labels)))
        if asked.latency_ms is None and stage is not self._usual:
            left_s = max(0.0, until - perf_counter())
            return _Asked(await self._usual.rank(labels, within_s=left_s), None, True)
        return asked

    async def _tried(self, stage: CandidateStage | None, labels: Sequence[LabelKey], within_s: float) -> _Asked:
        if stage is None:
            return _Asked([Ranking(fault=_UNAVAILABLE)] * len(labels), None, True)
        began = perf_counter()
        try:
            rankings = await stage.rank(labels, within_s=within_s)
        except Exception:  # a version on trial may do anything; what it did is counted, and the label answered
            return _Asked([Ranking(fault=_FAILED)] * len(labels), None, True)
        if len(rankings) != len(labels):
            return _Asked([Ranking(fault=_FAILED)] * len(labels), None, True)
        failed = any(ranking.fault is not None and ranking.fault != INVALID for ranking in rankings)
        return _Asked(rankings, (perf_counter() - began) * 1e3, failed)

    def _outcome(self, asked: _Asked, labels: int) -> Outcome:
        rankings = asked.rankings
        return Outcome(
            labels=labels,
            failed=asked.failed,
            invalid=sum(ranking.fault == INVALID for ranking in rankings),
            abstained=sum(self._answer(ranking) is None for ranking in rankings),
            latency_ms=asked.latency_ms,
            tokens=sum(ranking.prompt_tokens + ranking.completion_tokens for ranking in rankings),
        )

    def _compare(
        self,
        live: LiveRelease,
        at: Assignment,
        labels: Sequence[LabelKey],
        rankings: Sequence[Ranking],
        indexes: Sequence[int],
        served: Served,
        within_s: float,
    ) -> None:
        """Ask the baseline too for some of what another version answered."""
        units = _units(live, labels, served)
        chosen = [index for index in indexes if live.is_compared(served.tenant_id, units[index])]
        stage = self._stage_for(live.baseline.variant)
        if chosen:
            answers = [self._answer(rankings[index]) for index in chosen]
            self._start(self._learn_agreement(at, stage, [labels[index] for index in chosen], answers, within_s))

    async def _learn_agreement(
        self,
        at: Assignment,
        stage: CandidateStage,
        labels: Sequence[LabelKey],
        answers: Sequence[str | None],
        within_s: float,
    ) -> None:
        asked = await self._tried(stage, labels, within_s)
        if not asked.failed:
            agreed = self._agreed(asked, answers)
            self._router.record(at, Outcome(labels=0, compared=len(labels), agreed=agreed))

    def _shadow(
        self,
        shadow: LiveRelease,
        labels: Sequence[LabelKey],
        rankings: Sequence[Ranking],
        asked: Sequence[_Asked],
        served: Served,
        within_s: float,
    ) -> None:
        """Count what answered as the shadow's baseline, and ask the shadow versions."""
        latencies = [each.latency_ms for each in asked if each.latency_ms is not None]
        answered = _Asked(rankings, max(latencies, default=None), any(each.failed for each in asked))
        self._router.record(shadow.baseline, self._outcome(answered, len(labels)))
        groups: dict[Assignment, list[int]] = {}
        for index, unit in enumerate(_units(shadow, labels, served)):
            arm = shadow.arm_for(served.tenant_id, unit)
            if arm is not None:
                groups.setdefault(arm, []).append(index)
        for at, indexes in groups.items():
            answers = [self._answer(rankings[index]) for index in indexes]
            self._start(self._run_shadow(at, [labels[index] for index in indexes], answers, within_s))

    async def _run_shadow(
        self, at: Assignment, labels: Sequence[LabelKey], answers: Sequence[str | None], within_s: float
    ) -> None:
        asked = await self._tried(self._stage_on_trial(at.variant), labels, within_s)
        self._router.record(at, self._outcome(asked, len(labels)))
        if not asked.failed:
            agreed = self._agreed(asked, answers)
            self._router.record(at, Outcome(labels=0, compared=len(labels), agreed=agreed))

    def _agreed(self, asked: _Asked, answers: Sequence[str | None]) -> int:
        pairs = zip(asked.rankings, answers, strict=True)
        return sum(self._answer(ranking) == answer for ranking, answer in pairs)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._tasks) >= self._beside:
            self.left_out += 1
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _units(live: LiveRelease, labels: Sequence[LabelKey], served: Served) -> list[str]:
    """What each label is assigned by. Labels are not kept: they only decide."""
    if live.unit is TrafficUnit.REQUEST:
        return [served.request_key] * len(labels)
    return [f"{key.vendor}\x00{key.label}" for key in labels]
