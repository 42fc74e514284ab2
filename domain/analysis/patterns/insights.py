"""Pattern analysis: the window's part computed once, the request's part added to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llama_mapper.domain.analysis.patterns.correlation import REQUIRED_ASSESSMENTS, correlate
from llama_mapper.domain.analysis.patterns.detected import (
    FREQUENCY_ASSESSMENTS,
    PATTERNS_LIMIT,
    standing_patterns,
    surge_pattern,
    trend_of,
)
from llama_mapper.domain.analysis.patterns.past import ANOMALY_DAYS, TREND_DAYS, CategoryPast, TenantPast, past_of
from llama_mapper.domain.analysis.ports import HistoryWindow
from llama_mapper.domain.contracts.analysis import (
    AnomalyAnalysis,
    CategoryFrequency,
    CorrelationAnalysis,
    DataSufficiency,
    FrequencyAnalysis,
    Pattern,
    PatternAnalysisResult,
    TemporalAnalysis,
    TemporalSeries,
    Trend,
)

ROWS = 64
"""Categories reported at the most, the most frequent ones."""


@dataclass(frozen=True, slots=True)
class HistoryInsights:
    """What a tenant's window says by itself. `quiet` is the whole answer for a request that found nothing."""

    window: HistoryWindow
    window_days: int
    past: TenantPast
    temporal: TemporalAnalysis
    correlation: CorrelationAnalysis
    frequencies: Mapping[str, CategoryFrequency]
    standing: tuple[Pattern, ...]
    quiet: PatternAnalysisResult

    def of(self, category: str) -> CategoryPast:
        """The category's past; a clean one if it was never found."""
        return self.past.categories.get(category, self.past.never)


def insights_of(window: HistoryWindow, window_days: int) -> HistoryInsights:
    """Analyse a window that reaches `window_days` whole days back from its last, unfinished one. Pure; milliseconds."""
    past = past_of(window)
    names = sorted(past.categories, key=lambda name: (-past.categories[name].total, name))[:ROWS]
    temporal = _temporal(past, names, window_days)
    correlation, compared = correlate(window)
    in_window = sum(entry.total for entry in past.categories.values())
    frequencies = {name: _frequency(name, past.categories[name], 0, in_window, past.active_days) for name in names}
    standing = standing_patterns(past, window.present, window.assessments, correlation.pairs, compared)
    return HistoryInsights(
        window=window,
        window_days=window_days,
        past=past,
        temporal=temporal,
        correlation=correlation,
        frequencies=frequencies,
        standing=standing,
        quiet=_result(window, window_days, past, temporal, correlation, frequencies, standing, {}),
    )


def pattern_analysis(insights: HistoryInsights, in_request: Mapping[str, int]) -> PatternAnalysisResult:
    """The patterns as this request sees them; `in_request` is category → upheld findings.

    Counts of the window are those of the history as read; today's count in the anomaly test adds the request's own.
    """
    if not in_request:
        return insights.quiet
    past = insights.past
    in_window = sum(entry.total for entry in past.categories.values())
    frequencies = dict(insights.frequencies)
    for name in sorted(in_request):
        entry = past.categories.get(name, past.never)
        frequencies[name] = _frequency(name, entry, in_request[name], in_window, past.active_days)
    return _result(
        insights.window,
        insights.window_days,
        past,
        insights.temporal,
        insights.correlation,
        frequencies,
        insights.standing,
        in_request,
    )


def not_computed(window_days: int) -> PatternAnalysisResult:
    """The answer where the history could not be read."""
    missing = DataSufficiency.NOT_COMPUTED
    return PatternAnalysisResult(
        temporal_analysis=TemporalAnalysis(
            sufficiency=missing, window_days=window_days, observed_days=0, required_days=TREND_DAYS
        ),
        frequency_analysis=FrequencyAnalysis(sufficiency=missing, window_days=window_days, assessments_in_window=0),
        correlation_analysis=CorrelationAnalysis(
            sufficiency=missing, assessments=0, required_assessments=REQUIRED_ASSESSMENTS
        ),
        anomaly_analysis=AnomalyAnalysis(sufficiency=missing, baseline_days=0, required_days=ANOMALY_DAYS),
        anomaly_score=0.0,
    )


def _sufficient(enough: bool) -> DataSufficiency:
    return DataSufficiency.SUFFICIENT if enough else DataSufficiency.INSUFFICIENT


def _temporal(past: TenantPast, names: list[str], window_days: int) -> TemporalAnalysis:
    series = []
    for name in names:
        entry = past.categories[name]
        test = entry.trend
        series.append(
            TemporalSeries(
                category=name,
                trend=Trend.UNKNOWN if test is None else trend_of(test.s, test.p_value),
                slope_per_day=0.0 if test is None else test.slope,
                p_value=1.0 if test is None else test.p_value,
                busiest_hour=entry.busiest_hour,
            )
        )
    return TemporalAnalysis(
        sufficiency=_sufficient(len(past.observed) >= TREND_DAYS),
        window_days=window_days,
        observed_days=len(past.observed),
        required_days=TREND_DAYS,
        series=tuple(series),
    )


def _frequency(name: str, entry: CategoryPast, in_request: int, in_window: int, active_days: int) -> CategoryFrequency:
    return CategoryFrequency(
        category=name,
        in_request=in_request,
        in_window=entry.total,
        per_day=entry.total / active_days,
        share=entry.total / in_window if in_window else 0.0,
    )


def _result(
    window: HistoryWindow,
    window_days: int,
    past: TenantPast,
    temporal: TemporalAnalysis,
    correlation: CorrelationAnalysis,
    frequencies: Mapping[str, CategoryFrequency],
    standing: tuple[Pattern, ...],
    in_request: Mapping[str, int],
) -> PatternAnalysisResult:
    surges = _surges(past, in_request)
    rows = sorted(frequencies.values(), key=lambda row: (-row.in_request, -row.in_window, row.category))
    return PatternAnalysisResult(
        patterns_detected=(*[pattern for _, pattern in surges[:ROWS]], *standing)[:PATTERNS_LIMIT],
        temporal_analysis=temporal,
        frequency_analysis=FrequencyAnalysis(
            sufficiency=_sufficient(window.assessments >= FREQUENCY_ASSESSMENTS),
            window_days=window_days,
            assessments_in_window=window.assessments,
            categories=tuple(rows[:ROWS]),
        ),
        correlation_analysis=correlation,
        anomaly_analysis=AnomalyAnalysis(
            sufficiency=_sufficient(len(past.observed) >= ANOMALY_DAYS),
            baseline_days=len(past.observed),
            required_days=ANOMALY_DAYS,
            anomalous_categories=tuple([name for name, _ in surges[:ROWS]]),
        ),
        anomaly_score=surges[0][1].strength if surges else 0.0,
        history_as_of=window.until,
    )


def _surges(past: TenantPast, in_request: Mapping[str, int]) -> list[tuple[str, Pattern]]:
    """Categories whose count of today is out of line, farthest first."""
    found = []
    for name in sorted(past.categories.keys() | in_request.keys()):
        entry = past.categories.get(name, past.never)
        count = entry.today + in_request.get(name, 0)
        if entry.baseline is None or (surprise := entry.baseline.surprise(count)) <= 0.0:
            continue
        usual = entry.baseline.median if entry.baseline.mad > 0.0 else entry.baseline.rate
        pattern = surge_pattern(name, entry.baseline.z(count), surprise, count, usual, len(past.observed))
        found.append((name, pattern))
    found.sort(key=lambda pair: (-pair[1].strength, pair[0]))
    return found
