"""Whether two categories appear together more, or less, often than chance: phi, lift, Fisher's exact test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, sqrt


@dataclass(frozen=True, slots=True)
class PairTable:
    """Assessments with both, with the first, with the second, and in all: a 2 by 2 table by its margins."""

    together: int
    first: int
    second: int
    assessments: int

    def __post_init__(self) -> None:
        lowest = max(0, self.first + self.second - self.assessments)
        if not (lowest <= self.together <= min(self.first, self.second) <= self.assessments):
            raise ValueError("the counts of a 2 by 2 table contradict each other")

    @property
    def phi(self) -> float | None:
        """Phi coefficient, -1 to 1 (Yule, 1912); None where one category is in none or all of the assessments."""
        n, a, b = self.assessments, self.first, self.second
        spread = a * (n - a) * b * (n - b)
        if spread <= 0:
            return None
        return max(-1.0, min(1.0, (self.together * n - a * b) / sqrt(spread)))

    @property
    def lift(self) -> float:
        """How many times more often together than if they were independent; 0 where one never appears."""
        expected = self.first * self.second
        return self.together * self.assessments / expected if expected else 0.0


@lru_cache(maxsize=4096)
def fisher_exact(table: PairTable) -> float:
    """Two-sided p of Fisher's exact test: all tables with these margins that are no likelier than this one.

    Fisher (1935); as `fisher.test` of R, tables count as no likelier within a relative 1e-7. Both tails are summed
    outward from where they begin until the terms vanish, so the work grows with the spread, not with the margins.
    """
    n, a, b, k = table.assessments, table.first, table.second, table.together
    low, high = max(0, a + b - n), min(a, b)
    mode = max(low, min(high, (a + 1) * (b + 1) // (n + 2)))
    if k == mode:
        return 1.0
    observed = _log_probability(k, table)
    ceiling = observed + 1e-7
    if k < mode:
        other = _first(mode, high, lambda j: _log_probability(j, table) <= ceiling)
        tails = _tail(k, -1, low, table, observed) + (0.0 if other is None else _tail(other, 1, high, table, observed))
    else:
        other = _first(-mode, -low, lambda j: _log_probability(-j, table) <= ceiling)
        tails = _tail(k, 1, high, table, observed) + (0.0 if other is None else _tail(-other, -1, low, table, observed))
    return min(1.0, exp(observed) * tails)


def _log_probability(k: int, table: PairTable) -> float:
    """Log of the hypergeometric probability of `k` together."""
    n, a, b = table.assessments, table.first, table.second
    return _log_choose(a, k) + _log_choose(n - a, b - k) - _log_choose(n, b)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """The first of `low..high` for which `holds`, which once true stays true; None if it never does."""
    if not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _tail(start: int, step: int, end: int, table: PairTable, reference: float) -> float:
    """The probabilities from `start` to `end`, summed and divided by `exp(reference)`."""
    n, a, b = table.assessments, table.first, table.second
    term = exp(_log_probability(start, table) - reference)
    total, k = term, start
    while k != end and term > 1e-17 * total:
        if step > 0:
            term *= (a - k) * (b - k) / ((k + 1) * (n - a - b + k + 1))
        else:
            term *= k * (n - a - b + k) / ((a - k + 1) * (b - k + 1))
        k += step
        total += term
    return total
