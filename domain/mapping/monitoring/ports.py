"""What monitoring needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.contracts.monitoring import ChangeEvent, MonitoringAlert, ReferenceSpan
from llama_mapper.domain.mapping.monitoring.tally import Tally
from llama_mapper.domain.mapping.monitoring.windows import Span, Width, Window


@dataclass(frozen=True, slots=True)
class Part:
    """What one writer has counted of one window so far; a later `sequence` takes an earlier one's place."""

    width: Width
    start: int
    writer: str
    sequence: int
    tally: Tally


class WindowStore(Protocol):
    """Windows, references and alerts, by tenant. The tenant `EVERYONE` has the sum of all."""

    async def put(self, tenant_id: str, parts: Sequence[Part]) -> None:
        """Keep parts, all or none; one whose sequence is not higher than what is kept changes nothing.

        What is older than `KEPT` may be forgotten.
        """
        ...

    async def windows(self, tenant_id: str, width: Width, span: Span) -> Sequence[Window]:
        """Windows that start in the span, in order; those in which nothing was counted are not there."""
        ...

    async def set_reference(self, tenant_id: str, reference: ReferenceSpan | None) -> None:
        """Set or replace what a tenant's traffic is compared with; None takes it away."""
        ...

    async def reference(self, tenant_id: str) -> ReferenceSpan | None:
        """What was set."""
        ...

    async def alert(self, tenant_id: str, alert: MonitoringAlert) -> bool:
        """Keep an alert; False if its kind and subject were told already that day, by whichever process."""
        ...

    async def alerts(self, tenant_id: str, limit: int) -> Sequence[MonitoringAlert]:
        """Alerts of a tenant, newest first."""
        ...


class ChangeEvents(Protocol):
    """What somebody changed, as the audited histories tell it."""

    async def between(self, tenant_id: str, span: Span, limit: int) -> Sequence[ChangeEvent]:
        """Changes that hold for a tenant, newest first: its own, and those that hold for everyone."""
        ...

    async def note(self, marks: Mapping[str, str], at: datetime) -> None:
        """Keep what runs here since now (name → version or digest), where that differs from what was noted last."""
        ...


class AlertSink(Protocol):
    """Where alerts go besides the store."""

    def tell(self, tenant_id: str, alert: MonitoringAlert) -> None:
        """Tell whoever watches. Raises nothing."""
        ...
