"""One category's past, and the tenant's: everything that the history window alone decides, computed once a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from llama_mapper.domain.analysis.patterns.baseline import Baseline, baseline_of
from llama_mapper.domain.analysis.patterns.trend import TrendTest, mann_kendall, proportional_similarity
from llama_mapper.domain.analysis.ports import HistoryWindow

TREND_DAYS = 10
"""Observed days that the trend test wants: below, its normal approximation is poor (Gilbert, 1987)."""

ANOMALY_DAYS = 7
"""Observed days that a baseline wants: a week, so that it has seen every weekday."""

CONSISTENCY_FINDINGS = 30
"""Findings that each half of the window needs before their mixes are compared."""


@dataclass(frozen=True, slots=True)
class CategoryPast:
    """One category over the window: `days` found on (today included), findings in all and today, what is usual.

    `trend` is None where too few days were observed, `baseline` likewise.
    """

    days: int
    total: int
    today: int
    busiest_hour: int | None
    trend: TrendTest | None
    baseline: Baseline | None


@dataclass(frozen=True, slots=True)
class TenantPast:
    """A tenant's window by category. `observed` are the days, before today, that had an assessment."""

    observed: tuple[date, ...]
    active_days: int
    categories: Mapping[str, CategoryPast]
    never: CategoryPast
    """Stands for a category that the window does not have."""
    consistency: float | None


def past_of(window: HistoryWindow) -> TenantPast:
    """Sum up a window. Days without an assessment say nothing and are left out; today, being unfinished, counts for
    neither trend nor baseline.
    """
    today = window.until.date()
    observed = tuple(sorted(day for day, count in window.assessments_daily.items() if count > 0 and day < today))
    times = tuple((day - observed[0]).days for day in observed)
    series = {name: tuple([daily.get(day, 0) for day in observed]) for name, daily in window.daily.items()}
    return TenantPast(
        observed=observed,
        active_days=(today - observed[0]).days + 1 if observed else 1,
        categories={
            name: _category(window.daily[name], window.hourly.get(name, ()), times, series[name], today)
            for name in sorted(series)
        },
        never=_category({}, (), times, (0,) * len(observed), today),
        consistency=_consistency([series[name] for name in sorted(series)], len(observed)),
    )


def _category(
    daily: Mapping[date, int], hourly: Sequence[int], times: tuple[int, ...], series: tuple[int, ...], today: date
) -> CategoryPast:
    busiest = max(hourly, default=0)
    return CategoryPast(
        days=sum(1 for count in daily.values() if count > 0),
        total=sum(daily.values()),
        today=daily.get(today, 0),
        busiest_hour=hourly.index(busiest) if busiest > 0 else None,
        trend=mann_kendall(times, series) if len(series) >= TREND_DAYS and any(series) else None,
        baseline=baseline_of(series) if len(series) >= ANOMALY_DAYS else None,
    )


def _consistency(series: Sequence[Sequence[int]], days: int) -> float | None:
    """How alike the mix of categories is in the older and the newer half of the observed days; None if too little."""
    if days < TREND_DAYS:
        return None
    half = days // 2
    older = [sum(counts[:half]) for counts in series]
    newer = [sum(counts[half:]) for counts in series]
    if min(sum(older), sum(newer)) < CONSISTENCY_FINDINGS:
        return None
    return proportional_similarity(older, newer)
