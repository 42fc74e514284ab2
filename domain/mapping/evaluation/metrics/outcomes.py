"""What came of each label, and figures that are sums over labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import mul

Statistic = Callable[[Sequence[int]], float]
"""How often each family counts → the figure; NaN where it is not defined, for example a mean of nothing.

With 1 for every family it is the figure itself, and with the counts of a draw with replacement a bootstrap replicate.
A family that counts twice counts as two families with the same labels.
"""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """For each label: its family's number, whether the answer is right, whether there is one, and its confidence.

    An abstention is never right. `families` is how many families there are; some may have no label here.
    """

    family: tuple[int, ...]
    right: tuple[bool, ...]
    answered: tuple[bool, ...]
    confidence: tuple[float, ...]
    families: int

    def __post_init__(self) -> None:
        if not len(self.family) == len(self.right) == len(self.answered) == len(self.confidence):
            raise ValueError("the columns differ in length")
        if any(right and not answered for right, answered in zip(self.right, self.answered, strict=True)):
            raise ValueError("an abstention is never right")


def ratio(
    numerators: Sequence[float], denominators: Sequence[float], family: Sequence[int], families: int
) -> Statistic:
    """The sum of the numerators over the sum of the denominators."""
    above, below = [0.0] * families, [0.0] * families
    for number, numerator, denominator in zip(family, numerators, denominators, strict=True):
        above[number] += numerator
        below[number] += denominator

    def statistic(weights: Sequence[int]) -> float:
        base = sum(map(mul, weights, below))
        return sum(map(mul, weights, above)) / base if base else math.nan

    return statistic


def share(flags: Sequence[bool], family: Sequence[int], families: int) -> Statistic:
    """The share of labels of which `flags` holds."""
    return ratio([float(flag) for flag in flags], [1.0] * len(flags), family, families)


def mean_of_groups(values: Sequence[float], groups: Sequence[str], family: Sequence[int], families: int) -> Statistic:
    """The mean over groups of each group's mean value: every group counts alike. A group lies within one family."""
    members: dict[str, list[float]] = {}
    home: dict[str, int] = {}
    for value, group, number in zip(values, groups, family, strict=True):
        members.setdefault(group, []).append(value)
        if home.setdefault(group, number) != number:
            raise ValueError("a group lies within one family")
    means = [sum(members[group]) / len(members[group]) for group in members]
    return ratio(means, [1.0] * len(means), [home[group] for group in members], families)
