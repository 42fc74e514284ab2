"""What part of the required was judged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.orchestration import CoverageMethod, CoverageReport, DetectorResult, DetectorStatus
from llama_mapper.domain.orchestration.coverage import measure_coverage
from llama_mapper.domain.orchestration.plan import parse_plan
from tests.unit.orchestration.support import EMAIL, TOXIC, raw_plan
from tests.unit.orchestration.test_aggregation import result

FAILURES = [status for status in DetectorStatus if status is not DetectorStatus.SUCCESS]


def covered(*results: DetectorResult, primary: list[str] | None = None, **changes: Any) -> CoverageReport:
    names = [one.detector for one in results]
    first = names if primary is None else primary
    plan = parse_plan(raw_plan(first, [name for name in names if name not in first], **changes))
    return measure_coverage(results, plan)


@pytest.mark.parametrize("status", FAILURES)
def test_only_success_covers(status: DetectorStatus) -> None:
    report = covered(result("a"), result("b", status=status))
    assert (report.achieved, report.sufficient) == (0.5, False)
    assert [(gap.subject, gap.reason) for gap in report.gaps] == [("b", f"b: {status.value}")]


def test_secondary_detectors_are_not_required() -> None:
    report = covered(result("a"), result("b", status=DetectorStatus.FAILED), primary=["a"])
    assert (report.achieved, report.sufficient, report.gaps) == (1.0, True, ())


def test_a_required_set_counts_heads_and_weighted_counts_weights() -> None:
    results = result("a"), result("b", status=DetectorStatus.TIMEOUT)
    own = {"a": {"weight": 3}}
    assert covered(*results, own=own).achieved == 0.5
    assert covered(*results, own=own, coverage={"method": "weighted"}).achieved == 0.75


def test_requirements_may_mix_detectors_and_categories() -> None:
    report = covered(
        result("a"),
        result("b", categories=(TOXIC,), status=DetectorStatus.UNAVAILABLE),
        coverage={"method": "weighted", "requirements": {"a": 2, EMAIL: 1, TOXIC: 1}},
    )
    assert report.achieved == 0.75
    assert [gap.subject for gap in report.gaps] == [TOXIC]


def test_a_category_is_covered_by_any_succeeding_judge() -> None:
    coverage = {"method": "taxonomy", "requirements": {EMAIL: 1}}
    assert covered(result("a", status=DetectorStatus.FAILED), result("b"), coverage=coverage).achieved == 1.0
    assert covered(result("a", status=DetectorStatus.FAILED), coverage=coverage).achieved == 0.0


def test_taxonomy_requires_the_plans_categories_where_it_names_none() -> None:
    report = covered(result("a"), coverage={"method": "taxonomy"})
    assert report.achieved == 0.5
    assert [(gap.subject, gap.reason) for gap in report.gaps] == [(TOXIC, "no selected detector judges it")]


def test_a_required_detector_that_was_not_selected_is_a_gap() -> None:
    report = covered(result("a"), coverage={"requirements": {"a": 1, "elsewhere": 1}})
    assert report.achieved == 0.5
    assert [gap.subject for gap in report.gaps] == ["elsewhere"]


def test_nothing_required_is_fully_covered() -> None:
    assert covered(coverage={"threshold": 1.0}).sufficient
    assert covered(result("a"), own={"a": {"weight": 0}}, coverage={"method": "weighted"}).achieved == 1.0


def test_a_language_gap_is_reported_and_lowers_coverage_only_where_the_policy_says() -> None:
    foreign = result("a", language_supported=False)
    reported = covered(foreign)
    assert reported.achieved == 1.0
    assert "language" in reported.gaps[0].reason
    lowered = covered(foreign, coverage={"language_gaps": "lower_coverage"})
    assert (lowered.achieved, len(lowered.gaps)) == (0.0, 1)


def test_a_judge_at_home_in_the_language_closes_the_categorys_gap() -> None:
    coverage = {"method": "taxonomy", "requirements": {EMAIL: 1}, "language_gaps": "lower_coverage"}
    report = covered(result("a", language_supported=False), result("b", language_supported=True), coverage=coverage)
    assert (report.achieved, report.gaps) == (1.0, ())


@given(
    st.sampled_from([CoverageMethod.REQUIRED_SET, CoverageMethod.WEIGHTED]),
    st.lists(st.tuples(st.sampled_from(DetectorStatus), st.floats(0.001, 1000)), min_size=1, max_size=8),
)
def test_one_more_success_never_lowers_coverage_and_all_of_them_reach_any_threshold(
    method: CoverageMethod, rows: list[tuple[DetectorStatus, float]]
) -> None:
    own = {f"d{at}": {"weight": weight} for at, (_, weight) in enumerate(rows)}
    last = 0.0
    results = [result(f"d{at}", status=status) for at, (status, _) in enumerate(rows)]
    for at in range(len(results) + 1):
        report = covered(*results, own=own, coverage={"method": method.value, "threshold": 1.0})
        assert 0.0 <= report.achieved <= 1.0
        assert report.achieved >= last - 1e-12
        last = report.achieved
        if at < len(results):
            results[at] = result(f"d{at}")
    assert report.sufficient
