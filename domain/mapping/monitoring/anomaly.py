"""Values far from what is usual, by medians. Pure functions.

A value is compared with those of the same hour of earlier days, which takes the day's rhythm out (seasonal naive:
Hyndman, Athanasopoulos, Forecasting, 3rd ed., section 5.2, with the median of the seasons in place of the last), and
where there are too few of them with the values just before it. The distance is the modified z-score,
0.6745 (x - median) / MAD, with Iglewicz and Hoaglin's limit of 3.5 ("How to detect and handle outliers", 1993): nearly
half of what it is compared with may be anomalies themselves without hiding one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

LIMIT = 3.5
_OF_NORMAL = 0.6745
"""The median absolute deviation of a normal distribution, in standard deviations."""

_LEAST_SEASONS, _SEASONS = 5, 28
_LEAST_BEFORE, _BEFORE = 8, 48


@dataclass(frozen=True, slots=True)
class Point:
    """A value, and what chance alone does to it: one standard deviation, of counting."""

    value: float
    chance: float = 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """A point and how far it lies from what is usual. `seasonal` says what that was."""

    start: int
    value: float
    usual: float
    deviations: float
    seasonal: bool
    points: int

    @property
    def anomalous(self) -> bool:
        """Whether it is beyond the limit."""
        return abs(self.deviations) > LIMIT


def robust_deviations(value: float, others: Sequence[float], chance: float) -> tuple[float, float]:
    """The median of the others, and by how many robust standard deviations `value` lies above it.

    A standard deviation is never taken as less than `chance`, nor as a thousandth of the median, so that a series that
    was the same for days raises no alarm at the first change of a counted event.
    """
    usual = median(others)
    spread = median(abs(other - usual) for other in others) / _OF_NORMAL
    return usual, (value - usual) / max(spread, chance, abs(usual) * 1e-3, 1e-12)


def judge(series: Mapping[int, Point], season: int, width: int, since: int) -> list[Judged]:
    """Every point from `since` on that has enough to be compared with; keys are starts in seconds, `width` apart.

    `season` is how many seconds a season is; that of days without a rhythm is `width`.
    """
    starts = sorted(start for start in series if start >= since)
    found: list[Judged] = []
    for start in starts:
        seasons = [start - season * number for number in range(1, _SEASONS + 1)] if season > width else []
        alike = [series[other].value for other in seasons if other in series]
        is_seasonal = len(alike) >= _LEAST_SEASONS
        if not is_seasonal:
            before = range(start - width * _BEFORE, start, width)
            alike = [series[other].value for other in before if other in series]
            if len(alike) < _LEAST_BEFORE:
                continue
        point = series[start]
        usual, deviations = robust_deviations(point.value, alike, point.chance)
        found.append(Judged(start, point.value, usual, deviations, is_seasonal, len(alike)))
    return found
