"""The use cases of monitoring: they keep what `MonitoringApi` promises."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from llama_mapper.domain.contracts.monitoring import (
    Anomaly,
    AnomalyReport,
    Asking,
    CapacityReport,
    CauseDimension,
    CauseElement,
    CauseMetric,
    CauseReport,
    Correlation,
    CorrelationReport,
    DriftReport,
    MonitoringAlertList,
    ReferenceAnswer,
    ReferenceRequest,
    ReferenceSpan,
    SeriesKind,
    SeriesWatched,
    ThroughputReport,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.costs.ports import SpendingRecords
from llama_mapper.domain.mapping.costs.spending import NANO, day_of
from llama_mapper.domain.mapping.monitoring.anomaly import LIMIT, Judged, Point, judge
from llama_mapper.domain.mapping.monitoring.attribution import DimensionExplained
from llama_mapper.domain.mapping.monitoring.capacity import Terms, needs
from llama_mapper.domain.mapping.monitoring.causes import began, explained, is_changed, nearest, value_of
from llama_mapper.domain.mapping.monitoring.drift import abstention_change, figures, strongest
from llama_mapper.domain.mapping.monitoring.meter import WindowMeter
from llama_mapper.domain.mapping.monitoring.ports import ChangeEvents, WindowStore
from llama_mapper.domain.mapping.monitoring.ranks import ALPHA, Together, adjusted, correlations
from llama_mapper.domain.mapping.monitoring.reading import Reading, span_of
from llama_mapper.domain.mapping.monitoring.series import compared, daily, points
from llama_mapper.domain.mapping.monitoring.throughput import throughput
from llama_mapper.domain.mapping.monitoring.windows import (
    KEPT,
    Span,
    Width,
    filled,
    merged,
    moment_of,
    start_of,
    whole,
)

DAY_S = 86_400
_COMPARED_DAYS = 28
_MOST_DAYS = 90
_ALERTS_TOLD = 1_000
_ANOMALIES_TOLD = 500
_CORRELATIONS_TOLD = 100
_CHANGES_READ, _CHANGES_TOLD = 500, 50
_AROUND = timedelta(hours=6)
_HOURS_KINDS = tuple(kind for kind in SeriesKind if kind is not SeriesKind.COST)


class MonitoringService:
    """Reports over what was counted. `places` is who works → calls that may be under way at one time in all."""

    def __init__(
        self,
        store: WindowStore,
        meter: WindowMeter,
        changes: ChangeEvents,
        ledger: SpendingRecords,
        clock: Clock,
        *,
        places: Mapping[str, float],
        instances: int = 1,
        reference_days: int = 7,
        minimum_labels: int = 500,
    ) -> None:
        """With fewer than `minimum_labels` on a side nothing is said of drift."""
        self._store = store
        self._meter = meter
        self._changes = changes
        self._ledger = ledger
        self._clock = clock
        self._places = places
        self._instances = instances
        self._minimum = minimum_labels
        self._reading = Reading(store, meter, clock, reference_days)

    async def throughput(self, tenant_id: str, asked: Asking) -> ThroughputReport:
        """See `MonitoringApi.throughput`."""
        now = self._clock()
        since, until = asked.since or (asked.until or now) - timedelta(hours=1), asked.until or now
        if asked.window_s is None and (until - since) / timedelta(hours=1) > 1_400:
            raise ValidationError("name a span of at most 58 days")
        read = await self._reading.read(tenant_id, span_of(since, until), asked.window_s)
        return throughput(read.period, read.span, read.windows, self._places)

    async def drift(self, tenant_id: str, asked: Asking) -> DriftReport:
        """See `MonitoringApi.drift`."""
        both = await self._reading.compared(tenant_id, asked)
        found = figures(both.reference.tally, both.current.tally, self._minimum)
        return DriftReport(
            reference=both.reference.period,
            reference_is_set=both.reference_is_set,
            current=both.current.period,
            level=strongest(found),
            figures=found,
            abstention=abstention_change(both.reference.tally, both.current.tally),
        )

    async def anomalies(self, tenant_id: str, days: int) -> AnomalyReport:
        """See `MonitoringApi.anomalies`. The hour that has not ended is not judged, nor is the day's cost."""
        if not 1 <= days <= _MOST_DAYS:
            raise ValidationError(f"name 1 to {_MOST_DAYS} days")
        now = self._clock()
        until = moment_of(start_of(now, Width.HOUR))
        since = until - timedelta(days=days)
        span = Span(since - timedelta(days=_COMPARED_DAYS), until)
        await self._meter.flush(tenant_id)
        stored = merged(await self._store.windows(tenant_id, Width.HOUR, span))
        # Nothing is known of the time before the first window; from then on an empty hour is one without traffic.
        windows = filled(stored, Span(moment_of(stored[0].start), until), Width.HOUR) if stored else ()
        watched: list[SeriesWatched] = []
        anomalies: list[Anomaly] = []
        for kind in _HOURS_KINDS:
            await asyncio.sleep(0)
            judged = judge(points(kind, windows), DAY_S, Width.HOUR, start_of(since, Width.HOUR))
            _tell(kind, judged, watched, anomalies)
        costs = await self._costs(tenant_id, span)
        _tell(
            SeriesKind.COST,
            judge(costs, DAY_S, DAY_S, start_of(since, Width.HOUR) // DAY_S * DAY_S),
            watched,
            anomalies,
        )
        anomalies.sort(key=lambda one: (one.at, abs(one.deviations)), reverse=True)
        return AnomalyReport(
            since=since,
            until=until,
            threshold=LIMIT,
            series=tuple(watched),
            anomalies=tuple(anomalies[:_ANOMALIES_TOLD]),
        )

    async def correlations(self, tenant_id: str, asked: Asking) -> CorrelationReport:
        """See `MonitoringApi.correlations`. The window that has not ended is left out."""
        read = await self._reading.usual(tenant_id, asked, timedelta(days=7))
        ended = [window for window in read.windows if window.start + read.width <= self._clock().timestamp()]
        found: list[Together] = []
        for one in correlations(compared(ended)):
            found.append(one)
            await asyncio.sleep(0)
        p_values = adjusted([one.p for one in found])
        told = [
            Correlation(
                one=one.one,
                other=one.other,
                rho=one.rho,
                lag_windows=one.lag,
                windows=one.windows,
                adjusted_p=p,
            )
            for one, p in zip(found, p_values, strict=True)
            if p < ALPHA
        ]
        told.sort(key=lambda one: (-abs(one.rho), one.one, one.other))
        return CorrelationReport(
            period=read.period, pairs_compared=len(found), correlations=tuple(told[:_CORRELATIONS_TOLD])
        )

    async def causes(self, tenant_id: str, metric: CauseMetric, asked: Asking) -> CauseReport:
        """See `MonitoringApi.causes`."""
        both = await self._reading.compared(tenant_id, asked)
        before, now = both.reference.tally, both.current.tally
        # The beginning may lie in either span, but not in what is between them.
        windows = [*both.reference.windows, *both.current.windows]
        start = began(metric, sorted(windows, key=lambda window: window.start))
        around = moment_of(start) if start is not None else both.current.span.since
        changes = await self._changes.between(tenant_id, Span(around - _AROUND, around + _AROUND), _CHANGES_READ)
        return CauseReport(
            metric=metric,
            reference=both.reference.period,
            current=both.current.period,
            reference_value=value_of(metric, before),
            current_value=value_of(metric, now),
            changed=is_changed(metric, before, now),
            began=None if start is None else moment_of(start),
            dimensions=tuple(_dimension(one) for one in explained(metric, before, now)),
            changes=nearest(changes, int(around.timestamp()), both.current.width, _CHANGES_TOLD),
        )

    async def capacity(self, tenant_id: str, growth: float, utilisation: float, days: int) -> CapacityReport:
        """See `MonitoringApi.capacity`."""
        if not 1 <= days <= _MOST_DAYS:
            raise ValidationError(f"name 1 to {_MOST_DAYS} days")
        if not 0.01 <= growth <= 1_000.0 or not 0.05 <= utilisation <= 0.99:
            raise ValidationError("growth is 0.01 to 1,000, utilisation 0.05 to 0.99")
        now = self._clock()
        span = Span(now - timedelta(days=days), now)
        await self._meter.flush(tenant_id)
        hours = await self._store.windows(tenant_id, Width.HOUR, whole(span, Width.HOUR))
        recent = whole(Span(max(span.since, now - KEPT[Width.MINUTE]), now), Width.MINUTE)
        minutes = await self._store.windows(tenant_id, Width.MINUTE, recent)
        return CapacityReport(
            since=span.since,
            until=span.until,
            growth=growth,
            utilisation=utilisation,
            instances=self._instances,
            needs=needs(hours, minutes, Terms(growth, utilisation, self._places)),
        )

    async def alerts(self, tenant_id: str) -> MonitoringAlertList:
        """The newest 1,000."""
        return MonitoringAlertList(items=tuple(await self._store.alerts(tenant_id, _ALERTS_TOLD)))

    async def reference(self, tenant_id: str) -> ReferenceAnswer:
        """What the tenant's traffic is compared with."""
        return ReferenceAnswer(reference=await self._store.reference(tenant_id))

    async def set_reference(self, tenant_id: str, asked: ReferenceRequest, by: str) -> ReferenceAnswer:
        """See `MonitoringApi.set_reference`."""
        now = self._clock()
        if asked.since.tzinfo is None or asked.until.tzinfo is None:
            raise ValidationError("moments need their time zone")
        span = span_of(asked.since, asked.until)
        if whole(span, Width.HOUR) != span or span.until > now:
            raise ValidationError("a reference has whole hours and lies in the past")
        set_to = ReferenceSpan(since=span.since, until=span.until, set_at=now, set_by=by)
        await self._store.set_reference(tenant_id, set_to)
        return ReferenceAnswer(reference=set_to)

    async def remove_reference(self, tenant_id: str) -> ReferenceAnswer:
        """Compare with the days before again."""
        await self._store.set_reference(tenant_id, None)
        return ReferenceAnswer(reference=None)

    async def _costs(self, tenant_id: str, span: Span) -> dict[int, Point]:
        """US dollars by whole day from the first day with any."""
        first, last = day_of(span.since), day_of(span.until) - 1
        by_day: dict[int, float] = {}
        for key, amount in (await self._ledger.spending(tenant_id, first, last)).items():
            by_day[key.day] = by_day.get(key.day, 0.0) + amount.nanodollars / NANO
        if not any(by_day.values()):
            return {}
        return daily({day: by_day.get(day, 0.0) for day in range(min(by_day), last + 1)})


def _tell(kind: SeriesKind, judged: list[Judged], watched: list[SeriesWatched], anomalies: list[Anomaly]) -> None:
    beyond = [one for one in judged if one.anomalous]
    watched.append(SeriesWatched(series=kind, judged=len(judged), anomalies=len(beyond)))
    anomalies += [
        Anomaly(
            series=kind,
            at=moment_of(one.start),
            value=one.value,
            usual=one.usual,
            deviations=max(-1e12, min(1e12, one.deviations)),
            compared_with="the same hour of earlier days" if one.seasonal else "what was just before",
            points=one.points,
        )
        for one in beyond
    ]


def _dimension(one: DimensionExplained) -> CauseDimension:
    return CauseDimension(
        dimension=one.dimension,
        surprise=one.surprise,
        elements=tuple(
            CauseElement(
                element=each.element or "all",
                explains=each.power,
                surprise=each.surprise,
                reference_value=each.before,
                current_value=each.now,
            )
            for each in one.elements
        ),
    )
