"""Risk: monotonic, bounded, and recomputable by hand from the answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mapper.domain.analysis.findings import Meaning, Reading, counts
from llama_mapper.domain.analysis.history_memo import window_start
from llama_mapper.domain.analysis.patterns.insights import HistoryInsights, insights_of
from llama_mapper.domain.analysis.ports import HistoryEntry
from llama_mapper.domain.analysis.risk import weights
from llama_mapper.domain.analysis.risk.exposure import control_exposure
from llama_mapper.domain.analysis.risk.recurrence import recurrences
from llama_mapper.domain.analysis.risk.score import FACTOR_LIMIT, NO_RISK, score_risk
from llama_mapper.domain.contracts.analysis import RiskDimension, RiskScoringResult
from llama_mapper.domain.contracts.base import Severity
from tests.unit.analysis.support import (
    EDITIONS,
    EMAIL,
    INJECTION,
    NOW,
    OFF_TOPIC,
    SECRET,
    SEVERITIES,
    SOC2,
    TOXIC,
    SmallCatalogue,
    past_entries,
    reading,
    window_of,
)

CATALOGUE = SmallCatalogue()
CATEGORIES = sorted(SEVERITIES)

scores = st.floats(0.0, 1.0)
readings = st.builds(
    reading,
    st.sampled_from([*CATEGORIES, None]),
    scores,
    st.one_of(st.none(), st.sampled_from([f"hmac-sha256:{i}" for i in range(4)])),
)
histories = st.lists(
    st.builds(
        lambda i, hours, found: HistoryEntry("acme", f"r{i}", NOW - timedelta(hours=hours), found),
        st.integers(0, 10_000),
        st.integers(0, 24 * 31),
        st.dictionaries(st.sampled_from(CATEGORIES), st.integers(1, 50), max_size=4),
    ),
    max_size=60,
)


def exposure(labels: frozenset[str]) -> float:
    return control_exposure(labels, EDITIONS, CATALOGUE)


def history(entries: Sequence[HistoryEntry]) -> HistoryInsights:
    return insights_of(window_of(entries, window_start(NOW, 30), NOW), 30)


def risk(found: Sequence[Reading], entries: Sequence[HistoryEntry] = ()) -> RiskScoringResult:
    return score_risk(found, exposure, recurrences(history(entries), counts(found)))


def dimensions(result: RiskScoringResult) -> tuple[float, ...]:
    return (
        result.technical_risk,
        result.business_risk,
        result.regulatory_risk,
        result.temporal_risk,
        result.overall_risk_score,
    )


@given(st.lists(readings, max_size=12), readings, histories)
@settings(max_examples=200, deadline=None)
def test_another_finding_never_lowers_risk(found: list[Reading], another: Reading, entries: list[HistoryEntry]) -> None:
    before, after = risk(found, entries), risk([*found, another], entries)
    assert all(b <= a for b, a in zip(dimensions(before), dimensions(after), strict=True))


@given(st.lists(readings, min_size=1, max_size=12), st.data(), histories)
@settings(max_examples=150, deadline=None)
def test_a_higher_score_never_lowers_risk(
    found: list[Reading], data: st.DataObject, entries: list[HistoryEntry]
) -> None:
    i = data.draw(st.integers(0, len(found) - 1))
    higher = data.draw(st.floats(found[i].score, 1.0))
    raised = [*found[:i], Reading(found[i].meaning, higher, found[i].identity), *found[i + 1 :]]
    before, after = risk(found, entries), risk(raised, entries)
    assert all(b <= a for b, a in zip(dimensions(before), dimensions(after), strict=True))


@given(st.lists(readings, min_size=1, max_size=12), st.data(), st.sampled_from(list(Severity)), histories)
@settings(max_examples=100, deadline=None)
def test_a_worse_severity_never_lowers_risk(
    found: list[Reading], data: st.DataObject, severity: Severity, entries: list[HistoryEntry]
) -> None:
    i = data.draw(st.integers(0, len(found) - 1))
    meaning = found[i].meaning
    if weights.SEVERITY[severity] < weights.SEVERITY[meaning.severity]:
        return
    worse = Reading(Meaning(meaning.labels, meaning.category, severity, meaning.known), found[i].score, None)
    same = Reading(meaning, found[i].score, None)
    before = risk([*found[:i], same, *found[i + 1 :]], entries)
    after = risk([*found[:i], worse, *found[i + 1 :]], entries)
    assert all(b <= a for b, a in zip(dimensions(before), dimensions(after), strict=True))


@given(st.lists(readings, max_size=30), histories)
@settings(max_examples=150, deadline=None)
def test_every_score_is_recomputed_by_hand_from_the_answer(found: list[Reading], entries: list[HistoryEntry]) -> None:
    result = risk(found, entries)
    assert len(result.risk_factors) <= FACTOR_LIMIT
    for factor in result.risk_factors:
        assert factor.contribution == factor.value * factor.weight
    by_hand = {
        dimension: 1 - prod(1 - f.contribution for f in result.risk_factors if f.dimension is dimension)
        for dimension in RiskDimension
    }
    assert dimensions(result)[:4] == pytest.approx([by_hand[d] for d in RiskDimension], abs=1e-12)
    overall = 1 - prod(1 - weight * by_hand[RiskDimension(name)] for name, weight in weights.OVERALL)
    assert result.overall_risk_score == pytest.approx(overall, abs=1e-12)
    assert result.level is weights.level(result.overall_risk_score)


def test_nothing_found_is_no_risk() -> None:
    assert score_risk((), exposure) is NO_RISK
    assert NO_RISK.level is Severity.INFO


def test_more_categories_than_fit_are_folded_without_changing_a_score() -> None:
    many = [
        Reading(Meaning((f"pii.c{i}",), f"pii.c{i}", Severity.LOW, known=True), 0.1 + i / 1000, None)
        for i in range(300)
    ]
    result = score_risk(many, lambda labels: 1.0)
    assert len(result.risk_factors) <= FACTOR_LIMIT
    for dimension, shown in zip(RiskDimension, dimensions(result), strict=False):
        folded = 1 - prod(1 - f.contribution for f in result.risk_factors if f.dimension is dimension)
        assert shown == pytest.approx(folded, abs=1e-12)
    fewer = score_risk(many[:-1], lambda labels: 1.0)
    assert all(b <= a for b, a in zip(dimensions(fewer), dimensions(result), strict=True))


def test_one_text_that_three_detectors_see_is_one_item() -> None:
    once = risk([reading(EMAIL, 0.9, "same")])
    thrice = risk([reading(EMAIL, 0.9, "same")] * 3)
    apart = risk([reading(EMAIL, 0.9, name) for name in "abc"])
    assert thrice.business_risk == once.business_risk < apart.business_risk


@pytest.mark.parametrize("category", [SECRET, EMAIL, INJECTION, TOXIC, OFF_TOPIC])
def test_worse_categories_score_higher_all_else_equal(category: str) -> None:
    milder = [c for c in CATEGORIES if weights.SEVERITY[SEVERITIES[c]] < weights.SEVERITY[SEVERITIES[category]]]
    for other in milder:
        assert risk([reading(category, 0.9)]).overall_risk_score > risk([reading(other, 0.9)]).overall_risk_score


def test_a_non_finding_weighs_nothing() -> None:
    assert risk([reading("meta.outcome", 1.0)]).overall_risk_score == 0.0


def test_a_label_nobody_knows_still_weighs_something() -> None:
    result = risk([reading(None, 0.8)])
    assert 0 < result.overall_risk_score < risk([reading(EMAIL, 0.8)]).overall_risk_score


def test_a_rising_recurring_category_adds_temporal_risk_and_a_new_one_does_not() -> None:
    entries = past_entries({EMAIL: list(range(1, 31))})
    result = risk([reading(EMAIL, 1.0)], entries)
    assert {f.name for f in result.risk_factors if f.dimension is RiskDimension.TEMPORAL} == {"recurrence", "trend"}
    assert risk([reading(TOXIC, 1.0)], entries).temporal_risk == 0.0


def test_a_surge_adds_temporal_risk() -> None:
    entries = past_entries({EMAIL: [1, 2, 1, 2, 1, 2, 1, 2, 1, 2]})
    surging = risk([reading(EMAIL, 1.0)] * 40, entries)
    assert "surge" in {f.name for f in surging.risk_factors}


def test_a_condition_halves_what_a_control_counts() -> None:
    assert control_exposure([SECRET], [SOC2], CATALOGUE) == 2.0
    assert control_exposure([TOXIC], [SOC2], CATALOGUE) == 0.5
    assert control_exposure([SECRET, INJECTION], [SOC2], CATALOGUE) == 2.0


def test_without_history_there_is_no_temporal_risk() -> None:
    assert score_risk([reading(SECRET, 1.0)], exposure, recurrences(None, {SECRET: 1})).temporal_risk == 0.0


def test_the_worked_example_of_the_document_holds() -> None:
    result = score_risk([reading(EMAIL, 0.95, "a"), reading(EMAIL, 0.9, "b")], lambda labels: 12.0)
    assert [round(value, 4) for value in dimensions(result)] == [0.57, 0.6833, 0.4275, 0.0, 0.7212]
    assert result.level is Severity.HIGH
