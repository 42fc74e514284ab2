"""Registered detectors' revisions in a relational database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select

from llama_mapper.adapters.orchestration.tables import DETECTOR_REVISIONS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.database_errors import conflict
from llama_mapper.domain.contracts.detectors import DetectorChange, DetectorDefinition, ProbeOutcome
from llama_mapper.domain.orchestration.registry.model import Newest, Revision

_COLUMNS = DETECTOR_REVISIONS.c
_COUNT = select(func.count()).select_from(DETECTOR_REVISIONS)
# A count and not the highest position: of two transactions the later position may be committed first.
_COUNT_SQLITE = "SELECT count(*) FROM detector_revisions"


class SqlDetectorRegistry:
    """Keeps `RevisionStore`'s promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self) -> int:
        """How many revisions there are."""
        if self._database.is_sqlite:
            return int((await self._database.sqlite_rows(_COUNT_SQLITE))[0][0])
        async with self._database.reading() as connection:
            return int(await connection.scalar(_COUNT) or 0)

    async def add(self, revision: Revision) -> None:
        """Keep a revision; raise `CONFLICT` if the name has one with this number, or lacks the one before."""
        own = _COLUMNS.name == revision.name
        async with self._database.writing() as connection:
            last = await connection.scalar(select(func.max(_COLUMNS.revision)).where(own)) or 0
            if revision.revision != last + 1:
                raise conflict("another revision of this detector")
            await connection.execute(
                DETECTOR_REVISIONS.insert(),
                {
                    "name": revision.name,
                    "revision": revision.revision,
                    "change": revision.change.value,
                    "definition": revision.definition.model_dump_json(),
                    "digest": revision.digest,
                    "probe": revision.probe.value,
                    "changed_at": revision.at,
                    "changed_by": revision.by,
                },
            )

    async def newest(self) -> Newest:
        """The newest revision of every name."""
        last = select(_COLUMNS.name, func.max(_COLUMNS.revision).label("revision")).group_by(_COLUMNS.name).subquery()
        is_last = (_COLUMNS.name == last.c.name) & (_COLUMNS.revision == last.c.revision)
        rows = await self._rows(select(DETECTOR_REVISIONS).join(last, is_last).order_by(_COLUMNS.name))
        read = [(row.name, _revision(row)) for row in rows]
        return Newest(
            tuple(revision for _, revision in read if revision is not None),
            tuple(name for name, revision in read if revision is None),
        )

    async def history(self, name: str) -> Sequence[Revision]:
        """Every revision of a name that this version can read, oldest first; empty if there was never one."""
        own = select(DETECTOR_REVISIONS).where(_COLUMNS.name == name).order_by(_COLUMNS.revision)
        read = [_revision(row) for row in await self._rows(own)]
        return [revision for revision in read if revision is not None]

    async def _rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        async with self._database.reading() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
        return rows


def _revision(row: Row[Any]) -> Revision | None:
    """The revision, or None if a version of this software wrote it that knows more than this one."""
    try:
        return Revision(
            definition=DetectorDefinition.model_validate_json(row.definition),
            revision=row.revision,
            change=DetectorChange(row.change),
            digest=row.digest,
            probe=ProbeOutcome(row.probe),
            at=row.changed_at,
            by=row.changed_by,
        )
    except ValueError:
        return None
