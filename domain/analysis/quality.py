"""How far an analysis can be trusted, from what the detectors did; see `docs/risk.md`, section 'Quality'."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from math import fsum

from llama_mapper.domain.analysis.findings import Meanings
from llama_mapper.domain.contracts.analysis import AttributedFinding, QualityMetrics
from llama_mapper.domain.contracts.orchestration import OrchestrationResponse

QUALITY_WEIGHTS = {"coverage": 0.35, "answered": 0.25, "known": 0.25, "agreement": 0.15}
"""Of the four shares that make up the analysis quality score; they add up to 1."""

BANDS = ((0.2, "very_low"), (0.4, "low"), (0.6, "medium"), (0.8, "high"))
"""Upper end, exclusive, of each confidence band; from 0.8 up it is `very_high`."""

CALIBRATION_FINDINGS = 10
"""Contested findings that calibration wants before it says anything."""


def quality_metrics(
    response: OrchestrationResponse,
    findings: Sequence[AttributedFinding],
    meanings: Meanings,
    consistency: float | None,
) -> QualityMetrics:
    """Measure one analysis; `consistency` is that of the tenant's history, None where there is too little."""
    summary = response.aggregation_summary
    known = sum(1 for f in findings if meanings(f.vendor, f.vendor_version, f.label, f.category, f.meant).known)
    score = quality_score(
        response.coverage_achieved,
        summary.detectors_succeeded / summary.detectors_selected if summary.detectors_selected else 0.0,
        known / len(findings) if findings else 1.0,
        1.0 - min(1.0, summary.conflicts / len(summary.categories)) if summary.categories else 1.0,
    )
    if not findings:
        return _without_findings(score, consistency)
    return QualityMetrics(
        analysis_quality_score=score,
        confidence_distribution=confidence_distribution([finding.score for finding in findings]),
        pattern_consistency=consistency,
        risk_calibration=risk_calibration(response, findings),
    )


def quality_score(coverage: float, answered: float, known: float, agreement: float) -> float:
    """Weighted mean of four shares: coverage of what the policy required (0.35), detectors that answered (0.25),
    findings whose label the catalogue knows (0.25; 1 for no findings), risk categories without conflict (0.15).
    """
    shares = {"coverage": coverage, "answered": min(1.0, answered), "known": known, "agreement": agreement}
    return min(1.0, fsum(QUALITY_WEIGHTS[name] * share for name, share in shares.items()))


def confidence_distribution(scores: Sequence[float]) -> dict[str, float]:
    """Share of the scores in each of five equal bands; empty for no scores."""
    if not scores:
        return {}
    counts = dict.fromkeys([*(name for _, name in BANDS), "very_high"], 0)
    for score in scores:
        counts[next((name for end, name in BANDS if score < end), "very_high")] += 1
    return {name: count / len(scores) for name, count in counts.items()}


def risk_calibration(response: OrchestrationResponse, findings: Sequence[AttributedFinding]) -> float | None:
    """`1 - mean of (score - upheld)^2` over contested findings: one minus Brier's score (1950) of the detectors'
    scores as forecasts of being upheld.

    Contested are findings of a category that at least two detectors judged: elsewhere nothing could have cleared
    them. It tells how scores agree with conflict resolution, not with a person's verdict, which no one gave here.
    None below 10 contested findings.
    """
    contested = {
        outcome.category
        for outcome in response.aggregation_summary.categories
        if len(set(chain(outcome.flagged_by, outcome.cleared_by))) >= 2
    }
    errors = [(f.score - (1.0 if f.upheld else 0.0)) ** 2 for f in findings if f.category in contested]
    if len(errors) < CALIBRATION_FINDINGS:
        return None
    return max(0.0, 1.0 - fsum(errors) / len(errors))


@lru_cache(maxsize=256)
def _without_findings(score: float, consistency: float | None) -> QualityMetrics:
    """Remembered, because most content is clean and the same few scores recur."""
    return QualityMetrics(analysis_quality_score=score, pattern_consistency=consistency)
