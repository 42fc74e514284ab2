"""Looking after each flush whether something has changed, and telling it once a day."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from llama_mapper.domain.contracts.monitoring import (
    Asking,
    DriftLevel,
    DriftReport,
    MonitoringAlert,
    MonitoringAlertKind,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.monitoring.anomaly import LIMIT
from llama_mapper.domain.mapping.monitoring.drift import STRONG
from llama_mapper.domain.mapping.monitoring.meter import WindowMeter
from llama_mapper.domain.mapping.monitoring.ports import AlertSink, WindowStore
from llama_mapper.domain.mapping.monitoring.service import MonitoringService
from llama_mapper.domain.mapping.monitoring.windows import Width, moment_of, start_of

_AT_ONCE = 8
_AGAIN_S = 60.0
_REMEMBERED = 10_000


@dataclass(slots=True)
class Installation:
    """What is known of the sum of all tenants since the last look; for metrics."""

    psi: dict[str, float] = field(default_factory=dict)
    js_distance: dict[str, float] = field(default_factory=dict)
    abstention_rising: bool = False


class MonitoringWatch:
    """Writes what was counted, and looks at the tenants that had traffic, each once a minute at the most.

    An anomaly is looked for when an hour has ended, drift at every look. Alerts are of single tenants; the sum of all
    is in `installation`. What fails is tried again later; `failures` counts it.
    """

    def __init__(
        self, service: MonitoringService, store: WindowStore, meter: WindowMeter, sink: AlertSink, clock: Clock
    ) -> None:
        self._service = service
        self._store = store
        self._meter = meter
        self._sink = sink
        self._clock = clock
        self._due: OrderedDict[str, None] = OrderedDict()
        self._looked: OrderedDict[str, float] = OrderedDict()
        self._hours: OrderedDict[str, int] = OrderedDict()
        self.installation = Installation()
        self.failures = 0

    async def flush(self) -> None:
        """Write, then look at a few of those who wrote."""
        for tenant_id in await self._meter.flush():
            self._due[tenant_id] = None
        now = self._clock().timestamp()
        ready = [one for one in self._due if now - self._looked.get(one, 0.0) >= _AGAIN_S]
        for tenant_id in ready[:_AT_ONCE]:
            del self._due[tenant_id]
            self._looked[tenant_id] = now
            while len(self._looked) > _REMEMBERED:
                self._looked.popitem(last=False)
            try:
                await self.look(tenant_id)
            except ServiceError:
                self.failures += 1

    async def look(self, tenant_id: str) -> None:
        """Look at one tenant now."""
        report = await self._service.drift(tenant_id, Asking())
        if tenant_id == EVERYONE:
            self.installation = _installation(report)
            return
        for figure in report.figures:
            if figure.level is DriftLevel.STRONG:
                await self._alert(tenant_id, MonitoringAlertKind.DRIFT, figure.subject, figure.psi, STRONG)
        if report.abstention.rising:
            evidence = report.abstention.log10_e_value
            await self._alert(tenant_id, MonitoringAlertKind.ABSTENTION, "abstention", evidence, 2.0)
        await self._look_at_the_last_hour(tenant_id)

    async def _look_at_the_last_hour(self, tenant_id: str) -> None:
        hour = start_of(self._clock(), Width.HOUR)
        if self._hours.get(tenant_id) == hour:
            return
        ended = moment_of(hour - Width.HOUR)
        for one in (await self._service.anomalies(tenant_id, 1)).anomalies:
            if one.at >= ended:
                await self._alert(tenant_id, MonitoringAlertKind.ANOMALY, one.series.value, one.deviations, LIMIT)
        self._hours[tenant_id] = hour
        while len(self._hours) > _REMEMBERED:
            self._hours.popitem(last=False)

    async def _alert(
        self, tenant_id: str, kind: MonitoringAlertKind, subject: str, value: float, threshold: float
    ) -> None:
        now = self._clock()
        alert = MonitoringAlert(at=now, day=now.date(), kind=kind, subject=subject, value=value, threshold=threshold)
        if await self._store.alert(tenant_id, alert):
            self._sink.tell(tenant_id, alert)


def _installation(report: DriftReport) -> Installation:
    said: Mapping[str, float] = {
        figure.subject: figure.psi for figure in report.figures if figure.level is not DriftLevel.TOO_FEW
    }
    distances = {figure.subject: figure.js_distance for figure in report.figures if figure.subject in said}
    return Installation(dict(said), distances, report.abstention.rising)
