"""What part of what the policy required was really judged.

A requirement names a detector or a risk category. A detector is covered if it succeeded; a category if a succeeding
detector was asked to judge it. Skipped, late, failed and unavailable detectors cover nothing.

- `required_set`: covered requirements / requirements, each counting once.
- `weighted`: weight of the covered requirements / weight of all.
- `taxonomy`: as `weighted`, and every requirement is a risk category.

Where the plan names no requirements, they are its primary detectors (with their weights), or for `taxonomy` its
categories. With nothing required, coverage is 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from llama_mapper.domain.contracts.orchestration import (
    CoverageGap,
    CoverageMethod,
    CoverageReport,
    DetectorResult,
    DetectorStatus,
)
from llama_mapper.domain.orchestration.model import LanguageGaps, Plan

_ROUNDING = 1e-9  # a sum of weights that should reach the threshold exactly must not miss it by a rounding error


def requirements_of(plan: Plan) -> Mapping[str, float]:
    """The weight of every required detector or category. A monitored detector is never required."""
    if plan.coverage.requirements:
        required = plan.coverage.requirements
    elif plan.coverage.method is CoverageMethod.TAXONOMY:
        return dict.fromkeys(plan.categories, 1.0)
    else:
        required = {name: plan.terms[name].weight for name in plan.primary}
    if not plan.monitored:
        return required
    return {subject: weight for subject, weight in required.items() if subject not in plan.monitored}


def measure_coverage(results: Sequence[DetectorResult], plan: Plan) -> CoverageReport:
    """Coverage of `results`, with every gap named. A detector is covered by its substitute's success too.

    A detector that is not made for the content's language is always named as a gap where it was required, or the
    only one to judge a required category; it lowers coverage only where the plan says so.
    """
    terms = plan.coverage
    by_name: dict[str, list[DetectorResult]] = {}
    for result in results:
        by_name.setdefault(result.detector, []).append(result)
        if result.substitute_for is not None:
            by_name.setdefault(result.substitute_for, []).append(result)
    lowers = terms.language_gaps is LanguageGaps.LOWER_COVERAGE
    requirements = requirements_of(plan)
    covered: list[float] = []
    total: list[float] = []
    gaps: list[CoverageGap] = []
    for subject, weight in requirements.items():
        share = 1.0 if terms.method is CoverageMethod.REQUIRED_SET else weight
        total.append(share)
        judges = [] if terms.method is CoverageMethod.TAXONOMY else by_name.get(subject, [])
        judges = judges or [each for each in results if subject in each.categories]
        succeeded = [each for each in judges if each.status is DetectorStatus.SUCCESS]
        at_home = any(each.language_supported is not False for each in succeeded)
        if succeeded and (at_home or not lowers):
            covered.append(share)
        if not at_home:
            gaps.append(CoverageGap(subject=subject, reason=_reason(judges, succeeded)))
    whole = math.fsum(total)
    achieved = min(1.0, math.fsum(covered) / whole) if whole > 0.0 else 1.0
    return CoverageReport(
        method=terms.method,
        achieved=achieved,
        threshold=terms.threshold,
        sufficient=achieved + _ROUNDING >= terms.threshold,
        gaps=tuple(gaps),
    )


def _reason(judges: Sequence[DetectorResult], succeeded: Sequence[DetectorResult]) -> str:
    if succeeded:
        return f"not made for the content's language: {', '.join(each.detector for each in succeeded)}"[:512]
    if judges:
        return ", ".join(f"{each.detector}: {each.status}" for each in judges)[:512]
    return "no selected detector judges it"
