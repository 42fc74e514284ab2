"""Stages and their combination as methods that an evaluation can put to the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.calibration import Calibration
from llama_mapper.domain.mapping.cascade.decision import Judgement, decide, judge
from llama_mapper.domain.mapping.cascade.families import VendorFamilies
from llama_mapper.domain.mapping.cascade.fitting import AskedToLearn, fit_calibration
from llama_mapper.domain.mapping.cascade.hints import hint_of
from llama_mapper.domain.mapping.cascade.judging import identities_of, judged_together, told_by
from llama_mapper.domain.mapping.cascade.ports import CandidateStage, Ranking
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTerms:
    """How stages that ask a model take part. About how many labels they are asked when a trial learns; None: all.

    They are asked only where the others leave a label less sure than `below`; None: about every label. Stages that are
    not `weighed` only say among what the model chooses; None: all are weighed.
    """

    labels: int | None = None
    below: float | None = None
    weighed: frozenset[MappingStage] | None = None


_Row = dict[MappingStage, Ranking]


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
        models: ModelTerms = ModelTerms(),
    ) -> None:
        self.name = name
        self._factory = stages
        self._families = families
        self._number = number_of_categories
        self._company = company
        self._unrelated = tuple(unrelated)
        self._models = models
        self._stages: Sequence[CandidateStage] = ()
        self._calibration = Calibration("none", {}, number_of_categories)

    @property
    def version(self) -> str:
        """What exactly the stages that ask a model asked; empty without such."""
        return ", ".join(stage.version for stage in self._stages if isinstance(stage, AskedToLearn))

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
            models_asked=self._models.labels,
            weighed=self._models.weighed,
        )

    async def answer(self, labels: Sequence[LabelKey]) -> Sequence[TriedAnswer]:
        """One answer a label, in order."""
        rows: list[_Row] = [{} for _ in labels]
        for stage in self._stages:
            if not isinstance(stage, AskedToLearn):
                for row, ranking in zip(rows, await stage.rank(labels, within_s=_ANSWERING_S), strict=True):
                    row[stage.stage] = ranking
        models = [stage for stage in self._stages if isinstance(stage, AskedToLearn)]
        for stage in models:
            await self._ask(stage, labels, rows, await self._unsure(labels, rows))
        return [
            TriedAnswer(
                judgement,
                sum(ranking.prompt_tokens for ranking in row.values()),
                sum(ranking.completion_tokens for ranking in row.values()),
            )
            for judgement, row in zip(await self._judged(labels, rows), rows, strict=True)
        ]

    async def _ask(
        self, model: AskedToLearn, labels: Sequence[LabelKey], rows: Sequence[_Row], numbers: Collection[int]
    ) -> None:
        if not numbers:
            return
        hints = [hint_of(rows[number].values()) for number in numbers]
        asked = [labels[number] for number in numbers]
        rankings = await model.rank(asked, within_s=_ANSWERING_S, hints=hints)
        for number, ranking in zip(numbers, rankings, strict=True):
            rows[number][model.stage] = ranking

    async def _unsure(self, labels: Sequence[LabelKey], rows: Sequence[_Row]) -> Sequence[int]:
        below = self._models.below
        if below is None:
            return range(len(labels))
        judgements = await self._judged(labels, rows)
        return [number for number, one in enumerate(judgements) if decide(one, below).canonical is None]

    async def _judged(self, labels: Sequence[LabelKey], rows: Sequence[_Row]) -> list[Judgement]:
        weighed = self._models.weighed
        if weighed is not None:
            rows = [{stage: ranking for stage, ranking in row.items() if stage in weighed} for row in rows]
        if self._company:
            return await judged_together(labels, rows, self._calibration)
        return [judge(told_by(row), self._calibration, identities=identities_of(row)) for row in rows]
