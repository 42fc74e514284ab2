"""Every promise is put to both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from llama_mapper.adapters.platform.database import Database
from tests.support.loops import LoopThread
from tests.support.postgres import PostgresDatabase, fresh_database
from tests.support.store_places import PostgresPlace, SqlitePlace, StorePlace


@pytest.fixture(scope="session")
def postgres(postgres_server: str) -> Iterator[PostgresDatabase]:
    """One database for all stores: each test has schemas of its own."""
    yield from fresh_database(postgres_server)


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """A loop for state machines and for preparing."""
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def sqlite_place(tmp_path_factory: pytest.TempPathFactory, loop_thread: LoopThread) -> SqlitePlace:
    """SQLite files in a temporary folder."""
    place = SqlitePlace(tmp_path_factory.mktemp("stores"))
    loop_thread.run(place.prepare())
    return place


@pytest.fixture(scope="session")
def postgres_place(postgres: PostgresDatabase, loop_thread: LoopThread) -> PostgresPlace:
    """A PostgreSQL database with all contexts' schemas."""
    place = PostgresPlace(postgres)
    loop_thread.run(place.prepare())
    return place


@pytest.fixture(params=["sqlite", "postgresql"], scope="session")
def place(request: pytest.FixtureRequest) -> StorePlace:
    """Both places in turn."""
    found: StorePlace = request.getfixturevalue("sqlite_place" if request.param == "sqlite" else "postgres_place")
    return found


@pytest.fixture
async def fresh(place: StorePlace) -> AsyncIterator[Callable[[str], Awaitable[Database]]]:
    """Gives open, empty databases by context, and closes them at the end."""
    opened: list[Database] = []

    async def give(context: str) -> Database:
        opened.append(await place.fresh(context))
        return opened[-1]

    yield give
    for database in opened:
        await database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "data"
