"""Bringing a context's database to the newest schema, at start-up or by command.

A context's migrations are the package `llama_mapper.adapters.<context>.migrations`, an Alembic script directory whose
`HEAD` names the newest revision. Alembic itself is imported only if there is something to migrate.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config

CONTEXTS = ("platform", "orchestration", "analysis", "mapping", "assessment")
"""Every context that has a database of its own; `platform` holds the API keys."""

_EXISTS_SQLITE = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
_EXISTS_POSTGRES = "SELECT count(to_regclass('alembic_version'))"
_REVISION = "SELECT version_num FROM alembic_version"
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")


async def revision(database: Database) -> str | None:
    """The revision that the database is at, or None if it was never migrated."""
    if database.is_sqlite:
        if not (await database.sqlite_rows(_EXISTS_SQLITE))[0][0]:
            return None
        return next((str(row[0]) for row in await database.sqlite_rows(_REVISION)), None)
    async with database.reading() as connection:
        return await _revision(connection, _EXISTS_POSTGRES)


def head_of(context: str) -> str:
    """The newest revision of a context's schema that this version knows."""
    return _migrations(context)[1]


async def migrate(database: Database, *, app_role: str | None = None) -> bool:
    """Bring the database to its context's newest schema; True if anything was to be done.

    All of it is one transaction, and processes that start together wait for each other. On PostgreSQL `app_role` is
    the role that the service runs as: it is given the use of the schema and its tables, but owns nothing. Raises
    `CONFIGURATION_INVALID` if the database is at a revision that this version does not know.
    """
    if app_role is not None and not _ROLE.fullmatch(app_role):
        raise ConfigurationError("the application role is not a plain PostgreSQL role name")
    head = head_of(database.context)
    at_head = await revision(database) == head
    if at_head and (app_role is None or database.is_sqlite):
        return False
    async with database.writing() as connection:
        if not database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": database.context})
            await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {database.context}"))
        # Again, now that no other process can be migrating.
        if await _revision(connection, _EXISTS_SQLITE if database.is_sqlite else _EXISTS_POSTGRES) != head:
            await connection.run_sync(_upgrade, database.context)
        if app_role is not None and not database.is_sqlite:
            await _grant(connection, database.context, app_role)
    return not at_head


async def downgrade(database: Database, to: str = "base") -> None:
    """Take the schema back to the revision `to`; `base` is an empty database. Data in dropped tables is lost."""
    async with database.writing() as connection:
        await connection.run_sync(_downgrade, database.context, to)


def alembic_config(context: str, connection: Connection | None = None) -> Config:
    """Alembic's configuration for a context's migrations, to be run on `connection`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_migrations(context)[0]).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def _revision(connection: AsyncConnection, exists: str) -> str | None:
    if not await connection.scalar(text(exists)):
        return None
    found = await connection.scalar(text(_REVISION))
    return None if found is None else str(found)


def _upgrade(connection: Connection, context: str) -> None:
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(alembic_config(context, connection), "head")
    except CommandError as error:
        raise ConfigurationError(f"the {context} database was made by another version: {error}") from error


def _downgrade(connection: Connection, context: str, to: str) -> None:
    from alembic import command
    from alembic.util import CommandError

    try:
        command.downgrade(alembic_config(context, connection), to)
    except CommandError as error:
        raise ConfigurationError(f"the {context} database cannot be taken back to {to!r}: {error}") from error


async def _grant(connection: AsyncConnection, schema: str, role: str) -> None:
    if not await connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}):
        raise ConfigurationError(f"the PostgreSQL role {role!r} does not exist")
    for statement in (
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
        f"REVOKE INSERT, UPDATE, DELETE ON {schema}.alembic_version FROM {role}",
    ):
        await connection.execute(text(statement))


def _migrations(context: str) -> tuple[Path, str]:
    if context not in CONTEXTS:
        raise ConfigurationError(f"there is no context {context!r} with a database")
    package = import_module(f"llama_mapper.adapters.{context}.migrations")
    return Path(str(package.__file__)).parent, str(package.HEAD)
