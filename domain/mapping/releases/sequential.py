"""Tests and intervals that stay valid however often somebody looks, from nothing but sums.

Of an arm are known the number of its observations n and their sum s, each observation in [0, 1] with the same mean p
given those before it. With Robbins' mixture over Bernoulli likelihoods and Jeffreys' prior Beta(1/2, 1/2)

    M(p) = B(s + 1/2, n - s + 1/2) / B(1/2, 1/2) / (p^s (1 - p)^(n - s))

starts at 1 and is a non-negative martingale for observations of 0 and 1, and a supermartingale for any in [0, 1], since
the likelihood ratio of one observation is convex in it. By Ville's inequality it ever reaches 1/alpha with probability
at most alpha. So the p for which it has not are a confidence sequence (Robbins 1970; Howard, Ramdas, McAuliffe, Sekhon
2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49(2)).

Two arms observed side by side have the product M1(p1) M0(p0), whichever is observed next. Its least value over all
pairs of a hypothesis is an e-process for it: what the mixture says over what the hypothesis can say at best (Wasserman,
Ramdas, Balakrishnan 2020, "Universal inference", section 8). The order of the observations plays no part, so that
processes may count apart and their counts be added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, lgamma, log, pi

_LOG_PI = log(pi)
_HALVINGS = 40
"""An interval's ends are within 2^-39 of the exact ones, to the outside."""

_CLOSE = 1e-10
_MOST_STEPS = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """So many observations in [0, 1], and their sum."""

    total: float
    count: int

    def __post_init__(self) -> None:
        # Sums of fractions may be off by rounding.
        if not -1e-6 <= self.total <= self.count * (1 + 1e-9) + 1e-6:
            raise ValueError("a sum of observations between 0 and 1 lies between 0 and their number")

    @property
    def hits(self) -> float:
        """The sum, without what rounding did."""
        return min(max(self.total, 0.0), float(self.count))

    @property
    def mean(self) -> float | None:
        """None of nothing."""
        return self.hits / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval that has covered the truth at every look so far, but for the error rate that it was made for."""

    low: float
    high: float


def log_mixture(sample: Sample) -> float:
    """Logarithm of the likelihood, averaged over Jeffreys' prior; 0 for no observations."""
    hits, misses = sample.hits, sample.count - sample.hits
    return lgamma(hits + 0.5) + lgamma(misses + 0.5) - lgamma(sample.count + 1.0) - _LOG_PI


def log_likelihood(sample: Sample, mean: float) -> float:
    """Logarithm of the likelihood at `mean`; minus infinity where the sample cannot have it."""
    return _times_log(sample.hits, mean) + _times_log(sample.count - sample.hits, 1.0 - mean)


def mean_bounds(sample: Sample, alpha: float) -> Bounds:
    """The confidence sequence of one arm's mean."""
    least = log_mixture(sample) + log(alpha)
    peak = sample.mean
    if peak is None:
        return Bounds(0.0, 1.0)
    return Bounds(
        _boundary(lambda mean: log_likelihood(sample, mean) > least, 0.0, peak),
        _boundary(lambda mean: log_likelihood(sample, mean) > least, 1.0, peak),
    )


def difference_bounds(treated: Sample, control: Sample, alpha: float) -> Bounds:
    """The confidence sequence of the treated arm's mean minus the control's."""
    if not treated.count or not control.count:
        return Bounds(-1.0, 1.0)
    least = log_mixture(treated) + log_mixture(control) + log(alpha)
    peak = treated.hits / treated.count - control.hits / control.count

    def possible(difference: float) -> bool:
        return _best(treated, control, difference) > least

    return Bounds(_boundary(possible, -1.0, peak), _boundary(possible, 1.0, peak))


def log_evidence(treated: Sample, control: Sample, margin: float = 0.0) -> float:
    """Logarithm of the e-process against "the treated mean exceeds the control's by no more than `margin`".

    It ever reaches log(1/alpha) with probability at most alpha while that holds. 0 and below is no evidence.
    """
    if not treated.count or not control.count:
        return 0.0
    peak = treated.hits / treated.count - control.hits / control.count
    difference = min(peak, margin)
    return log_mixture(treated) + log_mixture(control) - _best(treated, control, difference)


def log_shortfall(sample: Sample, least: float) -> float:
    """Logarithm of the e-process against "the mean is at least `least`", as `log_evidence`."""
    peak = sample.mean
    return 0.0 if peak is None else log_mixture(sample) - log_likelihood(sample, max(peak, least))


def _best(treated: Sample, control: Sample, difference: float) -> float:
    """The greatest log-likelihood of both arms together with means that differ by `difference`.

    It is concave in the control's mean, so that the root of its derivative is found by Newton's steps, and by halving
    where a step would leave what is known to hold the root.
    """
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    ones, noughts = treated.hits, treated.count - treated.hits
    base_ones, base_noughts = control.hits, control.count - control.hits
    mean = (base_ones + ones - treated.count * difference) / (control.count + treated.count)
    for _ in range(_MOST_STEPS):
        if not low < mean < high:
            mean = (low + high) / 2.0
        if high - low < _CLOSE or mean in (low, high):
            break
        rest, other = 1.0 - mean, mean + difference
        other_rest = 1.0 - other
        if other <= 0.0 or other_rest <= 0.0:
            break
        rises, falls = base_ones / mean, base_noughts / rest
        other_rises, other_falls = ones / other, noughts / other_rest
        slope = rises - falls + other_rises - other_falls
        if slope > 0.0:
            low = mean
        else:
            high = mean
        bend = rises / mean + falls / rest + other_rises / other + other_falls / other_rest
        step = slope / bend if bend > 0.0 else 0.0
        mean += step
        if abs(step) < _CLOSE:
            break
    mean = min(max(mean, max(0.0, -difference)), min(1.0, 1.0 - difference))
    other = min(1.0, max(0.0, mean + difference))
    return log_likelihood(control, mean) + log_likelihood(treated, other)


def _boundary(possible: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where between a value that may be impossible and one that is possible the change lies, to the outside."""
    if possible(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2.0
        if possible(middle):
            inside = middle
        else:
            outside = middle
    return outside


def _times_log(count: float, share: float) -> float:
    if count <= 0.0:
        return 0.0
    return count * log(share) if share > 0.0 else -inf
