"""The table of vectors, made where PostgreSQL has the extension pgvector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from llama_mapper.domain.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from llama_mapper.adapters.platform.database import Database

VECTOR_TABLE = "neighbour_vectors"
"""Of no tenant: the vectors are of shipped texts."""

# Not there, or not this role's to make: that is no reason to refuse the other migrations.
_EXTENSION = text(
    "DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;"
    " EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_file OR invalid_parameter_value THEN"
    " NULL; END $$"
)
_SCHEMA = (
    "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
    " WHERE e.extname = 'vector'"
)
VECTOR_SCHEMA = text(_SCHEMA)
"""The schema that the extension's type and operators are in, quoted; no row without the extension."""
VECTOR_PLACE = text(f"SELECT to_regclass('{VECTOR_TABLE}') IS NOT NULL, ({_SCHEMA})")
"""Whether the table is there, and where the extension is."""


def make_vector_table(connection: Connection) -> bool:
    """Make it in the mapping schema, for its owner; False where pgvector is not there and cannot be made."""
    connection.execute(_EXTENSION)
    schema = connection.execute(VECTOR_SCHEMA).scalar()
    if schema is None:
        return False
    # No size of the vectors: versions of several models may be held side by side, each searched alone.
    connection.execute(
        text(
            f"CREATE TABLE IF NOT EXISTS {VECTOR_TABLE} (version text NOT NULL, number integer NOT NULL, "
            f"embedding {schema}.vector NOT NULL, made_at timestamptz NOT NULL DEFAULT now(), "
            "PRIMARY KEY (version, number))"
        )
    )
    return True


async def make_vectors(database: Database) -> None:
    """Make the table if it is not there, as its owner; raise `CONFIGURATION_INVALID` where pgvector is missing."""
    async with database.writing() as connection:
        has_table, schema = (await connection.execute(VECTOR_PLACE)).one()
        if (not has_table or schema is None) and not await connection.run_sync(make_vector_table):
            raise ConfigurationError(
                "PostgreSQL has no extension pgvector, or this role may not create it: install it on the server, have "
                "a superuser run 'CREATE EXTENSION vector' in this database, or set mapping_vectors to memory"
            )


def drop_vector_table(connection: Connection) -> None:
    """Undo `make_vector_table`, but for the extension."""
    connection.execute(text(f"DROP TABLE IF EXISTS {VECTOR_TABLE}"))
