"""Patterns: what is there is found, what is not is not, and too little history is said to be too little."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from llama_mapper.domain.analysis.history_memo import window_start
from llama_mapper.domain.analysis.patterns.insights import HistoryInsights, insights_of, not_computed, pattern_analysis
from llama_mapper.domain.analysis.ports import HistoryEntry, HistoryWindow
from llama_mapper.domain.contracts.analysis import DataSufficiency, PatternKind, Trend
from tests.unit.analysis.support import EMAIL, HEALTH, NOW, SECRET, TOXIC, past_entries, window_of


def insights(entries: Sequence[HistoryEntry]) -> HistoryInsights:
    return insights_of(window_of(entries, window_start(NOW, 30), NOW), 30)


def daily(counts: Mapping[str, Sequence[int]]) -> HistoryInsights:
    return insights(past_entries(counts))


def test_an_empty_history_is_insufficient_everywhere_and_finds_nothing() -> None:
    result = insights([]).quiet
    assert {
        result.temporal_analysis.sufficiency,
        result.frequency_analysis.sufficiency,
        result.correlation_analysis.sufficiency,
        result.anomaly_analysis.sufficiency,
    } == {DataSufficiency.INSUFFICIENT}
    assert (result.patterns_detected, result.anomaly_score, result.history_as_of) == ((), 0.0, NOW)


def test_a_history_that_was_not_read_is_not_computed() -> None:
    result = not_computed(30)
    assert result.temporal_analysis.sufficiency is DataSufficiency.NOT_COMPUTED
    assert result.history_as_of is None


@pytest.mark.parametrize(("days", "sufficiency"), [(9, DataSufficiency.INSUFFICIENT), (10, DataSufficiency.SUFFICIENT)])
def test_trends_want_ten_observed_days(days: int, sufficiency: DataSufficiency) -> None:
    temporal = daily({EMAIL: [1] * days}).temporal
    assert (temporal.sufficiency, temporal.observed_days, temporal.required_days) == (sufficiency, days, 10)


@pytest.mark.parametrize(("days", "sufficiency"), [(6, DataSufficiency.INSUFFICIENT), (7, DataSufficiency.SUFFICIENT)])
def test_anomalies_want_a_week(days: int, sufficiency: DataSufficiency) -> None:
    result = pattern_analysis(daily({EMAIL: [1] * days}), {EMAIL: 500})
    assert result.anomaly_analysis.sufficiency is sufficiency
    assert (result.anomaly_score > 0) == (sufficiency is DataSufficiency.SUFFICIENT)


def test_a_rising_count_is_seen_with_its_slope() -> None:
    result = daily({EMAIL: [2 * day for day in range(1, 31)], TOXIC: [4, 5] * 15}).quiet
    email, toxic = sorted(result.temporal_analysis.series, key=lambda s: s.category, reverse=True)
    assert (email.trend, email.slope_per_day, email.busiest_hour) == (Trend.RISING, 2.0, 9)
    assert toxic.trend is Trend.STABLE
    (pattern,) = [p for p in result.patterns_detected if p.kind is PatternKind.TEMPORAL]
    assert pattern.categories == (EMAIL,)
    assert pattern.strength == 1.0
    assert pattern.evidence["slope_per_day"] == 2.0


def test_a_falling_count_is_seen() -> None:
    (series,) = daily({EMAIL: list(range(30, 0, -1))}).temporal.series
    assert series.trend is Trend.FALLING
    assert series.slope_per_day == -1.0


def test_days_without_an_assessment_say_nothing() -> None:
    entries = [entry for entry in past_entries({EMAIL: [3] * 30}) if entry.at.weekday() < 5]
    temporal = insights(entries).temporal
    assert temporal.observed_days == len(entries)
    assert temporal.series[0].trend is Trend.STABLE


def test_noise_rarely_makes_a_pattern() -> None:
    random.seed(7)
    found = 0
    for _ in range(40):
        series = {f"pii.c{i}": [random.randint(0, 9) for _ in range(30)] for i in range(8)}
        found += sum(p.kind is PatternKind.TEMPORAL for p in daily(series).standing)
    assert found <= 6  # 40 histories at a family-wise level of 5 %: 2 expected


def together(pairs: int, alone: int, neither: int) -> list[HistoryEntry]:
    kinds = [{EMAIL: 1, HEALTH: 1}] * pairs + [{EMAIL: 1}] * alone + [{}] * neither
    return [HistoryEntry("acme", f"r{i}", NOW - timedelta(minutes=i + 1), counts) for i, counts in enumerate(kinds)]


def test_categories_that_go_together_are_paired() -> None:
    result = insights(together(20, 2, 40)).quiet
    (pair,) = result.correlation_analysis.pairs
    assert (pair.first, pair.second, pair.together) == (HEALTH, EMAIL, 20)
    assert pair.phi > 0.9
    assert pair.lift == pytest.approx(20 * 62 / (22 * 20))
    assert pair.p_value < 1e-10
    assert PatternKind.CORRELATION in {p.kind for p in result.patterns_detected}


def test_too_few_assessments_pair_nothing() -> None:
    correlation = insights(together(10, 5, 14)).correlation
    assert (correlation.sufficiency, correlation.assessments) == (DataSufficiency.INSUFFICIENT, 29)
    assert (correlation.required_assessments, correlation.pairs) == (30, ())


def test_counts_of_different_moments_leave_their_pair_out_and_nothing_else() -> None:
    window = window_of(together(20, 20, 40), window_start(NOW, 30), NOW)
    torn = replace(window, together={(HEALTH, EMAIL): 75})
    assert insights_of(torn, 30).correlation.pairs == ()


def test_a_frequent_category_is_a_pattern_and_a_rare_one_is_not() -> None:
    entries = [
        HistoryEntry(
            "acme", f"r{i}", NOW - timedelta(minutes=i + 1), {EMAIL: 1} if i % 2 else {TOXIC: 1} if i < 4 else {}
        )
        for i in range(100)
    ]
    patterns = [p for p in insights(entries).standing if p.kind is PatternKind.FREQUENCY]
    assert [p.categories for p in patterns] == [(EMAIL,)]
    assert patterns[0].strength == 0.5


def test_frequencies_count_the_window_and_the_request_apart() -> None:
    result = pattern_analysis(daily({EMAIL: [3] * 10, TOXIC: [1] * 10}), {EMAIL: 2, SECRET: 1})
    rows = {row.category: row for row in result.frequency_analysis.categories}
    assert (rows[EMAIL].in_request, rows[EMAIL].in_window, rows[EMAIL].share) == (2, 30, 0.75)
    assert rows[EMAIL].per_day == pytest.approx(30 / 11)
    assert (rows[SECRET].in_request, rows[SECRET].in_window, rows[SECRET].share) == (1, 0, 0.0)
    assert rows[TOXIC].in_request == 0


def test_todays_surge_is_an_anomaly_with_its_numbers() -> None:
    calm = daily({EMAIL: [4, 5, 6] * 10})
    assert pattern_analysis(calm, {EMAIL: 6}).anomaly_score == 0.0
    result = pattern_analysis(calm, {EMAIL: 50})
    assert result.anomaly_analysis.anomalous_categories == (EMAIL,)
    assert result.patterns_detected[0].kind is PatternKind.ANOMALY
    assert result.patterns_detected[0].evidence["count_today"] == 50
    assert result.anomaly_score == result.patterns_detected[0].strength > 0.5


def test_a_category_never_seen_before_is_anomalous_only_in_number() -> None:
    past = daily({EMAIL: [1] * 20})
    assert pattern_analysis(past, {SECRET: 1}).anomaly_score == 0.0
    assert pattern_analysis(past, {SECRET: 5}).anomaly_analysis.anomalous_categories == (SECRET,)


def test_a_steady_mix_is_consistent_and_a_changed_one_is_not() -> None:
    assert daily({EMAIL: [5] * 20, TOXIC: [5] * 20}).past.consistency == pytest.approx(1.0)
    assert daily({EMAIL: [5] * 10 + [0] * 10, TOXIC: [0] * 10 + [5] * 10}).past.consistency == 0.0
    assert daily({EMAIL: [1] * 20}).past.consistency is None


def test_more_categories_than_fit_keep_the_most_frequent() -> None:
    many = daily({f"pii.c{i}": [i + 1] * 12 for i in range(90)})
    assert len(many.temporal.series) == len(many.quiet.frequency_analysis.categories) == 64
    assert many.temporal.series[0].category == "pii.c89"
    assert len(pattern_analysis(many, {f"pii.d{i}": 9 for i in range(90)}).patterns_detected) <= 128


def test_a_request_without_findings_gets_the_remembered_answer() -> None:
    known = insights_of(HistoryWindow(window_start(NOW, 30), NOW), 30)
    assert pattern_analysis(known, {}) is known.quiet
