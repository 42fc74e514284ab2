"""Windows of time: minutes for the last two days, hours for the last 400."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from llama_mapper.domain.mapping.monitoring.tally import Tally, together


class Width(IntEnum):
    """Seconds of a window."""

    MINUTE = 60
    HOUR = 3_600


KEPT = {Width.MINUTE: timedelta(days=2), Width.HOUR: timedelta(days=400)}
MOST_MINUTES = timedelta(hours=6)
"""The longest span that is told by minutes where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment up to, and without, another."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if not self.since < self.until:
            raise ValueError("a span begins before it ends")

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted from `start` (seconds since 1970-01-01, UTC) for the window's width."""

    start: int
    tally: Tally


def start_of(moment: datetime, width: Width) -> int:
    """The start of the window that a moment lies in."""
    return int(moment.timestamp()) // width * width


def moment_of(start: int) -> datetime:
    """The moment of a start."""
    return datetime.fromtimestamp(start, UTC)


def width_for(span: Span, now: datetime) -> Width:
    """Minutes where the span is short and they are still kept, else hours."""
    short = span.seconds <= MOST_MINUTES.total_seconds()
    return Width.MINUTE if short and span.since >= now - KEPT[Width.MINUTE] else Width.HOUR


def whole(span: Span, width: Width) -> Span:
    """The least span of whole windows that has all of it."""
    until = start_of(span.until, width)
    if moment_of(until) < span.until:
        until += width
    return Span(moment_of(start_of(span.since, width)), moment_of(until))


def merged(parts: Iterable[Window]) -> tuple[Window, ...]:
    """One window for each start, in order."""
    by_start: dict[int, Tally] = {}
    for part in parts:
        by_start.setdefault(part.start, Tally()).add(part.tally)
    return tuple(Window(start, by_start[start]) for start in sorted(by_start))


def filled(windows: Sequence[Window], span: Span, width: Width) -> tuple[Window, ...]:
    """The windows of a whole span without gaps: where nothing was counted, an empty one."""
    known = {window.start: window for window in windows}
    starts = range(start_of(span.since, width), start_of(span.until, width), width)
    return tuple(known.get(start) or Window(start, Tally()) for start in starts)


def total(windows: Iterable[Window]) -> Tally:
    """The sum of windows."""
    return together(window.tally for window in windows)
