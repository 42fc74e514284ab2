"""Windows of counts, references and alerts in a relational database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.mapping.tables import MONITORING_ALERTS, MONITORING_REFERENCES, MONITORING_WINDOWS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.monitoring import MonitoringAlert, MonitoringAlertKind, ReferenceSpan
from llama_mapper.domain.mapping.costs.spending import date_of, number_of
from llama_mapper.domain.mapping.monitoring.ports import Part
from llama_mapper.domain.mapping.monitoring.tally import as_document, tally_of
from llama_mapper.domain.mapping.monitoring.windows import KEPT, Span, Width, Window, merged

_WINDOW, _REFERENCE, _ALERT = MONITORING_WINDOWS.c, MONITORING_REFERENCES.c, MONITORING_ALERTS.c


class SqlMonitoring:
    """Keeps `WindowStore`'s promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tenant_id: str, parts: Sequence[Part]) -> None:
        """Keep parts, all or none; what is older than `KEPT`, seen from the newest of them, is forgotten."""
        if not parts:
            return
        rows = [
            {
                "tenant_id": tenant_id,
                "width": int(part.width),
                "start": part.start,
                "writer": part.writer,
                "sequence": part.sequence,
                "counts": json.dumps(as_document(part.tally), separators=(",", ":")),
            }
            for part in sorted(parts, key=lambda part: (part.width, part.start, part.writer))
        ]
        insert = self._insert(MONITORING_WINDOWS)
        upsert = insert.on_conflict_do_update(
            index_elements=[_WINDOW.tenant_id, _WINDOW.width, _WINDOW.start, _WINDOW.writer],
            set_={name: insert.excluded[name] for name in ("sequence", "counts")},
            where=insert.excluded.sequence > _WINDOW.sequence,
        )
        async with self._database.writing(tenant_id) as connection:
            await connection.execute(upsert, rows)
            for width in {part.width for part in parts}:
                newest = max(part.start for part in parts if part.width == width)
                old = newest - int(KEPT[width].total_seconds())
                await connection.execute(
                    delete(MONITORING_WINDOWS).where(
                        _WINDOW.tenant_id == tenant_id, _WINDOW.width == int(width), _WINDOW.start < old
                    )
                )

    async def windows(self, tenant_id: str, width: Width, span: Span) -> Sequence[Window]:
        """Windows that start in the span, in order; those in which nothing was counted are not there."""
        own = (
            select(_WINDOW.start, _WINDOW.counts)
            .where(
                _WINDOW.tenant_id == tenant_id,
                _WINDOW.width == int(width),
                _WINDOW.start >= span.since.timestamp(),
                _WINDOW.start < span.until.timestamp(),
            )
            .order_by(_WINDOW.start)
        )
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(own)).all()
        return merged(Window(start, tally_of(json.loads(counts))) for start, counts in rows)

    async def set_reference(self, tenant_id: str, reference: ReferenceSpan | None) -> None:
        """Set or replace what a tenant's traffic is compared with; None takes it away."""
        async with self._database.writing(tenant_id) as connection:
            await connection.execute(delete(MONITORING_REFERENCES).where(_REFERENCE.tenant_id == tenant_id))
            if reference is not None:
                insert = self._insert(MONITORING_REFERENCES)
                upsert = insert.on_conflict_do_update(
                    index_elements=[_REFERENCE.tenant_id],
                    set_={name: insert.excluded[name] for name in ("since", "until", "set_at", "set_by")},
                )
                await connection.execute(upsert, {"tenant_id": tenant_id, **dict(reference)})

    async def reference(self, tenant_id: str) -> ReferenceSpan | None:
        """What was set."""
        own = select(MONITORING_REFERENCES).where(_REFERENCE.tenant_id == tenant_id)
        async with self._database.reading(tenant_id) as connection:
            row = (await connection.execute(own)).mappings().one_or_none()
        return None if row is None else ReferenceSpan(**{name: row[name] for name in ReferenceSpan.model_fields})

    async def alert(self, tenant_id: str, alert: MonitoringAlert) -> bool:
        """Keep an alert; False if its kind and subject were told already that day, by whichever process."""
        row = {
            "tenant_id": tenant_id,
            "day": number_of(alert.day),
            "kind": alert.kind.value,
            "subject": alert.subject,
            "at": alert.at,
            "value": alert.value,
            "threshold": alert.threshold,
        }
        insert = self._insert(MONITORING_ALERTS).on_conflict_do_nothing().returning(_ALERT.subject)
        async with self._database.writing(tenant_id) as connection:
            return bool((await connection.execute(insert, row)).all())

    async def alerts(self, tenant_id: str, limit: int) -> Sequence[MonitoringAlert]:
        """Alerts of a tenant, newest first."""
        own = (
            select(MONITORING_ALERTS)
            .where(_ALERT.tenant_id == tenant_id)
            .order_by(_ALERT.at.desc(), _ALERT.kind, _ALERT.subject)
            .limit(limit)
        )
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(own)).mappings().all()
        return [
            MonitoringAlert(
                at=row["at"],
                day=date_of(row["day"]),
                kind=MonitoringAlertKind(row["kind"]),
                subject=row["subject"],
                value=row["value"],
                threshold=row["threshold"],
            )
            for row in rows
        ]

    def _insert(self, table: Table) -> Any:
        return sqlite.insert(table) if self._database.is_sqlite else postgresql.insert(table)
