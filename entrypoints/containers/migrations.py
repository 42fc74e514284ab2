"""Migrating PostgreSQL as its owner, for the command that does it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import SecretStr

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.entrypoints.containers.databases import named
from llama_mapper.entrypoints.settings import Settings


@dataclass(frozen=True, slots=True)
class MigratedSchema:
    """One context's schema: the revision that it is at now, and whether it was at another before."""

    context: str
    revision: str
    changed: bool


async def migrate_postgres(settings: Settings, app_role: str | None) -> AsyncIterator[MigratedSchema]:
    """Bring every context's schema to the newest revision, one transaction each, and let the application's role use it.

    `app_role` is by default the user of `database_url`. With `mapping_vectors` `pgvector` the table of vectors is
    made too, if an earlier migration could not. Raises `CONFIGURATION_INVALID` without an owner's URL, for a role that
    does not exist, for a schema that this version does not know, and where pgvector is asked for and missing.
    """
    from llama_mapper.adapters.mapping.pgvector_table import make_vectors
    from llama_mapper.adapters.platform.database import Database
    from llama_mapper.adapters.platform.migrator import CONTEXTS, head_of, migrate

    owner = settings.database_owner_url
    if owner is None:
        raise ConfigurationError(
            "migrations run as the owner of the schemas, not as the service: set LLAMA_MAPPER_DATABASE_OWNER_URL"
        )
    role = app_role or _user_of(settings.database_url)
    for context in CONTEXTS:
        database = Database(owner.get_secret_value(), context, unbound_role=True)
        with named(database):
            await database.open()
            try:
                granted = None if role == database.url.username else role
                changed = await migrate(database, app_role=granted)
                if context == "mapping" and settings.mapping_vectors == "pgvector":
                    await make_vectors(database)
                    await migrate(database, app_role=granted)  # the new table is the application's to use, too
            finally:
                await database.close()
        yield MigratedSchema(context, head_of(context), changed)


def _user_of(url: SecretStr | None) -> str | None:
    from sqlalchemy import make_url

    return None if url is None else make_url(url.get_secret_value()).username
