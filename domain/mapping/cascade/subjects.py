"""Stages and their combination as methods that an evaluation can put to the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.calibration import Calibration
from llama_mapper.domain.mapping.cascade.decision import Judgement, company_of, judge
from llama_mapper.domain.mapping.cascade.families import VendorFamilies
from llama_mapper.domain.mapping.cascade.fitting import fit_calibration
from llama_mapper.domain.mapping.cascade.ports import CandidateStage, Ranking
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

StagesFactory = Callable[[Sequence[KnownLabel]], Awaitable[Sequence[CandidateStage]]]
"""Makes the stages that know these labels and no others, ready to rank."""

_ANSWERING_S = 600.0


@dataclass(frozen=True, slots=True)
class TriedAnswer:
    """What a method says of one label, and what it cost. `judgement` has both levels, before any threshold."""

    judgement: Judgement
    prompt_tokens: int
    completion_tokens: int


class CascadeTrial:
    """Stages that know only the labels given last, weighed by what those labels alone teach."""

    def __init__(self, stages: StagesFactory, families: VendorFamilies, number_of_categories: int) -> None:
        self._factory = stages
        self._families = families
        self._number = number_of_categories
        self._stages: Sequence[CandidateStage] = ()
        self._calibration = Calibration("none", {}, number_of_categories)

    async def fit(self, known: Sequence[KnownLabel], seed: int) -> None:
        """Forget everything; build the stages from these labels, and learn how far to trust them."""
        self._stages = await self._factory(known)
        self._calibration = await fit_calibration(
            self._stages,
            known,
            self._families,
            self._number,
            seed=seed,
            version="trial",
            fitted_on={},
            every_combination=False,
        )

    async def answer(self, labels: Sequence[LabelKey]) -> Sequence[TriedAnswer]:
        """One answer a label, in order; labels of one vendor are each other's context, as in a call."""
        columns = [(stage.stage, await stage.rank(labels, within_s=_ANSWERING_S)) for stage in self._stages]
        rows = [{name: column[number] for name, column in columns} for number in range(len(labels))]
        judgements = judged_together(labels, rows, self._calibration)
        return [
            TriedAnswer(
                judgement,
                sum(ranking.prompt_tokens for ranking in row.values()),
                sum(ranking.completion_tokens for ranking in row.values()),
            )
            for judgement, row in zip(judgements, rows, strict=True)
        ]


def judged_together(
    labels: Sequence[LabelKey],
    rows: Sequence[dict[MappingStage, Ranking]],
    calibration: Calibration,
    known_of: Callable[[str], dict[str, float]] = lambda _: {},
) -> list[Judgement]:
    """Judge each label alone, then again in the company of its vendor's other labels and of those known before.

    `known_of` gives, for a vendor, how many known labels it has in each category.
    """
    rankings = [
        {name: ranking.candidates for name, ranking in row.items() if ranking.fault is None} for row in rows
    ]
    alone = [judge(one, calibration) for one in rankings]
    by_vendor: dict[str, list[tuple[int, Judgement]]] = {}
    for number, key in enumerate(labels):
        by_vendor.setdefault(key.vendor, []).append((number, alone[number]))
    judgements = list(alone)
    for vendor, numbered in by_vendor.items():
        for number, context in company_of(numbered, known_of(vendor)).items():
            if context.categories and alone[number].category is not None:
                judgements[number] = judge(rankings[number], calibration, context)
    return judgements
