"""When a change began: the split of a series that makes its two sides most likely. Pure functions.

Hinkley 1970, "Inference about the change-point in a sequence of random variables", Biometrika 57(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

_LEAST_GAIN = 9.0
"""Log-likelihood that a split must gain: with some hundred places for it, chance rarely gains as much."""


@dataclass(frozen=True, slots=True)
class Step:
    """One window: `part` of `whole`; for latency milliseconds of calls."""

    start: int
    part: float
    whole: float


def onset(steps: Sequence[Step], *, is_share: bool) -> int | None:
    """The start of the first window after the likeliest split; None where no split gains enough.

    Shares are taken as binomial; sums of times as exponential with their mean, which is coarse, and enough for a place.
    """
    gain_of = _binomial if is_share else _exponential
    all_part, all_whole = sum(step.part for step in steps), sum(step.whole for step in steps)
    part = whole = 0.0
    best, where = _LEAST_GAIN, None
    together = gain_of(all_part, all_whole)
    for step in steps:
        gain = gain_of(part, whole) + gain_of(all_part - part, all_whole - whole) - together
        if whole and gain > best:
            best, where = gain, step.start
        part += step.part
        whole += step.whole
    return where


def _binomial(part: float, whole: float) -> float:
    missing = whole - part
    return _x_log(part, whole) + _x_log(missing, whole)


def _exponential(part: float, whole: float) -> float:
    return -whole * log(part / whole) if part > 0.0 and whole > 0.0 else 0.0


def _x_log(part: float, whole: float) -> float:
    return part * log(part / whole) if part > 0.0 and whole > 0.0 else 0.0
