"""Several servers whose vectors a model on the real tritonserver makes, and a real PostgreSQL keeps for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from llama_mapper.adapters.mapping.generation.triton_models import TritonModels
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.entrypoints.containers.migrations import migrate_postgres
from llama_mapper.entrypoints.settings import Settings
from tests.contract.mapping.conftest import as_superuser, with_pgvector
from tests.models.test_triton_faults import ODD_MODELS
from tests.models.test_triton_servers import STAGES, at, mapped, until
from tests.support.doors import Door, open_door
from tests.support.postgres import PostgresDatabase, fresh_database, postgres_server
from tests.support.triton import TritonServer

__all__ = ["postgres_server"]


@pytest.fixture(scope="module")
def postgres(postgres_server: str) -> Iterator[PostgresDatabase]:
    yield from fresh_database(postgres_server)


@pytest.fixture(scope="module")
def server(models_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    folder = tmp_path_factory.mktemp("vectors")
    arguments = ("--models", "own", "--repository", ODD_MODELS, "--load", "letters")
    with TritonServer(models_python, folder, *arguments) as started:
        yield started


async def embedded(server: TritonServer) -> int:
    models = TritonModels(server.address)
    (told,) = await models.statistics("letters")
    await models.close()
    return told.requests


def ready(door: Door) -> bool:
    return "mapping.embedding" not in door.running.notes()


async def test_servers_that_start_together_have_the_vectors_made_once_and_all_answer_with_them(
    server: TritonServer, postgres: PostgresDatabase, tmp_path: Path
) -> None:
    await with_pgvector(postgres)
    options: dict[str, Any] = {
        **STAGES,
        "database_url": postgres.url,
        "mapping_vectors": "pgvector",
        "model_servers": [at(server, models=[])],
    }
    owner = Settings.load(data_dir=tmp_path, database_owner_url=postgres.owner_url, **options)
    _ = [schema async for schema in migrate_postgres(owner, None)]
    async with AsyncExitStack() as stack:
        doors = [await stack.enter_async_context(open_door(tmp_path / str(at), [], **options)) for at in range(3)]
        for door in doors:
            await until(partial(ready, door))
        made_by = await embedded(server)
        keys = [await door.new_key("local", Scope.READ, Scope.ASSESS) for door in doors]
        answers = [await mapped(door, key) for door, key in zip(doors, keys, strict=True)]
        assert len({answer["mappings"][0]["canonical"] for answer in answers}) == 1
        assert all(answer["mappings"][0]["faults"] == [] for answer in answers)
    database = Database(postgres.url, "mapping")
    await database.open()
    async with database.reading() as connection:
        count = await connection.scalar(text("SELECT count(*) FROM neighbour_vectors"))
        versions = await connection.scalar(text("SELECT count(DISTINCT version) FROM neighbour_vectors"))
    assert versions == 1
    assert made_by <= count / 64 + 2  # texts go 64 to a request; two servers that made them would have sent twice that
    # The next start finds them: nothing is embedded but the label.
    async with open_door(tmp_path / "next", [], **options) as door:
        await until(lambda: ready(door))
        assert await embedded(server) <= made_by + 3
    # A table that went away with the database's extension is a fault of this stage alone.
    async with open_door(tmp_path / "gone", [], **options) as door:
        await until(lambda: ready(door))
        await as_superuser(postgres, "DROP TABLE mapping.neighbour_vectors")
        key = await door.new_key("local", Scope.READ, Scope.ASSESS)
        answer = (await mapped(door, key))["mappings"][0]
        assert answer["faults"] == ["embedding: store_unavailable"]
    await database.close()
