"""How many places calls need, and when a growing load reaches a bound. Pure functions.

Calls come at random (Poisson) at rate r, each takes a place for a time with mean S; a call that finds all c places
taken waits. With the offered load a = r S, in erlangs, Erlang's C formula gives the share C that waits, and the mean
wait is C S / (c - a) (Kleinrock, Queueing Systems I, 1975, section 3.5). Times are taken as exponential; steadier ones
wait less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import median

_NORMAL_95 = 1.6448536269514722
_MOST_PLACES = 1_000_000_000


def erlang_c(places: int, load: float) -> float:
    """Share of calls that wait, with `load` erlangs on so many places; 1 where the load does not fit.

    By the recursion of Erlang's B formula, which no load overflows.
    """
    if load <= 0.0:
        return 0.0
    if load >= places:
        return 1.0
    blocked = 1.0
    for number in range(1, places + 1):
        blocked = load * blocked / (number + load * blocked)
    return min(1.0, blocked / (1.0 - load / places * (1.0 - blocked)))


def mean_wait(places: int, load: float, service: float) -> float:
    """Mean time that a call waits, in the unit of `service`; the load must be less than the places."""
    if load >= places:
        raise ValueError("more load than places: the queue grows without end")
    return erlang_c(places, load) * service / (places - load)


def places_for(load: float, utilisation: float) -> int:
    """The fewest places that are used by no more than `utilisation`, at least 1."""
    return min(_MOST_PLACES, max(1, ceil(load / utilisation - 1e-9)))


@dataclass(frozen=True, slots=True)
class Slope:
    """The median slope between all pairs of points, and its interval at 90 %, a step; `level` fits the last point."""

    middle: float
    low: float
    high: float
    level: float


def theil_sen(values: Sequence[tuple[float, float]]) -> Slope | None:
    """The slope through points (x, y); None for fewer than three.

    Theil 1950; the interval is Sen's (1968, "Estimates of the regression coefficient based on Kendall's tau"), by the
    normal approximation.
    """
    count = len(values)
    if count < 3:
        return None
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(values)
        for later in values[place + 1 :]
        if later[0] != earlier[0]
    )
    if not slopes:
        return None
    middle = median(slopes)
    spread = _NORMAL_95 * sqrt(count * (count - 1) * (2 * count + 5) / 18.0)
    low = max(0, int((len(slopes) - spread) / 2.0))
    high = min(len(slopes) - 1, ceil((len(slopes) + spread) / 2.0))
    level = median(y - middle * x for x, y in values) + middle * values[-1][0]
    return Slope(middle, slopes[low], slopes[high], level)


def steps_until(bound: float, level: float, slope: float) -> float | None:
    """Steps until a level that grows by `slope` a step reaches the bound; 0 where it has, None where it never does."""
    if level >= bound:
        return 0.0
    return (bound - level) / slope if slope > 0.0 else None
