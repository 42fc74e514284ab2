"""Quality: documented formulas, and null where there is too little to tell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llama_mapper.domain.analysis.findings import attribute, meanings_of
from llama_mapper.domain.analysis.quality import confidence_distribution, quality_metrics
from llama_mapper.domain.contracts.analysis import QualityMetrics
from llama_mapper.domain.contracts.orchestration import CategoryOutcome, Finding
from tests.unit.analysis.support import EMAIL, TOXIC, SmallCatalogue, finding, orchestrated, outcome

MEANINGS = meanings_of(SmallCatalogue())


def measured(
    findings: Sequence[Finding] = (), outcomes: Sequence[CategoryOutcome] = (), succeeded: int = 2, conflicts: int = 0
) -> QualityMetrics:
    response = orchestrated(findings, outcomes=outcomes, succeeded=succeeded, conflicts=conflicts)
    return quality_metrics(response, attribute(response), MEANINGS, None)


def test_a_full_clean_run_has_quality_one() -> None:
    metrics = measured()
    assert metrics.analysis_quality_score == pytest.approx(1.0)
    assert (metrics.confidence_distribution, metrics.pattern_consistency, metrics.risk_calibration) == ({}, None, None)


def test_each_shortcoming_costs_its_weight() -> None:
    assert measured(succeeded=1).analysis_quality_score == pytest.approx(1 - 0.35 / 2 - 0.25 / 2)
    assert measured([finding("EMAIL"), finding("new")]).analysis_quality_score == pytest.approx(1 - 0.25 / 2)
    two = [outcome(EMAIL, flagged=True, not_by=("two",)), outcome(TOXIC, flagged=False, by=(), not_by=("one",))]
    assert measured(outcomes=two, conflicts=1).analysis_quality_score == pytest.approx(1 - 0.15 / 2)


def test_the_bands_shares_add_up_to_one() -> None:
    bands = confidence_distribution([0.0, 0.2, 0.5, 0.79, 0.8, 1.0])
    assert bands == pytest.approx({"very_low": 1 / 6, "low": 1 / 6, "medium": 1 / 6, "high": 1 / 6, "very_high": 1 / 3})
    assert sum(bands.values()) == pytest.approx(1.0)


def test_calibration_wants_ten_contested_findings() -> None:
    contested = [outcome(EMAIL, flagged=True, by=("one",), not_by=("two",))]
    assert measured([finding("EMAIL", 0.9)] * 9, contested).risk_calibration is None
    assert measured([finding("EMAIL", 0.9)] * 10, contested).risk_calibration == pytest.approx(0.99)
    assert measured([finding("EMAIL", 0.9)] * 10, [outcome(EMAIL, flagged=True)]).risk_calibration is None


def test_calibration_is_poor_where_sure_findings_were_cleared() -> None:
    cleared = [outcome(EMAIL, flagged=False, by=("one",), not_by=("two",))]
    assert measured([finding("EMAIL", 1.0)] * 10, cleared).risk_calibration == 0.0
