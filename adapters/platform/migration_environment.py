"""What every context's Alembic `env.py` does: migrate on the connection that the runner hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, MetaData


def run(metadata: MetaData) -> None:
    """Run the chosen migrations in the connection's open transaction; `metadata` is what they should lead to."""
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, Connection):
        raise TypeError("migrations run through llama_mapper.adapters.platform.migrator, not through alembic alone")
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    context.run_migrations()
