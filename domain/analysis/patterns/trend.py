"""Monotonic trend of a short series: Mann-Kendall's test and Theil-Sen's slope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import erfc, sqrt
from statistics import median


@dataclass(frozen=True, slots=True)
class TrendTest:
    """`s` and its `variance` under no trend, the two-sided `p_value`, and the `slope` in units of y per unit of x."""

    s: int
    variance: float
    p_value: float
    slope: float


@lru_cache(maxsize=8192)
def mann_kendall(times: tuple[int, ...], values: tuple[int, ...]) -> TrendTest:
    """Test `values` at strictly increasing `times` for a monotonic trend; for 10 values or more.

    Mann (1945) and Kendall (1975), with the variance for ties and the continuity correction of Gilbert, Statistical
    Methods for Environmental Pollution Monitoring (1987), section 16.4; slope: the median of all pairwise slopes,
    Sen (1968). The test takes the days for independent: a weekly rhythm makes it somewhat too eager.
    Remembered, because the days that are over do not change while today goes on.
    """
    n = len(values)
    s = 0
    slopes = []
    for later in range(1, n):
        value, time = values[later], times[later]
        for earlier in range(later):
            rise = value - values[earlier]
            slopes.append(rise / (time - times[earlier]))
            if rise > 0:
                s += 1
            elif rise < 0:
                s -= 1
    ties = sum([t * (t - 1) * (2 * t + 5) for t in Counter(values).values()])
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    return TrendTest(s, variance, _two_sided(s, variance), median(slopes) if slopes else 0.0)


def _two_sided(s: int, variance: float) -> float:
    if s == 0 or variance <= 0.0:
        return 1.0
    return min(1.0, erfc((abs(s) - 1) / sqrt(variance) / sqrt(2.0)))


def proportional_similarity(first: Sequence[int], second: Sequence[int]) -> float:
    """How alike two mixes of the same categories are: the sum of the smaller shares, 0 to 1 (Schoener, 1970)."""
    total_first, total_second = sum(first), sum(second)
    if not total_first or not total_second:
        return 0.0
    return min(1.0, sum(min(a / total_first, b / total_second) for a, b in zip(first, second, strict=True)))
