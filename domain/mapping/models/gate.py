"""Whether a model's figures are good enough for production."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """The least or the most that a figure may be; both hold where both are given."""

    minimum: float | None = None
    maximum: float | None = None


Gate = Mapping[str, Bound]
"""Figure → what it must be. Figures that are not named are of no account."""


def failures(metrics: Mapping[str, float], gate: Gate) -> tuple[str, ...]:
    """Every bound that does not hold, by figure; none means that the gate is passed.

    A figure that is missing or no number fails: nothing shows that it holds. One that equals its bound holds.
    """
    found = []
    for name in sorted(gate):
        bound, value = gate[name], metrics.get(name)
        if value is None or math.isnan(value):
            found.append(f"{name} is missing")
            continue
        if bound.minimum is not None and value < bound.minimum:
            found.append(f"{name} is {value:.6g}, at least {bound.minimum:g} is needed")
        if bound.maximum is not None and value > bound.maximum:
            found.append(f"{name} is {value:.6g}, at most {bound.maximum:g} is allowed")
    return tuple(found)
