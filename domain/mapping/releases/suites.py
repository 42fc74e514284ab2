"""What a version is tried with before all traffic is switched to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.releases import ValidationCase, ValidationReport, VariantKind
from llama_mapper.domain.mapping.cascade.cascade import Cascade
from llama_mapper.domain.mapping.cascade.ports import Candidate, CandidateStage, HintedStage, Ranking
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.releases.ports import ValidationSuite
from llama_mapper.domain.mapping.releases.routing import Variant
from llama_mapper.domain.mapping.releases.split_cascade import ReleasedStrategy
from llama_mapper.domain.mapping.releases.split_stage import Answer, StageOf, first_candidate

_FAILURES_TOLD = 100


class SuitesByKind:
    """The suite of each kind. A kind without one cannot be validated, and so never switched."""

    def __init__(self, suites: Mapping[VariantKind, ValidationSuite]) -> None:
        self._suites = suites

    async def run(self, kind: VariantKind, version: str) -> ValidationReport:
        """See `ValidationSuite.run`."""
        suite = self._suites.get(kind)
        if suite is None:
            return _not_tried(f"this installation has no validation suite for a {kind}")
        return await suite.run(kind, version)


HintsOf = Callable[[Sequence[LabelKey]], Awaitable[Sequence[Ranking]]]
"""A ranking a label that the version may start from."""


class LabelSuite:
    """Known labels, of which the version must get the category of `least` right (0 to 1) within `within_s` seconds."""

    def __init__(
        self,
        stage_of: StageOf,
        cases: Callable[[], Sequence[KnownLabel]],
        *,
        least: float,
        within_s: float,
        answer: Answer = first_candidate,
        hints_of: HintsOf | None = None,
    ) -> None:
        self._stage_of = stage_of
        self._cases = cases
        self._least = least
        self._within_s = within_s
        self._answer = answer
        self._hints_of = hints_of

    async def run(self, kind: VariantKind, version: str) -> ValidationReport:
        """See `ValidationSuite.run`. Of the cases that failed the first hundred are told."""
        stage: CandidateStage | None = self._stage_of(Variant(kind, version))
        cases = self._cases()
        if stage is None:
            return _not_tried("the version does not run here")
        if not cases:
            return _not_tried("there are no cases")
        try:
            rankings = await self._ranked(stage, [case.key for case in cases])
        except Exception as error:
            return _not_tried(f"the version failed: {type(error).__name__}")
        wrong = []
        for case, ranking in zip(cases, rankings, strict=True):
            answer = self._answer(ranking)
            if answer is None or category_of(answer) not in map(category_of, (case.canonical, *case.also)):
                detail = f"{ranking.fault or answer or 'no answer'} instead of {case.canonical}"
                wrong.append(
                    ValidationCase(name=f"{case.key.vendor}: {case.key.label}"[:512], passed=False, detail=detail)
                )
        share = 1.0 - len(wrong) / len(cases)
        summary = ValidationCase(
            name="share of known labels", passed=share >= self._least, detail=f"{share:.4f}, at least {self._least:g}"
        )
        return ValidationReport(passed=summary.passed, cases=(summary, *wrong[:_FAILURES_TOLD]))

    async def _ranked(self, stage: CandidateStage, keys: Sequence[LabelKey]) -> Sequence[Ranking]:
        if self._hints_of is None or not isinstance(stage, HintedStage):
            return await stage.rank(keys, within_s=self._within_s)
        return await stage.rank(keys, within_s=self._within_s, hints=await self._hints_of(keys))


class StrategyStage:
    """Keeps `CandidateStage` over a whole cascade under one strategy, so that a suite can try it."""

    def __init__(self, cascade: Cascade, released: ReleasedStrategy) -> None:
        self._cascade = cascade
        self._released = released

    @property
    def stage(self) -> MappingStage:
        """That of an answer nobody asked for: `abstained`."""
        return MappingStage.ABSTAINED

    @property
    def version(self) -> str:
        """The strategy's name."""
        return self._released.strategy.value

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """The cascade's answers; labels that it abstains from have an empty ranking."""
        async with asyncio.timeout(within_s):
            found = await self._cascade.answer(
                labels, strategy=self._released.strategy, min_confidence=self._released.min_confidence
            )
        decisions = [answer.decision for answer in found.answers]
        return [
            Ranking() if each.canonical is None else Ranking((Candidate(each.canonical, each.confidence),))
            for each in decisions
        ]


def _not_tried(why: str) -> ValidationReport:
    return ValidationReport(passed=False, cases=(ValidationCase(name="suite", passed=False, detail=why),))
