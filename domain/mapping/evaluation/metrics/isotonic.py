"""A score made a probability by the best rising step function."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IsotonicMap:
    """Score → share right: never falls, and stands between 0 and 1. Between two steps it is the lower one's."""

    scores: tuple[float, ...]
    shares: tuple[float, ...]

    def __call__(self, score: float) -> float:
        """The share right at this score; below every known score that of the lowest."""
        if not self.shares:
            return 0.0
        return self.shares[max(0, bisect_right(self.scores, score) - 1)]


def fit_isotonic(scores: Sequence[float], right: Sequence[bool], prior: int = 1) -> IsotonicMap:
    """The rising function of the score that is nearest to what was right, in squares.

    Pool-adjacent-violators: Ayer et al. (1955); for calibration: Zadrozny and Elkan, "Transforming classifier scores
    into accurate multiclass probability estimates", KDD 2002. Each pool's share is (right + prior) / (n + 2 prior),
    with 1 Laplace's rule, so that a few answers that were all right do not give certainty; pools are made without the
    prior and pooled again where they would fall with it.
    """
    counted: dict[float, list[int]] = {}
    for score, hit in zip(scores, right, strict=True):
        cell = counted.setdefault(score, [0, 0])
        cell[0] += 1
        cell[1] += hit
    pools: list[tuple[float, int, int]] = []  # lowest score, labels, right
    for score, (labels, hits) in sorted(counted.items()):
        pools.append((score, labels, hits))
        _pool(pools, 0)
    smoothed: list[tuple[float, int, int]] = []
    for pool in pools:
        smoothed.append(pool)
        _pool(smoothed, prior)
    return IsotonicMap(
        tuple(score for score, _, _ in smoothed),
        tuple((hits + prior) / (labels + 2 * prior) for _, labels, hits in smoothed),
    )


def _pool(pools: list[tuple[float, int, int]], prior: int) -> None:
    """Join the last pools as long as the later has no greater share; `prior` right and wrong ones are added to each."""
    while len(pools) > 1:
        (score, labels, hits), (_, more_labels, more_hits) = pools[-2:]
        if (hits + prior) * (more_labels + 2 * prior) < (more_hits + prior) * (labels + 2 * prior):
            return
        pools[-2:] = [(score, labels + more_labels, hits + more_hits)]
