"""Intervals by drawing whole families with replacement, since labels of one vendor are not independent."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Statistic

Draws = tuple[tuple[int, ...], ...]
"""For each draw, how often each family came up."""

_DEFINED = 0.9
"""An interval needs this share of its replicates to be defined."""


@dataclass(frozen=True, slots=True)
class Replicated:
    """A figure, and its replicates in the draws; NaN where not defined."""

    value: float
    replicates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the bounds of its interval; None where not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def family_draws(families: int, resamples: int, seed: int) -> Draws:
    """`resamples` draws of as many families as there are, with replacement."""
    generator = random.Random(seed)  # noqa: S311 - no secret
    population = range(families)
    draws = []
    for _ in range(resamples):
        counts = [0] * families
        for number in generator.choices(population, k=families):
            counts[number] += 1
        draws.append(tuple(counts))
    return tuple(draws)


def replicated(statistic: Statistic, families: int, draws: Draws) -> Replicated:
    """The figure over all families, and over each draw."""
    return Replicated(statistic([1] * families), tuple(statistic(draw) for draw in draws))


def difference(one: Replicated, other: Replicated) -> Replicated:
    """`one` minus `other`, draw by draw: what is hard in a draw is hard for both, so the interval is that of pairs."""
    return Replicated(
        one.value - other.value, tuple(a - b for a, b in zip(one.replicates, other.replicates, strict=True))
    )


def interval(figure: Replicated, families: int, level: float = 0.95) -> Interval:
    """The percentile interval of a figure that `families` families with labels gave.

    Efron and Tibshirani, "An introduction to the bootstrap" (1993), chapter 13; drawing clusters instead of labels:
    Davison and Hinkley, "Bootstrap methods and their application" (1997), section 3.8. There is no interval for less
    than two families, nor where more than a tenth of the replicates is not defined.
    """
    if math.isnan(figure.value):
        return Interval(None)
    defined = sorted(value for value in figure.replicates if not math.isnan(value))
    if families < 2 or not defined or len(defined) < _DEFINED * len(figure.replicates):
        return Interval(figure.value)
    tail = (1 - level) / 2
    return Interval(figure.value, _quantile(defined, tail), _quantile(defined, 1 - tail))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear between neighbours (Hyndman and Fan 1996, definition 7)."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
