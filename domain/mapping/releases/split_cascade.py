"""The cascade under the strategy that a release assigns."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from llama_mapper.domain.contracts.mapping import MappingStage, MappingStrategy
from llama_mapper.domain.contracts.releases import VariantKind
from llama_mapper.domain.mapping.cascade.cascade import (
    BUDGET_USED_UP,
    Cascade,
    CascadeAnswer,
    CascadeAnswers,
    CascadeTerms,
    StageUse,
)
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.releases.router import ReleaseRouter
from llama_mapper.domain.mapping.releases.routing import Variant
from llama_mapper.domain.mapping.releases.split_traffic import BESIDE, Answered, Reading, SplitTraffic


@dataclass(frozen=True, slots=True)
class ReleasedStrategy:
    """A strategy, and the least confidence that an answer needs under it; None: what holds otherwise."""

    strategy: MappingStrategy
    min_confidence: float | None = None


def strategy_of(version: str) -> ReleasedStrategy | None:
    """The strategy of a version's text: `model-first`, or with its least confidence `cascade@0.8`; None if it is none.

    The confidence lies between 0 and 1.
    """
    name, at, number = version.partition("@")
    try:
        least = float(number) if at else None
        strategy = MappingStrategy(name)
    except ValueError:
        return None
    if least is not None and not (isfinite(least) and 0.0 <= least <= 1.0):
        return None
    return ReleasedStrategy(strategy, least)


class SplitCascade:
    """Answers as `Cascade` does; where a call names no strategy, by the one that the release assigns to each label.

    Calls that name one are no part of any release. See `SplitTraffic`.
    """

    def __init__(self, cascade: Cascade, router: ReleaseRouter, *, beside: int = BESIDE) -> None:
        self._cascade = cascade
        reading: Reading[CascadeAnswer] = Reading(lambda answer: answer.decision.canonical, _never, _is_failed)
        self._traffic = SplitTraffic(VariantKind.STRATEGY, router, reading, beside=beside)

    @property
    def terms(self) -> CascadeTerms:
        """Those of the cascade."""
        return self._cascade.terms

    @property
    def left_out(self) -> int:
        """Calls in the background that were one too many."""
        return self._traffic.left_out

    async def answer(
        self,
        labels: Sequence[LabelKey],
        *,
        strategy: MappingStrategy | None = None,
        min_confidence: float | None = None,
        thresholds: Mapping[MappingStage, float] | None = None,
        ask_models: bool = True,
        offline: bool = False,
    ) -> CascadeAnswers:
        """See `Cascade.answer`; a `min_confidence` of the call stands above that of the strategy released."""
        asking = _Asking(self._cascade, labels, min_confidence, thresholds, ask_models, offline)
        route = self._traffic.route
        if strategy is not None:
            return await asking.asked(ReleasedStrategy(strategy), labels)
        if route.answering is None and route.shadow is None:
            variant = route.usual.variant
            return await asking.asked(None if variant is None else strategy_of(variant.version), labels)
        answers, _ = await self._traffic.answer(labels, asking)
        return CascadeAnswers(tuple(answers), tuple(asking.used))

    async def close(self) -> None:
        """End what runs in the background."""
        await self._traffic.close()

    async def settle(self) -> None:
        """Wait until nothing runs in the background any more."""
        await self._traffic.settle()

    def trouble(self) -> str | None:
        """Why the strategy in force is not followed; None if it is."""
        variant = self._traffic.route.usual.variant
        if variant is None or strategy_of(variant.version) is not None:
            return None
        return f"the strategy {variant.version} is in force and is none"


@dataclass(frozen=True, slots=True)
class _Asking:
    """One call's labels and terms; `used` are the stages that took part in what is answered."""

    cascade: Cascade
    labels: Sequence[LabelKey]
    min_confidence: float | None
    thresholds: Mapping[MappingStage, float] | None
    ask_models: bool
    offline: bool
    used: list[StageUse] = field(default_factory=list)

    def version(
        self, variant: Variant, indexes: Sequence[int], *, beside: bool = False
    ) -> Awaitable[Answered[CascadeAnswer]] | None:
        """See `Asking.version`."""
        released = strategy_of(variant.version)
        return None if released is None else self._answered(released, indexes)

    def usual(self, indexes: Sequence[int]) -> Awaitable[Answered[CascadeAnswer]]:
        """See `Asking.usual`."""
        return self._answered(None, indexes)

    async def asked(self, released: ReleasedStrategy | None, labels: Sequence[LabelKey]) -> CascadeAnswers:
        least = self.min_confidence
        if least is None and released is not None:
            least = released.min_confidence
        strategy = None if released is None else released.strategy
        return await self.cascade.answer(
            labels,
            strategy=strategy,
            min_confidence=least,
            thresholds=self.thresholds,
            ask_models=self.ask_models,
            offline=self.offline,
        )

    async def _answered(self, released: ReleasedStrategy | None, indexes: Sequence[int]) -> Answered[CascadeAnswer]:
        found = await self.asked(released, [self.labels[index] for index in indexes])
        self.used.extend(found.used)
        tokens = sum(use.prompt_tokens + use.completion_tokens for use in found.used if use.stage is MappingStage.MODEL)
        return Answered(found.answers, tokens)


def _never(_: CascadeAnswer) -> bool:
    return False


def _is_failed(answer: CascadeAnswer) -> bool:
    if answer.decision.canonical is not None:
        return False
    return any(not fault.endswith(BUDGET_USED_UP) for fault in answer.faults)
