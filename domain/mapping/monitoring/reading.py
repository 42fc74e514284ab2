"""Which windows a report is about, and reading them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from llama_mapper.domain.contracts.monitoring import POINTS_TOLD, Asking, Period, ReferenceSpan
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.monitoring.meter import WindowMeter
from llama_mapper.domain.mapping.monitoring.ports import WindowStore
from llama_mapper.domain.mapping.monitoring.tally import Tally
from llama_mapper.domain.mapping.monitoring.windows import (
    KEPT,
    Span,
    Width,
    Window,
    filled,
    total,
    whole,
    width_for,
)

_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Read:
    """Windows of a span without gaps."""

    span: Span
    width: Width
    windows: tuple[Window, ...]
    tally: Tally

    @property
    def period(self) -> Period:
        """The published form."""
        return Period(since=self.span.since, until=self.span.until, window_s=self.width, labels=self.tally.all.labels)


@dataclass(frozen=True, slots=True)
class Compared:
    """A span, and what it is compared with."""

    reference: Read
    reference_is_set: bool
    current: Read


def span_of(since: datetime, until: datetime) -> Span:
    """The span; raise `INVALID_REQUEST` if it ends before it begins or is longer than hours are kept."""
    if not timedelta() < until - since <= KEPT[Width.HOUR]:
        raise ValidationError("name a span of at most 400 days that begins before it ends")
    return Span(since, until)


class Reading:
    """Windows from the store, with what this process has counted so far."""

    def __init__(self, store: WindowStore, meter: WindowMeter, clock: Clock, reference_days: int) -> None:
        self._store = store
        self._meter = meter
        self._clock = clock
        self._days = timedelta(days=reference_days)
        self._references: dict[tuple[str, Span], Read] = {}

    async def usual(self, tenant_id: str, asked: Asking, lasting: timedelta) -> Read:
        """The span asked for, or that which ended just now."""
        now = self._clock()
        until = asked.until or now
        return await self.read(tenant_id, span_of(asked.since or until - lasting, until), asked.window_s)

    async def compared(self, tenant_id: str, asked: Asking) -> Compared:
        """The span asked for, or today, against the reference asked for, or set, or the days before."""
        now = self._clock()
        until = asked.until or now
        stored = await self._store.reference(tenant_id)
        reference = self._asked_reference(asked) or _stored(stored)
        usual = until.replace(hour=0, minute=0, second=0, microsecond=0)
        if stored is not None and asked.reference_since is None:
            # What is compared with a reference that stands begins where that was set, so that it only grows.
            usual = min(max(stored.until, stored.set_at, until - KEPT[Width.HOUR]), until - timedelta(minutes=1))
        since = asked.since or (usual if usual < until else usual - timedelta(days=1))
        current = await self.read(tenant_id, span_of(since, until), asked.window_s)
        is_set = reference is not None and asked.reference_since is None
        if reference is None:
            reference = Span(current.span.since - self._days, current.span.since)
        return Compared(await self._remembered(tenant_id, reference), is_set, current)

    async def read(self, tenant_id: str, span: Span, window_s: int | None = None) -> Read:
        """The windows that lie in a span or reach into it, up to now."""
        now = self._clock()
        width = width_for(span, now) if window_s is None else _width(window_s)
        if span.since >= now:
            raise ValidationError("the span lies in the future")
        rounded = whole(Span(span.since, min(span.until, now)), width)
        if rounded.seconds / width > POINTS_TOLD and window_s is not None:
            raise ValidationError(f"that would be more than {POINTS_TOLD:,} windows")
        await self._meter.flush(tenant_id)
        found = await self._store.windows(tenant_id, width, rounded)
        windows = filled(found, rounded, width)
        # Rates are of the time that is past: the last window has not ended yet.
        past = Span(rounded.since, min(rounded.until, max(now, rounded.since + timedelta(seconds=1))))
        return Read(past, width, windows, total(found))

    def _asked_reference(self, asked: Asking) -> Span | None:
        if asked.reference_since is None and asked.reference_until is None:
            return None
        if asked.reference_since is None or asked.reference_until is None:
            raise ValidationError("name both ends of the reference, or none")
        return span_of(asked.reference_since, asked.reference_until)

    async def _remembered(self, tenant_id: str, reference: Span) -> Read:
        """What lies more than an hour back changes no more."""
        found = self._references.get((tenant_id, reference))
        if found is None:
            found = await self.read(tenant_id, reference)
            if reference.until < self._clock() - timedelta(hours=1):
                while len(self._references) >= _REMEMBERED:
                    self._references.pop(next(iter(self._references)))
                self._references[tenant_id, reference] = found
        return found


def _stored(reference: ReferenceSpan | None) -> Span | None:
    return None if reference is None else Span(reference.since, reference.until)


def _width(window_s: int) -> Width:
    try:
        return Width(window_s)
    except ValueError:
        raise ValidationError("windows are of 60 or of 3,600 seconds") from None
