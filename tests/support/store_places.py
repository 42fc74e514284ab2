"""Where the stores' promises are put to the test: SQLite files and a PostgreSQL server."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import CONTEXTS, migrate
from tests.support.postgres import APPLICATION, PostgresDatabase


class StorePlace(Protocol):
    """Gives migrated databases."""

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        ...

    async def prepare(self) -> None:
        """Migrate every context once."""
        ...

    async def fresh(self, context: str, **options: Any) -> Database:
        """An open, empty database of the context, to be closed by the caller."""
        ...

    async def reopen(self, database: Database, **options: Any) -> Database:
        """Another open `Database` on the same data."""
        ...


class SqlitePlace:
    """A folder a database, copied from one that was migrated once."""

    kind = "sqlite"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._number = count()

    async def prepare(self) -> None:
        """Migrate every context once."""
        for context in CONTEXTS:
            database = Database(self._root / "template", context)
            await database.open()
            await migrate(database)
            await database.close()

    async def fresh(self, context: str, **options: Any) -> Database:
        """An open, empty database of the context, to be closed by the caller."""
        folder = self._root / str(next(self._number))
        folder.mkdir(parents=True)
        shutil.copy(self._root / "template" / f"{context}.db", folder)
        database = Database(folder, context, **options)
        await database.open()
        return database

    async def reopen(self, database: Database, **options: Any) -> Database:
        """Another open `Database` on the same data."""
        again = Database(Path(str(database.url.database)).parent, database.context, **options)
        await again.open()
        return again


_EMPTY = """
DO $$
DECLARE each name;
BEGIN
    SET LOCAL session_replication_role = replica;  -- no trigger keeps rows from being deleted
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM {schema}.%I', each);
    END LOOP;
    FOR each IN SELECT sequencename FROM pg_sequences WHERE schemaname = '{schema}' AND last_value IS NOT NULL LOOP
        PERFORM setval(format('{schema}.%I', each), 1, false);
    END LOOP;
END $$
"""


class PostgresPlace:
    """One server; a context's tables are emptied for each fresh database."""

    kind = "postgresql"

    def __init__(self, server: PostgresDatabase) -> None:
        self._server = server

    async def prepare(self) -> None:
        """Migrate every context once."""
        for context in CONTEXTS:
            owner = await self.as_owner(context)
            await migrate(owner, app_role=APPLICATION)
            await owner.close()

    async def as_owner(self, context: str) -> Database:
        """The context's database, open as the role that owns the tables."""
        database = Database(self._server.owner_url, context)
        await database.open()
        return database

    async def fresh(self, context: str, **options: Any) -> Database:
        """An open, empty database of the context, to be closed by the caller."""
        await self._empty(context)
        database = Database(self._server.url, context, **options)
        await database.open()
        return database

    async def reopen(self, database: Database, **options: Any) -> Database:
        """Another open `Database` on the same data."""
        again = Database(self._server.url, database.context, **options)
        await again.open()
        return again

    async def _empty(self, context: str) -> None:
        """Delete the rows, which is ten times as quick as truncating small tables."""
        superuser = await asyncpg.connect(self._server.superuser_url, ssl=False)
        try:
            await superuser.execute(_EMPTY.format(schema=context))
        finally:
            await superuser.close()
