"""Vector indexes and embedding models under the same promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from llama_mapper.adapters.mapping.numpy_vectors import NumpyVectorIndex
from llama_mapper.adapters.mapping.pgvector_vectors import PgvectorIndex
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import migrate
from llama_mapper.domain.mapping.neighbours.ports import VectorIndex
from tests.support.loops import LoopThread
from tests.support.postgres import APPLICATION, PostgresDatabase, fresh_database

DIMENSIONS = 8


@pytest.fixture(scope="session")
def vector_database(postgres_server: str) -> Iterator[PostgresDatabase]:
    """A database of its own for vectors."""
    yield from fresh_database(postgres_server)


@pytest.fixture(scope="session")
def migrated_vectors(vector_database: PostgresDatabase) -> PostgresDatabase:
    """The same, with the mapping schema as its migrations leave it."""
    loop = LoopThread()
    try:
        loop.run(with_pgvector(vector_database))
        loop.run(migrated(vector_database))
    finally:
        loop.close()
    return vector_database


async def with_pgvector(place: PostgresDatabase) -> None:
    """Have the extension in the database: that is a superuser's to do."""
    await as_superuser(place, "CREATE EXTENSION IF NOT EXISTS vector")


async def as_superuser(place: PostgresDatabase, statement: str) -> None:
    """Run one statement."""
    engine = create_async_engine(place.superuser_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


async def migrated(place: PostgresDatabase) -> None:
    """Bring the mapping schema to its newest revision, for the application's role."""
    owner = Database(place.owner_url, "mapping")
    await owner.open()
    await migrate(owner, app_role=APPLICATION)
    await owner.close()


@pytest.fixture(params=["memory", "folder", "pgvector"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorIndex]:
    """Each index in turn, empty."""
    if request.param != "pgvector":
        yield NumpyVectorIndex(tmp_path if request.param == "folder" else None)
        return
    place: PostgresDatabase = request.getfixturevalue("migrated_vectors")
    found = PgvectorIndex(await emptied(place))
    try:
        yield found
    finally:
        await found.close()


async def emptied(place: PostgresDatabase) -> Database:
    """The mapping database as the application's role, without vectors."""
    database = Database(place.url, "mapping")
    await database.open()
    async with database.writing() as connection:
        await connection.execute(text("DELETE FROM neighbour_vectors"))
    return database
