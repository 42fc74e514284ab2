"""Isotonic regression: the non-decreasing function nearest to what was seen (pool adjacent violators, PAVA).

Ayer et al., Annals of Mathematical Statistics 26 (1955); as calibration: Zadrozny and Elkan (2002).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A non-decreasing function by its corners; between two it is linear, beyond the first and last it is flat."""

    scores: tuple[float, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.scores or len(self.scores) != len(self.shares):
            raise ValueError("an isotonic function has one share for each score, and one at least")
        for numbers in (self.scores, self.shares):
            if any(later < earlier for earlier, later in pairwise(numbers)):
                raise ValueError("the corners of an isotonic function do not fall")

    def __call__(self, score: float) -> float:
        """The share at a score."""
        scores, shares = self.scores, self.shares
        place = bisect_left(scores, score)
        if place == 0:
            return shares[0]
        if place == len(scores):
            return shares[-1]
        left, right = scores[place - 1], scores[place]
        along = (score - left) / (right - left) if right > left else 1.0
        # No further than the corners, whatever rounding makes of the line between them.
        return min(shares[place], shares[place - 1] + along * (shares[place] - shares[place - 1]))


def fit_isotonic(seen: Iterable[tuple[float, float, float]], prior: float = 0.0) -> Isotonic:
    """The function nearest, in weighted squares, to (score, outcome 0 to 1, weight) triples.

    `prior` pseudo-observations of one half for each pool keep a pool of few from promising certainty; after that the
    pools are made non-decreasing again. Raises ValueError if nothing was seen.
    """
    ordered = sorted(seen)
    if not ordered:
        raise ValueError("there is nothing to fit to")
    pools: list[list[float]] = []  # lowest score, highest score, sum of outcomes, weight
    for score, outcome, weight in ordered:
        if pools and pools[-1][1] == score:
            pools[-1][2] += outcome * weight
            pools[-1][3] += weight
        else:
            pools.append([score, score, outcome * weight, weight])
    pools = _pooled(pools)
    if prior:
        pools = _pooled([[low, high, hits + prior * 0.5, weight + prior] for low, high, hits, weight in pools])
    scores: list[float] = []
    shares: list[float] = []
    for low, high, hits, weight in pools:
        for score in (low, high) if high > low else (low,):
            scores.append(score)
            shares.append(hits / weight)
    return Isotonic(tuple(scores), tuple(shares))


def _pooled(pools: Sequence[list[float]]) -> list[list[float]]:
    # Pools of equal shares are joined too: the pseudo-observations are then few against what was seen.
    stack: list[list[float]] = []
    for pool in pools:
        stack.append(list(pool))
        while len(stack) > 1 and stack[-2][2] * stack[-1][3] >= stack[-1][2] * stack[-2][3]:
            _, high, hits, weight = stack.pop()
            stack[-1] = [stack[-1][0], high, stack[-1][2] + hits, stack[-1][3] + weight]
    return stack
