"""A stage of the cascade that several versions share, as the releases under way say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.releases import VariantKind
from llama_mapper.domain.mapping.cascade.ports import CandidateStage, HintedStage, Ranking, SharedStage
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.releases.router import ReleaseRouter
from llama_mapper.domain.mapping.releases.routing import Variant
from llama_mapper.domain.mapping.releases.split_traffic import BESIDE, Answered, Reading, SplitTraffic, grouped

StageOf = Callable[[Variant], CandidateStage | None]
"""The stage that runs a version; None for one that this process does not have."""

Answer = Callable[[Ranking], str | None]
"""The canonical label that a ranking comes to; None for an abstention."""

INVALID = "invalid_answer"
"""How the fault of a ranking ends whose model broke the schema. Any other fault is a failure of the request."""


def first_candidate(ranking: Ranking) -> str | None:
    """The best candidate, whatever its score."""
    return ranking.candidates[0].canonical if ranking.candidates else None


class SplitStage:
    """Keeps `SharedStage`: asks for each label the version that its release assigns, and counts what becomes of it.

    Without a release the version in force is asked; `usual` answers where that one does not run here. See
    `SplitTraffic`.
    """

    takes_hints: Literal[True] = True

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
        self._stage_of = stage_of
        self._usual = usual
        self._traffic = SplitTraffic(kind, router, Reading(answer, _is_invalid, _is_failed), beside=beside)

    @property
    def stage(self) -> MappingStage:
        """See `CandidateStage.stage`."""
        return self._usual.stage

    @property
    def version(self) -> str:
        """The version in force, and those that answer parts of the traffic beside it."""
        route = self._traffic.route
        live = route.answering
        if live is None:
            return self._stage_for(route.usual.variant).version
        arms = [f"{arm.variant.version}" for arm in live.arms.values() if arm.variant is not None]
        return "|".join([self._stage_for(live.baseline.variant).version, *arms])[:128]

    @property
    def epoch(self) -> str:
        """See `SharedStage.epoch`: the releases under way."""
        route = self._traffic.route
        own = "/".join(live.id for live in (route.answering, route.shadow) if live is not None)
        below = self._stage_for(route.usual.variant)
        return f"{own}+{below.epoch}" if isinstance(below, SharedStage) else own

    @property
    def left_out(self) -> int:
        """Calls in the background that were one too many."""
        return self._traffic.left_out

    def versions(self, labels: Sequence[LabelKey]) -> Sequence[str]:
        """See `SharedStage.versions`."""
        told = [""] * len(labels)
        for stage, indexes in self._shares(labels):
            if isinstance(stage, SharedStage):
                versions = stage.versions([labels[index] for index in indexes])
            else:
                versions = [stage.version] * len(indexes)
            for index, version in zip(indexes, versions, strict=True):
                told[index] = version
        return told

    def recall(self, labels: Sequence[LabelKey], rankings: Sequence[Ranking]) -> None:
        """See `SharedStage.recall`."""
        self._traffic.recall(labels, rankings)
        for stage, indexes in self._shares(labels):
            if isinstance(stage, SharedStage):
                stage.recall([labels[index] for index in indexes], [rankings[index] for index in indexes])

    async def rank(
        self, labels: Sequence[LabelKey], *, within_s: float, hints: Sequence[Ranking] = ()
    ) -> Sequence[Ranking]:
        """See `HintedStage.rank`. What did not come from the version assigned is not to be remembered."""
        asking = _Asking(self._stage_of, self._usual, labels, within_s, perf_counter() + within_s, hints)
        route = self._traffic.route
        if route.answering is None and route.shadow is None:
            return await asking.asked(self._stage_for(route.usual.variant), range(len(labels)), within_s)
        rankings, strangers = await self._traffic.answer(labels, asking)
        for index in strangers:
            rankings[index] = replace(rankings[index], lasting=False)
        return rankings

    async def close(self) -> None:
        """End what runs in the background."""
        await self._traffic.close()

    async def settle(self) -> None:
        """Wait until nothing runs in the background any more."""
        await self._traffic.settle()

    def trouble(self) -> str | None:
        """Why the version in force does not answer here; None if it does."""
        route = self._traffic.route
        variant = route.usual.variant if route.answering is None else route.answering.baseline.variant
        if variant is None or self._stage_of(variant) is not None:
            return None
        return f"the {variant.kind} {variant.version} is in force and does not run here"

    def _shares(self, labels: Sequence[LabelKey]) -> list[tuple[CandidateStage, list[int]]]:
        """Each stage that answers some of the labels, and their places."""
        groups = grouped(self._traffic.assignments(labels))
        return [(self._stage_for(at.variant), indexes) for at, indexes in groups.items()]

    def _stage_for(self, variant: Variant | None) -> CandidateStage:
        stage = None if variant is None else self._stage_of(variant)
        return self._usual if stage is None else stage


@dataclass(frozen=True, slots=True)
class _Asking:
    """One call's labels, time and hints."""

    stage_of: StageOf
    usually: CandidateStage
    labels: Sequence[LabelKey]
    within_s: float
    until: float
    hints: Sequence[Ranking]

    def version(
        self, variant: Variant, indexes: Sequence[int], *, beside: bool = False
    ) -> Awaitable[Answered[Ranking]] | None:
        """See `Asking.version`."""
        stage = self.stage_of(variant)
        if stage is None:
            return None
        return self._answered(stage, indexes, self.within_s if beside else self._left_s())

    def usual(self, indexes: Sequence[int]) -> Awaitable[Answered[Ranking]]:
        """See `Asking.usual`."""
        return self._answered(self.usually, indexes, self._left_s())

    async def asked(self, stage: CandidateStage, indexes: Sequence[int], within_s: float) -> Sequence[Ranking]:
        labels = [self.labels[index] for index in indexes]
        if isinstance(stage, HintedStage):
            hints = [self.hints[index] for index in indexes] if self.hints else ()
            return await stage.rank(labels, within_s=within_s, hints=hints)
        return await stage.rank(labels, within_s=within_s)

    def _left_s(self) -> float:
        return max(0.0, self.until - perf_counter())

    async def _answered(self, stage: CandidateStage, indexes: Sequence[int], within_s: float) -> Answered[Ranking]:
        rankings = await self.asked(stage, indexes, within_s)
        return Answered(rankings, sum(ranking.prompt_tokens + ranking.completion_tokens for ranking in rankings))


def _is_invalid(ranking: Ranking) -> bool:
    return ranking.fault is not None and ranking.fault.endswith(INVALID)


def _is_failed(ranking: Ranking) -> bool:
    return ranking.fault is not None and not ranking.fault.endswith(INVALID)


class NobodyStage:
    """Keeps `CandidateStage` where nobody can be asked: every label comes to the same fault."""

    def __init__(self, stage: MappingStage, fault: str) -> None:
        self._stage = stage
        self._fault = fault

    @property
    def stage(self) -> MappingStage:
        """See `CandidateStage.stage`."""
        return self._stage

    @property
    def version(self) -> str:
        """See `CandidateStage.version`."""
        return "nobody"

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """See `CandidateStage.rank`."""
        return [Ranking(fault=self._fault)] * len(labels)
