"""A store whose faults can be chosen, and a clock that is moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from llama_mapper.domain.contracts.monitoring import ChangeEvent, MonitoringAlert, ReferenceSpan
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey
from llama_mapper.domain.mapping.monitoring.ports import Part
from llama_mapper.domain.mapping.monitoring.tally import as_document, tally_of
from llama_mapper.domain.mapping.monitoring.windows import Span, Width, Window, merged


class Moving:
    """A clock at `now`."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Windows:
    """`away` before anything is written, `lost` after."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[tuple[Width, int, str], tuple[int, dict[str, dict[str, list[int]]]]]] = {}
        self.references: dict[str, ReferenceSpan] = {}
        self.told: list[tuple[str, MonitoringAlert]] = []
        self.away = False
        self.lost = False

    async def put(self, tenant_id: str, parts: Sequence[Part]) -> None:
        if self.away:
            raise StoreError("away")
        own = self.parts.setdefault(tenant_id, {})
        for part in parts:
            key = part.width, part.start, part.writer
            if key not in own or own[key][0] < part.sequence:
                own[key] = part.sequence, as_document(part.tally)
        if self.lost:
            raise StoreError("nobody knows")

    async def windows(self, tenant_id: str, width: Width, span: Span) -> Sequence[Window]:
        return merged(
            Window(start, tally_of(document))
            for (its_width, start, _), (_, document) in self.parts.get(tenant_id, {}).items()
            if its_width is width and span.since.timestamp() <= start < span.until.timestamp()
        )

    async def set_reference(self, tenant_id: str, reference: ReferenceSpan | None) -> None:
        if reference is None:
            self.references.pop(tenant_id, None)
        else:
            self.references[tenant_id] = reference

    async def reference(self, tenant_id: str) -> ReferenceSpan | None:
        return self.references.get(tenant_id)

    async def alert(self, tenant_id: str, alert: MonitoringAlert) -> bool:
        known = {(tenant, one.day, one.kind, one.subject) for tenant, one in self.told}
        if (tenant_id, alert.day, alert.kind, alert.subject) in known:
            return False
        self.told.append((tenant_id, alert))
        return True

    async def alerts(self, tenant_id: str, limit: int) -> Sequence[MonitoringAlert]:
        return [alert for tenant, alert in reversed(self.told) if tenant == tenant_id][:limit]


class Changes:
    """What was changed."""

    def __init__(self, *events: ChangeEvent) -> None:
        self.events = events

    async def between(self, tenant_id: str, span: Span, limit: int) -> Sequence[ChangeEvent]:
        return [one for one in self.events if span.since <= one.at < span.until][:limit]

    async def note(self, marks: Mapping[str, str], at: datetime) -> None:
        raise NotImplementedError


class Spending:
    """What was spent, as it was given."""

    def __init__(self, amounts: Mapping[SpendingKey, Amount] | None = None) -> None:
        self.amounts = dict(amounts or {})

    async def spending(self, tenant_id: str, first_day: int, last_day: int) -> Mapping[SpendingKey, Amount]:
        own = self.amounts.items()
        return {key: each for key, each in own if key.tenant_id == tenant_id and first_day <= key.day <= last_day}
