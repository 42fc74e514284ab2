"""Opening databases: SQLite files are migrated at start-up, PostgreSQL schemas are checked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llama_mapper.domain.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from llama_mapper.adapters.platform.database import Database
    from llama_mapper.entrypoints.settings import Settings


def database_for(settings: Settings, context: str) -> Database:
    """The database of a context: a file in the data directory, or a schema of the PostgreSQL server."""
    from llama_mapper.adapters.platform.database import Database

    url = settings.database_url
    location = url.get_secret_value() if url is not None else settings.data_dir
    return Database(location, context)


@asynccontextmanager
async def open_database(database: Database) -> AsyncIterator[Database]:
    """The database, open and at the newest schema.

    A PostgreSQL schema is migrated by `llama-mapper db migrate` as its owner, not by the service, which may not.
    """
    from llama_mapper.adapters.platform.migrator import head_of, migrate, revision

    await database.open()
    try:
        if database.is_sqlite:
            await migrate(database)
        elif await revision(database) != head_of(database.context):
            raise ConfigurationError(
                f"the PostgreSQL schema '{database.context}' is not at this version; run 'llama-mapper db migrate'"
            )
        yield database
    finally:
        await database.close()
