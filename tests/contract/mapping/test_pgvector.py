"""What vectors in PostgreSQL promise beyond every index: shared by processes, and away without harm."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from llama_mapper.adapters.mapping.numpy_vectors import NumpyVectorIndex
from llama_mapper.adapters.mapping.pgvector_vectors import KEPT, PgvectorIndex
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, ServiceError
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.neighbours.embedding import EmbeddingStage
from llama_mapper.domain.mapping.neighbours.kept import KeptEmbeddingStage
from llama_mapper.domain.mapping.neighbours.ports import Embeddings, Vector
from llama_mapper.domain.mapping.neighbours.references import NO_LEXICON, Reference
from llama_mapper.entrypoints.containers.migrations import migrate_postgres
from llama_mapper.entrypoints.settings import Settings
from tests.contract.mapping.conftest import DIMENSIONS, as_superuser, emptied, migrated, with_pgvector
from tests.contract.mapping.test_vector_indexes import vectors
from tests.support.postgres import PostgresDatabase, fresh_database

LONG_S = 60.0
REFERENCES = (
    Reference("credit card number", "pii.financial_data.payment_card"),
    Reference("insulting language", "content.toxic_language.insult"),
)
CARD = LabelKey("acme", None, "card_number")


class Lettered:
    """Embeddings by which letters a text has; of a version that can change, and slow if it should be."""

    def __init__(self, version: str = "letters-1", pause_s: float = 0.0) -> None:
        self.version = self.now = version
        self.dimensions = DIMENSIONS
        self.calls = 0
        self.away = False
        self._pause_s = pause_s

    async def current_version(self) -> str:
        return self.now

    async def embed(self, texts: Sequence[str], *, within_s: float) -> Sequence[Vector]:
        self.calls += 1
        if self.away:
            raise ServiceError("away", ErrorCode.SERVICE_UNAVAILABLE, True)
        await asyncio.sleep(self._pause_s)
        counts = [[1.0 + sum(map(text.count, "acdeinrt"[at])) for at in range(DIMENSIONS)] for text in texts]
        return [[each / sum(v * v for v in row) ** 0.5 for each in row] for row in counts]

    async def close(self) -> None: ...


@pytest.fixture
async def database(migrated_vectors: PostgresDatabase) -> AsyncIterator[Database]:
    opened = await emptied(migrated_vectors)
    yield opened
    await opened.close()


@pytest.fixture
def bare(postgres_server: str) -> Iterator[PostgresDatabase]:
    """A database that nobody has done anything to."""
    yield from fresh_database(postgres_server)


def stage_on(embeddings: Embeddings, index: PgvectorIndex | NumpyVectorIndex) -> EmbeddingStage:
    return EmbeddingStage(embeddings, index, REFERENCES, NO_LEXICON)


async def held(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list((await connection.scalars(text("SELECT DISTINCT version FROM neighbour_vectors"))).all())


async def test_processes_that_start_together_compute_the_vectors_once(migrated_vectors: PostgresDatabase) -> None:
    models = [Lettered(pause_s=0.2) for _ in range(4)]
    indexes = [PgvectorIndex(await emptied(migrated_vectors)) for _ in models]
    stages = [stage_on(model, index) for model, index in zip(models, indexes, strict=True)]
    try:
        await asyncio.gather(*(stage.prepare() for stage in stages))
        assert sum(model.calls for model in models) == 1
        for stage in stages:
            (ranking,) = await stage.rank([CARD], within_s=LONG_S)
            assert ranking.candidates[0].canonical == "pii.financial_data.payment_card"
    finally:
        for index in indexes:
            await index.close()


async def test_real_processes_that_replace_the_same_version_at_once_leave_it_whole(
    migrated_vectors: PostgresDatabase, database: Database
) -> None:
    program = f"""
import asyncio
from llama_mapper.adapters.mapping.pgvector_vectors import PgvectorIndex
from llama_mapper.adapters.platform.database import Database

async def run():
    index = PgvectorIndex(Database({migrated_vectors.url!r}, "mapping"))
    for _ in range(5):
        await index.replace("same", [[1.0] + [0.0] * {DIMENSIONS - 1}] * 50)
    await index.close()

asyncio.run(run())
"""
    command = [sys.executable, "-c", program]
    runs = [asyncio.to_thread(subprocess.run, command, check=True, timeout=120) for _ in range(2)]
    await asyncio.gather(*runs)
    async with database.reading() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM neighbour_vectors WHERE version = 'same'")) == 50


async def test_a_process_that_dies_in_its_turn_holds_nobody_up(migrated_vectors: PostgresDatabase) -> None:
    program = f"""
import asyncio, os
from llama_mapper.adapters.mapping.pgvector_vectors import PgvectorIndex
from llama_mapper.adapters.platform.database import Database

async def run():
    async with PgvectorIndex(Database({migrated_vectors.url!r}, "mapping")).turn():
        os._exit(9)

asyncio.run(run())
"""
    died = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=False, timeout=120)
    assert died.returncode == 9
    index = PgvectorIndex(await emptied(migrated_vectors))
    async with asyncio.timeout(LONG_S), index.turn():
        pass
    await index.close()


async def test_other_texts_or_another_model_are_other_vectors_beside_the_old_ones(database: Database) -> None:
    index = PgvectorIndex(database)
    await stage_on(Lettered(), index).prepare()
    await stage_on(Lettered("letters-2"), index).prepare()
    await EmbeddingStage(Lettered(), index, REFERENCES[:1], NO_LEXICON).prepare()
    assert len(await held(database)) == 3
    again = Lettered()
    await stage_on(again, index).prepare()
    assert again.calls == 0


async def test_vectors_of_several_sizes_are_held_side_by_side(database: Database) -> None:
    index = PgvectorIndex(database)
    await index.replace("eight", vectors(3))
    await index.replace("two", [[1.0, 0.0], [0.0, 1.0]])
    (near,) = await index.nearest("two", [[0.0, 1.0]], 2, within_s=LONG_S)
    assert [one.number for one in near] == [1, 0]
    assert len((await index.nearest("eight", vectors(1), 9, within_s=LONG_S))[0]) == 3


async def test_only_the_newest_versions_stay(database: Database) -> None:
    index = PgvectorIndex(database)
    for number in range(KEPT + 3):
        await index.replace(f"v{number}", vectors(2))
    assert set(await held(database)) == {f"v{number}" for number in range(3, KEPT + 3)}


async def test_a_version_that_was_forgotten_is_a_fault_and_is_made_again(database: Database) -> None:
    model = Lettered()

    async def opened() -> Embeddings:
        return model

    kept = KeptEmbeddingStage(opened, lambda found: stage_on(found, PgvectorIndex(database)))
    await kept.look()
    assert (kept.state, model.calls) == ("", 1)
    async with database.writing() as connection:
        await connection.execute(text("DELETE FROM neighbour_vectors"))
    (lost,) = await kept.rank([CARD], within_s=LONG_S)
    assert lost.fault == "not_ready"
    await kept.look()
    (found,) = await kept.rank([CARD], within_s=LONG_S)
    assert found.fault is None
    assert found.candidates[0].canonical == "pii.financial_data.payment_card"


async def test_a_database_that_goes_away_is_a_fault_of_the_rankings(migrated_vectors: PostgresDatabase) -> None:
    index = PgvectorIndex(await emptied(migrated_vectors))
    stage = stage_on(Lettered(), index)
    await stage.prepare()
    await index.close()
    (ranking,) = await stage.rank([CARD], within_s=LONG_S)
    assert ranking.fault == "store_unavailable"


async def test_without_the_extension_everything_else_is_migrated_and_the_stage_says_what_is_missing(
    bare: PostgresDatabase, tmp_path: Path
) -> None:
    name = bare.url.rpartition("/")[2]
    try:
        await as_superuser(bare, f"ALTER DATABASE {name} SET extension_control_path = '/nowhere'")
    except Exception as error:
        pytest.skip(f"this PostgreSQL cannot hide its extensions ({type(error).__name__}): it is older than 18")
    await migrated(bare)
    index = PgvectorIndex(Database(bare.url, "mapping"))
    model = Lettered()

    async def opened() -> Embeddings:
        return model

    kept = KeptEmbeddingStage(opened, lambda found: stage_on(found, index))
    await kept.look()
    assert "no extension pgvector" in kept.state
    (ranking,) = await kept.rank([CARD], within_s=LONG_S)
    assert ranking.fault == "configuration_invalid"
    options = {"database_url": bare.url, "database_owner_url": bare.owner_url, "mapping_vectors": "pgvector"}
    settings = Settings.load(data_dir=tmp_path, **options)
    with pytest.raises(ConfigurationError, match="no extension pgvector"):
        _ = [schema async for schema in migrate_postgres(settings, None)]
    # Now a superuser installs it: the next migration makes the table, and the stage finds it by itself.
    await as_superuser(bare, f"ALTER DATABASE {name} RESET extension_control_path")
    await with_pgvector(bare)
    migrated_now = [schema.context async for schema in migrate_postgres(settings, None)]
    assert "mapping" in migrated_now
    await kept.look()
    assert kept.state == ""
    (ranking,) = await kept.rank([CARD], within_s=LONG_S)
    assert ranking.fault is None
    await index.close()


def test_vectors_in_postgresql_need_postgresql(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="mapping_vectors pgvector needs database_url"):
        Settings.load(data_dir=tmp_path, mapping_vectors="pgvector")
