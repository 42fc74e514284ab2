"""What a version is tried with before all traffic is switched to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from llama_mapper.domain.contracts.releases import ValidationCase, ValidationReport, VariantKind
from llama_mapper.domain.mapping.cascade.ports import CandidateStage
from llama_mapper.domain.mapping.labels import KnownLabel
from llama_mapper.domain.mapping.releases.ports import ValidationSuite
from llama_mapper.domain.mapping.releases.routing import Variant
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


class LabelSuite:
    """Known labels, of which the version must get `least` right (0 to 1) within `within_s` seconds in all."""

    def __init__(
        self,
        stage_of: StageOf,
        cases: Callable[[], Sequence[KnownLabel]],
        *,
        least: float,
        within_s: float,
        answer: Answer = first_candidate,
    ) -> None:
        self._stage_of = stage_of
        self._cases = cases
        self._least = least
        self._within_s = within_s
        self._answer = answer

    async def run(self, kind: VariantKind, version: str) -> ValidationReport:
        """See `ValidationSuite.run`. Of the cases that failed the first hundred are told."""
        stage: CandidateStage | None = self._stage_of(Variant(kind, version))
        cases = self._cases()
        if stage is None:
            return _not_tried("the version does not run here")
        if not cases:
            return _not_tried("there are no cases")
        try:
            rankings = await stage.rank([case.key for case in cases], within_s=self._within_s)
        except Exception as error:
            return _not_tried(f"the version failed: {type(error).__name__}")
        wrong = []
        for case, ranking in zip(cases, rankings, strict=True):
            answer = self._answer(ranking)
            if answer not in (case.canonical, *case.also):
                detail = f"{ranking.fault or answer or 'no answer'} instead of {case.canonical}"
                wrong.append(
                    ValidationCase(name=f"{case.key.vendor}: {case.key.label}"[:512], passed=False, detail=detail)
                )
        share = 1.0 - len(wrong) / len(cases)
        summary = ValidationCase(
            name="share of known labels", passed=share >= self._least, detail=f"{share:.4f}, at least {self._least:g}"
        )
        return ValidationReport(passed=summary.passed, cases=(summary, *wrong[:_FAILURES_TOLD]))


def _not_tried(why: str) -> ValidationReport:
    return ValidationReport(passed=False, cases=(ValidationCase(name="suite", passed=False, detail=why),))
