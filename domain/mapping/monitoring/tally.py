"""Counts of a window of time: a bounded number of series, whole numbers that can be added in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

OTHER = "other"
"""What stands for all elements of a dimension beyond those that have a series of their own."""

CONFIDENCE_BINS = 20
"""Bin k counts answers with a confidence from k/20 up to, and without, (k + 1)/20; 1 belongs to the last."""


class Dimension(StrEnum):
    """What is counted apart."""

    ALL = "all"
    """Everything; its one element is `all`."""
    STAGE = "stage"
    """The stage that answered; `abstained` is one."""
    CATEGORY = "category"
    """The canonical id's first two levels, of answers."""
    VENDOR = "vendor"
    """Vendors that the catalogue knows."""
    CONFIDENCE = "confidence"
    """Answers by bin of confidence."""
    WORK = "work"
    """Who worked: `catalogue`, for all that is no stage after it, or a stage that was asked."""
    VERSION = "version"
    """`stage@version` of a stage that was asked."""
    FAULT = "fault"
    """`stage: reason` of a stage that could not try."""
    LATENCY = "latency"
    """Calls by `who:bucket`; `call` is the whole, the others are as in `work`."""


_MOST = {
    Dimension.ALL: 1,
    Dimension.STAGE: 16,
    Dimension.CATEGORY: 64,
    Dimension.VENDOR: 64,
    Dimension.CONFIDENCE: CONFIDENCE_BINS,
    Dimension.WORK: 8,
    Dimension.VERSION: 16,
    Dimension.FAULT: 48,
    Dimension.LATENCY: 256,
}
"""Series of each dimension that one window may have, besides `other`."""


@dataclass(slots=True)
class Counts:
    """One series of one window. What does not apply to a dimension stays 0."""

    labels: int = 0
    abstained: int = 0
    """Labels that nobody was sure about."""
    faulted: int = 0
    """Labels for which a stage could not try."""
    wrong: int = 0
    """Labels for which a model broke the form of its answer, twice or without time for a second try."""
    calls: int = 0
    busy_us: int = 0
    """Microseconds of work."""
    abstained_ppm: int = 0
    """Over calls, the sum of the share of labels that abstained, in millionths."""
    faulted_ppm: int = 0
    """Over calls, the sum of the share of labels for which a stage could not try, in millionths."""

    def add(self, other: Counts) -> None:
        """Add another's numbers."""
        for name in _COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_list(self) -> list[int]:
        """The numbers in order, without zeros at the end."""
        found = [getattr(self, name) for name in _COLUMNS]
        while found and not found[-1]:
            found.pop()
        return found


_COLUMNS = tuple(each.name for each in fields(Counts))


@dataclass(slots=True)
class Tally:
    """All series of one window."""

    series: dict[Dimension, dict[str, Counts]] = field(default_factory=dict)

    def at(self, dimension: Dimension, element: str) -> Counts:
        """The series of an element, to add to; that of `other` where the dimension has as many as it may."""
        own = self.series.get(dimension)
        if own is None:
            own = self.series[dimension] = {}
        found = own.get(element)
        if found is None:
            if len(own) - (OTHER in own) >= _MOST[dimension] and element != OTHER:
                return self.at(dimension, OTHER)
            found = own[element] = Counts()
        return found

    def of(self, dimension: Dimension) -> Mapping[str, Counts]:
        """The series of a dimension, by element."""
        return self.series.get(dimension, {})

    @property
    def all(self) -> Counts:
        """The window's totals."""
        return self.of(Dimension.ALL).get("all", _NOTHING)

    def add(self, other: Tally) -> None:
        """Add another window's numbers."""
        for dimension, own in other.series.items():
            for element, counts in own.items():
                self.at(dimension, element).add(counts)

    def latencies(self, who: str) -> dict[int, int]:
        """Calls by bucket of latency (`releases.latencies`)."""
        found: dict[int, int] = {}
        for element, counts in self.of(Dimension.LATENCY).items():
            name, _, bucket = element.rpartition(":")
            if name == who:
                found[int(bucket)] = counts.calls
        return found


_NOTHING = Counts()


def together(tallies: Iterable[Tally]) -> Tally:
    """The sum."""
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total


def as_document(tally: Tally) -> dict[str, dict[str, list[int]]]:
    """The tally as plain data; `tally_of` reads it again."""
    return {
        dimension.value: {element: counts.as_list() for element, counts in own.items()}
        for dimension, own in tally.series.items()
    }


def tally_of(document: Mapping[str, Mapping[str, list[int]]]) -> Tally:
    """The tally of a document; a dimension or a column that a newer version wrote is passed over."""
    tally = Tally()
    for dimension, element, numbers in _listed(document):
        tally.series.setdefault(dimension, {})[element] = Counts(*numbers[: len(_COLUMNS)])
    return tally


def _listed(document: Mapping[str, Any]) -> Iterator[tuple[Dimension, str, list[int]]]:
    known = {dimension.value for dimension in Dimension}
    for name, own in document.items():
        if name in known:
            for element, numbers in own.items():
                yield Dimension(name), element, numbers


def confidence_bin(confidence: float) -> str:
    """The bin's element."""
    return f"{min(CONFIDENCE_BINS - 1, max(0, int(confidence * CONFIDENCE_BINS + 1e-9))):02d}"
