"""Vector indexes and embedding models under the same promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from llama_mapper.adapters.mapping.numpy_vectors import NumpyVectorIndex
from llama_mapper.adapters.mapping.pgvector_vectors import PgvectorIndex, vector_table
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.mapping.neighbours.ports import VectorIndex
from tests.support.postgres import APPLICATION, PostgresDatabase, fresh_database

DIMENSIONS = 8


@pytest.fixture(scope="session")
def vector_database(postgres_server: str) -> Iterator[PostgresDatabase]:
    """A database of its own for vectors."""
    yield from fresh_database(postgres_server)


@pytest.fixture(params=["memory", "folder", "pgvector"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorIndex]:
    """Each index in turn, empty."""
    if request.param != "pgvector":
        yield NumpyVectorIndex(tmp_path if request.param == "folder" else None)
        return
    place: PostgresDatabase = request.getfixturevalue("vector_database")
    engine = create_async_engine(place.superuser_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        for statement in (
            "CREATE SCHEMA IF NOT EXISTS mapping",
            "SET LOCAL search_path TO mapping",
            "DROP TABLE IF EXISTS neighbour_vectors",
            *vector_table(DIMENSIONS),
            f"GRANT USAGE ON SCHEMA mapping TO {APPLICATION}",
            f"GRANT SELECT, INSERT, DELETE ON neighbour_vectors TO {APPLICATION}",
        ):
            await connection.execute(text(statement))
    await engine.dispose()
    database = Database(place.url, "mapping")
    await database.open()
    try:
        yield PgvectorIndex(database)
    finally:
        await database.close()
