"""Assessment records in a relational database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import select

from llama_mapper.adapters.assessment.tables import ASSESSMENTS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.database_errors import conflict
from llama_mapper.adapters.platform.group_writer import GroupWriter
from llama_mapper.adapters.platform.new_rows import NewRows
from llama_mapper.adapters.platform.turn_writer import TurnWriter
from llama_mapper.domain.assessment.ports import AssessmentRow
from llama_mapper.domain.kernel.errors import ValidationError

_LIST_LIMIT = 1_000


class SqlAssessments:
    """Keeps `AssessmentStore`'s promise on SQLite and PostgreSQL.

    Ids are unique within a tenant: whether another tenant has the same id can be neither seen nor felt. Records that
    are saved at the same time share a transaction. How durable a returned `save` is on SQLite, `Database` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new_rows = NewRows(database, ASSESSMENTS)
        self._at_once: TurnWriter[list[Any], bool] = TurnWriter(self._new_rows.insert_now)
        self._writer: GroupWriter[tuple[Any, ...], bool] = GroupWriter(self._write)

    async def save(self, row: AssessmentRow) -> None:
        """Keep the record before returning; raise `CONFLICT` if its id is taken, `STORE_UNAVAILABLE` on failure."""
        values = (
            row.tenant_id,
            row.id,
            row.created_at,
            row.action,
            row.risk_level,
            row.coverage,
            row.body,
        )
        with self._database.step("insert", ASSESSMENTS.name):
            added = await self._at_once.submit(self._new_rows.bound(values)) if self._database.is_sqlite else None
            if added is None:
                # Side by side for each tenant on PostgreSQL; SQLite has one writer.
                added = await self._writer.submit("" if self._database.is_sqlite else row.tenant_id, values)
            if not added:
                raise conflict("an assessment with this id")

    async def get(self, tenant_id: str, assessment_id: str) -> bytes | None:
        """The body of the tenant's record, byte for byte, or None."""
        own = (ASSESSMENTS.c.tenant_id == tenant_id) & (ASSESSMENTS.c.id == assessment_id)
        async with self._database.reading(tenant_id) as connection:
            found: bytes | None = await connection.scalar(select(ASSESSMENTS.c.body).where(own))
        return found

    async def list(self, tenant_id: str, *, limit: int, before: str | None = None) -> list[AssessmentRow]:
        """The tenant's records, newest id first, with ids below `before`; `limit` is 1 to 1,000."""
        if not 1 <= limit <= _LIST_LIMIT:
            raise ValidationError(f"limit must be between 1 and {_LIST_LIMIT}")
        own = select(ASSESSMENTS).where(ASSESSMENTS.c.tenant_id == tenant_id)
        if before is not None:
            own = own.where(ASSESSMENTS.c.id < before)
        async with self._database.reading(tenant_id) as connection:
            rows = await connection.execute(own.order_by(ASSESSMENTS.c.id.desc()).limit(limit))
            return [
                AssessmentRow(
                    id=row.id,
                    tenant_id=row.tenant_id,
                    created_at=row.created_at,
                    action=row.action,
                    risk_level=row.risk_level,
                    coverage=row.coverage,
                    body=row.body,
                )
                for row in rows
            ]

    async def _write(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[bool]:
        added = await self._new_rows.insert(list(rows))
        # Of two rows with one id in a group, the first is the one that was kept.
        seen = Counter[tuple[str, str]]()
        outcomes = []
        for key in map(itemgetter(0, 1), rows):
            outcomes.append(key in added and not seen[key])
            seen[key] += 1
        return outcomes
