"""Series that go up and down together: Spearman's rank correlation. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import atanh, erfc, sqrt

LEAST_WINDOWS = 12
LAGS = 3
ALPHA = 0.01
_CORRECTION = 1.06
"""Of the variance of Fisher's z for rank correlations: Fieller, Hartley and Pearson 1957."""


@dataclass(frozen=True, slots=True)
class Together:
    """Two series, their rank correlation at the lag where it is strongest, and how many windows tell it."""

    one: str
    other: str
    rho: float
    lag: int
    windows: int
    p: float
    """How likely chance alone makes the strongest of the lags so strong (Bonferroni)."""


def spearman(left: Sequence[float], right: Sequence[float]) -> float:
    """The rank correlation, ties at their mean rank; 0 where one of both never changes."""
    return _pearson(_ranks(left), _ranks(right))


def correlations(series: Mapping[str, Sequence[float | None]]) -> Iterator[Together]:
    """Every pair of series with enough windows, compared by their changes from one window to the next, one by one.

    Changes and not levels: two series that only grow would go together without having to do with each other. Windows
    in which one of both is None are left out.
    """
    changes = {name: _changes(values) for name, values in series.items()}
    for one, other in combinations(changes, 2):
        if (found := _strongest(one, other, changes[one], changes[other])) is not None:
            yield found


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's (1995) adjusted values, in the order given."""
    count = len(p_values)
    order = sorted(range(count), key=p_values.__getitem__, reverse=True)
    found = [1.0] * count
    least = 1.0
    for place, number in enumerate(order):
        least = min(least, p_values[number] * count / (count - place))
        found[number] = least
    return found


def _changes(values: Sequence[float | None]) -> list[float | None]:
    return [None if before is None or now is None else now - before for before, now in pairwise(values)]


def _strongest(one: str, other: str, left: Sequence[float | None], right: Sequence[float | None]) -> Together | None:
    best: Together | None = None
    lags = 2 * LAGS + 1
    for lag in sorted(range(-LAGS, LAGS + 1), key=abs):
        pairs = [(left[place], right[place + lag]) for place in range(max(0, -lag), min(len(left), len(right) - lag))]
        both = [(x, y) for x, y in pairs if x is not None and y is not None]
        if len(both) < LEAST_WINDOWS:
            continue
        rho = spearman([x for x, _ in both], [y for _, y in both])
        if best is None or abs(rho) > abs(best.rho):
            best = Together(one, other, rho, lag, len(both), min(1.0, lags * _chance(rho, len(both))))
    return best


def _chance(rho: float, count: int) -> float:
    """Two-sided, by Fisher's z."""
    z = abs(atanh(max(-0.999999, min(0.999999, rho)))) * sqrt((count - 3) / _CORRECTION)
    return erfc(z / sqrt(2.0))


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    place = 0
    while place < len(order):
        last = place
        while last + 1 < len(order) and values[order[last + 1]] == values[order[place]]:
            last += 1
        for number in order[place : last + 1]:
            ranks[number] = (place + last) / 2.0
        place = last + 1
    return ranks


def _pearson(left: Sequence[float], right: Sequence[float]) -> float:
    count = len(left)
    mean_left, mean_right = sum(left) / count, sum(right) / count
    products = sum((x - mean_left) * (y - mean_right) for x, y in zip(left, right, strict=True))
    squares = sum((x - mean_left) ** 2 for x in left) * sum((y - mean_right) ** 2 for y in right)
    return max(-1.0, min(1.0, products / sqrt(squares))) if squares > 0.0 else 0.0
