"""Stages that rank as they are told, and a calibration in which every number is plain."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.calibration import Calibration, Combination, Weighing
from llama_mapper.domain.mapping.cascade.evidence import category_features, subcategory_features
from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking
from llama_mapper.domain.mapping.isotonic import Isotonic
from llama_mapper.domain.mapping.labels import LabelKey

_STRAIGHT = Isotonic((0.0, 1.0), (0.0, 1.0))


def plain_calibration(*combinations: tuple[MappingStage, ...]) -> Calibration:
    """The probability grows with each stage's score alone: 0 gives 2 %, 1 gives 98 %."""
    return Calibration("plain", {}, 39, tuple(_combination(stages) for stages in combinations))


def _combination(stages: tuple[MappingStage, ...]) -> Combination:
    share = 8.0 / len(stages)
    scores = [value for _ in stages for value in (share, 0.0, 0.0)]
    of_category = [-4.0, *scores, *[0.0] * (category_features(len(stages)) - len(scores))]
    within = [-4.0, *scores, *[0.0] * (subcategory_features(len(stages)) - len(scores))]
    weighing = Weighing(tuple(of_category), _STRAIGHT)
    return Combination(stages, weighing, weighing, Weighing(tuple(within), _STRAIGHT))


class ToldStage:
    """Ranks each label as `rankings` says; any other label gets none. Remembers what it was asked."""

    def __init__(
        self,
        stage: MappingStage,
        rankings: Mapping[str, Sequence[tuple[str, float]]],
        *,
        fault: str | None = None,
        error: Exception | None = None,
        hangs: bool = False,
    ) -> None:
        self.stage = stage
        self.version = "told-1"
        self.asked: list[list[str]] = []
        self._rankings = rankings
        self._fault = fault
        self._error = error
        self._hangs = hangs

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        self.asked.append([key.label for key in labels])
        if self._hangs:
            await asyncio.sleep(3600)
        if self._error is not None:
            raise self._error
        return [
            Ranking(
                tuple(Candidate(canonical, score) for canonical, score in self._rankings.get(key.label, ())),
                self._fault,
                10,
                2,
            )
            for key in labels
        ]


def key(label: str, vendor: str = "acme") -> LabelKey:
    return LabelKey(vendor, None, label)
