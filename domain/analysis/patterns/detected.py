"""Patterns: what stands out in the numbers, each with its strength, its confidence and the numbers themselves.

Where many series or pairs are tested at once, the level is divided by their number (Bonferroni), so that a tenant
with thirty categories does not get one false pattern a day for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from math import sqrt
from statistics import NormalDist

from llama_mapper.domain.analysis.patterns.past import TenantPast
from llama_mapper.domain.contracts.analysis import CategoryPair, Pattern, PatternKind, Trend

PATTERNS_LIMIT = 128
LEVEL = 0.05
"""Of a single test."""

COMMON_SHARE = 0.2
"""A category is frequent if it is surely in more than this share of the assessments."""

FREQUENCY_ASSESSMENTS = 30
"""Assessments that a share wants before it is called frequent."""

_Z = NormalDist().inv_cdf(0.975)


def trend_of(s: int, p_value: float) -> Trend:
    """The direction at the 5 % level."""
    if p_value >= LEVEL or s == 0:
        return Trend.STABLE
    return Trend.RISING if s > 0 else Trend.FALLING


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    share = successes / trials
    centre = share + _Z * _Z / (2 * trials)
    margin = _Z * sqrt(share * (1 - share) / trials + _Z * _Z / (4 * trials * trials))
    scale = 1 + _Z * _Z / trials
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


def standing_patterns(
    past: TenantPast, present: Mapping[str, int], assessments: int, pairs: tuple[CategoryPair, ...], compared: int
) -> tuple[Pattern, ...]:
    """Trends, frequent categories and associated pairs: what does not depend on the request."""
    found = chain(_trends(past), _frequent(present, assessments), _associated(pairs, compared))
    return tuple(islice(found, PATTERNS_LIMIT))


def surge_pattern(category: str, z: float, surprise: float, count: int, usual: float, days: int) -> Pattern:
    """A count of today far above its own past."""
    return Pattern(
        kind=PatternKind.ANOMALY,
        categories=(category,),
        description=f"{count} findings today, where {usual:.3g} a day are usual",
        strength=surprise,
        confidence=min(1.0, NormalDist().cdf(z)),
        evidence={"count_today": count, "usual_per_day": usual, "z": min(z, 1e12), "baseline_days": days},
    )


def _trends(past: TenantPast) -> Iterator[Pattern]:
    tested = {name: entry.trend for name, entry in past.categories.items() if entry.trend is not None}
    for name, test in tested.items():
        if test.p_value >= LEVEL / len(tested):
            continue
        n, direction = len(past.observed), "Rising" if test.s > 0 else "Falling"
        yield Pattern(
            kind=PatternKind.TEMPORAL,
            categories=(name,),
            description=f"{direction}: the count changes by {test.slope:+.3g} a day over {n} days",
            strength=min(1.0, abs(test.s) / (n * (n - 1) / 2)),
            confidence=1.0 - test.p_value,
            evidence={"slope_per_day": test.slope, "p_value": test.p_value, "s": test.s, "observed_days": n},
        )


def _frequent(present: Mapping[str, int], assessments: int) -> Iterator[Pattern]:
    if assessments < FREQUENCY_ASSESSMENTS:
        return
    for name in sorted(present, key=lambda name: (-present[name], name)):
        low, high = wilson(min(present[name], assessments), assessments)
        if low <= COMMON_SHARE:
            return
        share = min(1.0, present[name] / assessments)
        yield Pattern(
            kind=PatternKind.FREQUENCY,
            categories=(name,),
            description=f"In {share:.0%} of {assessments} assessments",
            strength=share,
            confidence=1.0 - (high - low),
            evidence={"present": present[name], "assessments": assessments, "share_low": low, "share_high": high},
        )


def _associated(pairs: tuple[CategoryPair, ...], compared: int) -> Iterator[Pattern]:
    for pair in pairs:
        if pair.p_value >= LEVEL / max(1, compared):
            continue
        how = "together more" if pair.phi > 0 else "together less"
        yield Pattern(
            kind=PatternKind.CORRELATION,
            categories=(pair.first, pair.second),
            description=f"Found {how} often than chance, {pair.lift:.3g} times as often",
            strength=abs(pair.phi),
            confidence=1.0 - pair.p_value,
            evidence={"phi": pair.phi, "lift": pair.lift, "p_value": pair.p_value, "together": pair.together},
        )
