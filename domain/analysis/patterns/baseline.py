"""How far a count is above its own past: a robust z-score, or a Poisson tail where the past hardly varies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log, sqrt
from statistics import NormalDist, fmean, median

CUT_OFF = 3.5
"""A modified z-score above this is an outlier: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993)."""

_CONSISTENCY = NormalDist().inv_cdf(0.75)
_POISSON_LIMIT = 1000.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """A category's past daily counts, summed up: their median, median absolute deviation, and expected rate a day."""

    median: float
    mad: float
    rate: float

    def z(self, count: int) -> float:
        """Standard deviations above the ordinary, as a normal variable would have them; 0 at or below it.

        With a spread, the modified z-score 0.6745 (count - median) / MAD. Without one (counts that are nearly always
        the same, mostly 0), the normal quantile of the Poisson tail P(X >= count) at the past rate; beyond a rate of
        1,000 the Poisson is as good as normal and is taken so. Never falls as `count` rises.
        """
        if self.mad > 0.0:
            return max(0.0, _CONSISTENCY * (count - self.median) / self.mad)
        if count <= self.rate:
            return 0.0
        if self.rate > _POISSON_LIMIT:
            return (count - self.rate) / sqrt(self.rate)
        return max(0.0, -NormalDist().inv_cdf(max(poisson_tail(count, self.rate), 1e-300)))

    def surprise(self, count: int) -> float:
        """0 up to the cut-off, then `1 - 3.5 / z`: 0.5 at z = 7, towards 1. Never falls as `count` rises."""
        z = self.z(count)
        return 0.0 if z <= CUT_OFF else 1.0 - CUT_OFF / z


def baseline_of(counts: Sequence[int]) -> Baseline:
    """The baseline of past daily counts.

    The rate is their mean, and at least `1 / (days + 1)`: a category never seen may still turn up on the next day.
    """
    if not counts:
        return Baseline(0.0, 0.0, 1.0)
    middle = median(counts)
    rate = max(fmean(counts), 1.0 / (len(counts) + 1))
    return Baseline(float(middle), float(median([abs(count - middle) for count in counts])), rate)


def poisson_tail(count: int, rate: float) -> float:
    """P(X >= count) for a Poisson variable with mean `rate` > 0, summed upward from `count`."""
    if count <= 0:
        return 1.0
    term = total = 1.0
    k = count
    while term > 1e-17 * total:
        k += 1
        term *= rate / k
        total += term
    return min(1.0, exp(count * log(rate) - rate - lgamma(count + 1)) * total)
