"""Stages and their combination as methods that an evaluation can put to the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from llama_mapper.domain.mapping.cascade.calibration import Calibration
from llama_mapper.domain.mapping.cascade.decision import Judgement, judge
from llama_mapper.domain.mapping.cascade.families import VendorFamilies
from llama_mapper.domain.mapping.cascade.fitting import fit_calibration
from llama_mapper.domain.mapping.cascade.judging import judged_together
from llama_mapper.domain.mapping.cascade.ports import CandidateStage
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

StagesFactory = Callable[[Sequence[KnownLabel]], Awaitable[Sequence[CandidateStage]]]
"""Makes the stages that know these labels and no others, ready to rank."""

_ANSWERING_S = 600.0


@dataclass(frozen=True, slots=True)
class TriedAnswer:
    """What a method says of one label, and what it cost. `judgement` has both levels, before any threshold.

    As one answer it is the likeliest label of the likeliest category. Evaluations ask first whether the category is
    right, so `confidence` is that of the category; the label's own is in the judgement.
    """

    judgement: Judgement
    prompt_tokens: int
    completion_tokens: int

    @property
    def canonical(self) -> str | None:
        """The likeliest label; None where no stage had an idea."""
        return self.judgement.subcategory

    @property
    def confidence(self) -> float:
        """That the category of `canonical` is right."""
        return self.judgement.category_confidence

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Further labels that might be right, likeliest first."""
        return tuple(one.canonical for one in self.judgement.others)


class CascadeTrial:
    """Stages that know only the labels given last, weighed by what those labels alone teach.

    `company` says whether the labels of a vendor inform each other, as in the product; a stage put to the test by
    itself does without.
    """

    def __init__(
        self,
        name: str,
        stages: StagesFactory,
        families: VendorFamilies,
        number_of_categories: int,
        *,
        company: bool = True,
        unrelated: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._factory = stages
        self._families = families
        self._number = number_of_categories
        self._company = company
        self._unrelated = tuple(unrelated)
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
            unrelated=self._unrelated,
        )

    async def answer(self, labels: Sequence[LabelKey]) -> Sequence[TriedAnswer]:
        """One answer a label, in order."""
        columns = [(stage.stage, await stage.rank(labels, within_s=_ANSWERING_S)) for stage in self._stages]
        rows = [{name: column[number] for name, column in columns} for number in range(len(labels))]
        if self._company:
            judgements = await judged_together(labels, rows, self._calibration)
        else:
            ranked = [{name: one.candidates for name, one in row.items() if one.fault is None} for row in rows]
            judgements = [judge(one, self._calibration) for one in ranked]
        return [
            TriedAnswer(
                judgement,
                sum(ranking.prompt_tokens for ranking in row.values()),
                sum(ranking.completion_tokens for ranking in row.values()),
            )
            for judgement, row in zip(judgements, rows, strict=True)
        ]
