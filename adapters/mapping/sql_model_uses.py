"""Which registered models running processes answer with, in a relational database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.mapping.tables import MODEL_USES
from llama_mapper.adapters.platform.database import Database

_USE = MODEL_USES.c


class SqlModelUses:
    """Keeps `ModelUses` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def say(self, process: str, references: Collection[tuple[str, str]], now: datetime) -> None:
        """One row a process and version."""
        if not references:
            return
        insert = (sqlite if self._database.is_sqlite else postgresql).insert(MODEL_USES)
        seen = insert.on_conflict_do_update(
            index_elements=[_USE.process, _USE.name, _USE.version], set_={"seen_at": insert.excluded.seen_at}
        )
        rows = [
            {"process": process, "name": name, "version": version, "seen_at": now}
            for name, version in sorted(references)
        ]
        async with self._database.writing() as connection:
            await connection.execute(seen, rows)

    async def since(self, moment: datetime) -> Sequence[tuple[str, str]]:
        """Name and version, each once."""
        seen = select(_USE.name, _USE.version).where(_USE.seen_at >= moment).distinct()
        async with self._database.reading() as connection:
            rows = (await connection.execute(seen.order_by(_USE.name, _USE.version))).all()
        return [(row.name, row.version) for row in rows]

    async def forget_before(self, moment: datetime) -> None:
        """Delete the rows that are older; where there are none, nothing is written."""
        old = select(_USE.process).where(_USE.seen_at < moment).limit(1)
        async with self._database.reading() as connection:
            if (await connection.execute(old)).first() is None:
                return
        async with self._database.writing() as connection:
            await connection.execute(delete(MODEL_USES).where(_USE.seen_at < moment))
