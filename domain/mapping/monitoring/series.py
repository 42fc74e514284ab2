"""Windows as series of numbers. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

from llama_mapper.domain.contracts.monitoring import SeriesKind
from llama_mapper.domain.mapping.monitoring.anomaly import Point
from llama_mapper.domain.mapping.monitoring.tally import CONFIDENCE_BINS, OTHER, Dimension, Tally
from llama_mapper.domain.mapping.monitoring.windows import Window, total

_NAMED = 6
"""Vendors and categories whose shares are compared with the rest."""

_LEAST_LABELS = 20
"""Labels of a window below which a share of them says nothing."""


def mean_confidence(tally: Tally) -> float | None:
    """From the middles of the bins; None where nothing was answered."""
    bins = tally.of(Dimension.CONFIDENCE)
    labels = sum(counts.labels for counts in bins.values())
    if not labels:
        return None
    return sum((int(name) + 0.5) / CONFIDENCE_BINS * counts.labels for name, counts in bins.items()) / labels


def points(kind: SeriesKind, windows: Sequence[Window]) -> dict[int, Point]:
    """The series by start, with what counting alone does to a value; windows that say nothing are left out.

    Chance: the square root of a count (Poisson), and sqrt(p (1 - p) / n) of a share, with a half more on both sides.
    """
    found = {window.start: _point(kind, window.tally) for window in windows}
    return {start: point for start, point in found.items() if point is not None}


def compared(windows: Sequence[Window]) -> dict[str, list[float | None]]:
    """All series, the shares of the busiest vendors and of the stages: what may go together."""
    kinds = [kind for kind in SeriesKind if kind is not SeriesKind.COST]
    found: dict[str, list[float | None]] = {}
    for kind in kinds:
        own = [_point(kind, window.tally) for window in windows]
        found[kind.value] = [None if point is None else point.value for point in own]
    every = total(windows)
    for dimension in (Dimension.VENDOR, Dimension.STAGE):
        busiest = sorted(every.of(dimension).items(), key=lambda each: (-each[1].labels, each[0]))
        for name in [name for name, _ in busiest if name not in (OTHER, "abstained")][:_NAMED]:
            found[f"{dimension.value} {name}"] = [_share(window.tally, dimension, name) for window in windows]
    return found


def _share(tally: Tally, dimension: Dimension, name: str) -> float | None:
    labels = tally.all.labels
    own = tally.of(dimension).get(name)
    return None if labels < _LEAST_LABELS else (0.0 if own is None else own.labels / labels)


def _point(kind: SeriesKind, tally: Tally) -> Point | None:
    every = tally.all
    match kind:
        case SeriesKind.THROUGHPUT:
            return Point(float(every.labels), sqrt(every.labels + 1.0))
        case SeriesKind.WRONG_ANSWERS:
            return Point(float(every.wrong), sqrt(every.wrong + 1.0))
        case SeriesKind.LATENCY:
            if not every.calls:
                return None
            mean = every.busy_us / every.calls / 1e3
            return Point(mean, mean / sqrt(every.calls))
        case SeriesKind.ABSTENTION:
            return _of_labels(every.abstained, every.labels)
        case SeriesKind.ERRORS:
            return _of_labels(every.faulted, every.labels)
        case SeriesKind.CONFIDENCE:
            mean_of = mean_confidence(tally)
            return None if mean_of is None or every.labels < _LEAST_LABELS else Point(mean_of, 0.5 / sqrt(every.labels))
        case SeriesKind.COST:
            return None


def _of_labels(part: int, labels: int) -> Point | None:
    if labels < _LEAST_LABELS:
        return None
    share = min(1.0, (part + 0.5) / (labels + 1.0))
    return Point(part / labels, sqrt(share * (1.0 - share) / labels))


def daily(amounts: Mapping[int, float]) -> dict[int, Point]:
    """Amounts by day (since 1970-01-01) as a series by start."""
    return {day * 86_400: Point(amount) for day, amount in amounts.items()}
