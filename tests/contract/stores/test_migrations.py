"""Every context's schema, up and down, on both databases."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, inspect, text

from llama_mapper.adapters.orchestration.policies.sql_policy_records import SqlPolicyRecords
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import CONTEXTS, alembic_config, downgrade, migrate, revision
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.lifecycle.activation import in_force
from llama_mapper.domain.orchestration.lifecycle.events import Slot
from llama_mapper.domain.orchestration.lifecycle.states import review_all
from tests.support.postgres import APPLICATION
from tests.support.store_places import PostgresPlace, StorePlace


def head(context: str) -> str:
    return str(import_module(f"llama_mapper.adapters.{context}.migrations").HEAD)


async def as_owner(place: StorePlace, context: str) -> Database:
    return await (place.as_owner(context) if isinstance(place, PostgresPlace) else place.fresh(context))


def differences(connection: Connection, metadata: MetaData) -> list[Any]:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    # The table of vectors is there only where PostgreSQL has pgvector: tests/contract/mapping.
    only_sometimes = {"neighbour_vectors"}
    opts = {"compare_type": True, "include_name": lambda name, kind, _: kind != "table" or name not in only_sometimes}
    return list(compare_metadata(MigrationContext.configure(connection, opts=opts), metadata))


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_named_head_is_the_newest_revision(context: str) -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(alembic_config(context)).get_heads() == [head(context)]


@pytest.mark.parametrize("context", CONTEXTS)
async def test_models_and_migrations_agree(place: StorePlace, context: str) -> None:
    metadata = import_module(f"llama_mapper.adapters.{context}.tables").METADATA
    database = await as_owner(place, context)
    try:
        async with database.reading() as connection:
            assert await connection.run_sync(differences, metadata) == []
    finally:
        await database.close()


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_schema_goes_down_to_nothing_and_up_again(place: StorePlace, context: str) -> None:
    database = await as_owner(place, context)
    try:
        await downgrade(database)
        async with database.reading() as connection:
            left = await connection.run_sync(lambda c: inspect(c).get_table_names())
        assert left == ["alembic_version"]
        assert await revision(database) is None
    finally:
        assert await migrate(database, app_role=APPLICATION)
        assert not await migrate(database, app_role=APPLICATION)
        assert await revision(database) == head(context)
        await database.close()


async def test_bundles_stored_before_versions_were_approved_stay_in_force(place: StorePlace) -> None:
    owner = await as_owner(place, "orchestration")
    insert = text(
        "INSERT INTO policy_bundles (tenant_id, name, version, digest, description, modules, data)"
        " VALUES (:tenant, :name, :version, :digest, '', '{}', '{}')"
    )
    try:
        await downgrade(owner, "0001")
        for tenant, name, version in (("acme", "p", "1"), ("acme", "p", "2"), ("globex", "p", "1"), ("acme", "q", "7")):
            row = {"tenant": tenant, "name": name, "version": version, "digest": "sha256:" + version * 64}
            async with owner.writing(tenant) as connection:
                await connection.execute(insert, row)
        assert await migrate(owner, app_role=APPLICATION)
        application = await place.reopen(owner)
        try:
            records = SqlPolicyRecords(application)
            for tenant, name, versions in (("acme", "p", "12"), ("globex", "p", "1"), ("acme", "q", "7")):
                chain = in_force((await records.activations(tenant, name)).own)[Slot()]
                assert [event.version for event in chain] == [versions[-1]]
                reviews = review_all(await records.log(tenant, name))
                assert [(version, review.state.value) for version, review in reviews.items()] == [
                    (version, "active" if version == versions[-1] else "retired") for version in versions
                ]
            *_, before, _ = [event for event in await records.log("acme", "p") if event.slot]
            assert (await records.activations("acme", "p")).own[-1].previous == before.number
        finally:
            await application.close()
    finally:
        await owner.close()


async def test_processes_that_start_together_migrate_once(place: StorePlace, tmp_path: Path) -> None:
    if isinstance(place, PostgresPlace):
        databases = [await place.as_owner("analysis") for _ in range(4)]
        await downgrade(databases[0])
    else:
        databases = [Database(tmp_path, "analysis") for _ in range(4)]
        await asyncio.gather(*(database.open() for database in databases))
    try:
        await asyncio.gather(*(migrate(database, app_role=APPLICATION) for database in databases))
        assert await revision(databases[0]) == head("analysis")
    finally:
        for database in databases:
            await database.close()


async def test_a_database_of_another_version_is_refused_and_left_alone(place: StorePlace) -> None:
    database = await as_owner(place, "mapping")
    try:
        async with database.writing() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(ConfigurationError):
            await migrate(database)
        assert await revision(database) == "9999"
    finally:
        async with database.writing() as connection:
            await connection.execute(text(f"UPDATE alembic_version SET version_num = '{head('mapping')}'"))
        await database.close()


async def test_a_context_without_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        await migrate(Database(tmp_path, "links"))


async def test_a_database_at_head_needs_no_alembic(tmp_path: Path) -> None:
    for context in CONTEXTS:
        database = Database(tmp_path, context)
        await database.open()
        await migrate(database)
        await database.close()
    program = f"""
import asyncio, sys
from pathlib import Path
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import CONTEXTS, migrate

async def start():
    for context in CONTEXTS:
        database = Database(Path({str(tmp_path)!r}), context)
        await database.open()
        assert not await migrate(database)
        await database.close()

asyncio.run(start())
assert "alembic" not in sys.modules
"""
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=True, timeout=30)
