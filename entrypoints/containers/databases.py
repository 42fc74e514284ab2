"""Opening databases: SQLite files are migrated at start-up, PostgreSQL schemas are checked."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.kernel.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from llama_mapper.adapters.platform.database import Database
    from llama_mapper.entrypoints.settings import Settings

_INSUFFICIENT_PRIVILEGE = "42501"  # SQLSTATE


def database_for(settings: Settings, context: str) -> Database:
    """The database of a context: a file in the data directory, or a schema of the PostgreSQL server.

    Raises `CONFIGURATION_INVALID` if the files cannot be in the data directory.
    """
    from llama_mapper.adapters.platform.database import Database

    url = settings.database_url
    if url is not None:
        return Database(url.get_secret_value(), context)
    _require_folder(settings.data_dir)
    return Database(settings.data_dir, context)


@asynccontextmanager
async def open_database(database: Database) -> AsyncIterator[Database]:
    """The database, open and at the newest schema; errors name the database.

    A PostgreSQL schema is migrated by `llama-mapper db migrate` as its owner, not by the service, which may not.
    """
    try:
        with named(database):
            await database.open()
            await _at_head(database)
        yield database
    finally:
        await database.close()


async def _at_head(database: Database) -> None:
    from llama_mapper.adapters.platform.migrator import head_of, migrate, revision

    if database.is_sqlite:
        await migrate(database)
    elif (found := await revision(database)) != head_of(database.context):
        raise ConfigurationError(
            f"the PostgreSQL schema '{database.context}' is at {found or 'no revision'} and this version needs "
            f"{head_of(database.context)}; run 'llama-mapper db migrate'"
        )


@contextmanager
def named(database: Database) -> Iterator[None]:
    """Say in an error of the block which database it is about; never its password."""
    url = database.url
    where = str(url.database) if database.is_sqlite else f"{url.host}:{url.port or 5432}/{url.database}"
    try:
        yield
    except StoreError as error:
        if _is_forbidden(error):
            raise ConfigurationError(
                f"the role '{url.username}' may not use the {database.context} schema ({where}): run 'llama-mapper db "
                "migrate' as the owner, and name the service's role with --app-role"
            ) from error
        message = f"the {database.context} database ({where}): {error.message}"
        raise StoreError(message, error.error_code, error.retryable) from error
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"PostgreSQL needs the package {error.name}: install 'llama-mapper[postgres]'"
        ) from error


def _is_forbidden(error: StoreError) -> bool:
    """Whether PostgreSQL refused for want of a right: waiting does not mend that."""
    original = getattr(error.__cause__, "orig", None)
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    return state == _INSUFFICIENT_PRIVILEGE


def _require_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigurationError(f"the data directory {folder} is a file (LLAMA_MAPPER_DATA_DIR)") from None
    except OSError as error:
        raise ConfigurationError(
            f"the data directory {folder} cannot be made: {error.strerror} (LLAMA_MAPPER_DATA_DIR)"
        ) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"the data directory {folder} cannot be written to (LLAMA_MAPPER_DATA_DIR)")
