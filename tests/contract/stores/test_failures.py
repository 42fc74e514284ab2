"""A database that cannot be used gives `STORE_UNAVAILABLE`, and nothing is half-written."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from llama_mapper.adapters.analysis.sql_history import SqlFindingHistory
from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import migrate
from llama_mapper.domain.analysis.ports import HistoryEntry
from llama_mapper.domain.assessment.ports import AssessmentRow
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, StoreError
from llama_mapper.domain.kernel.ids import new_id
from tests.support.postgres import PostgresDatabase
from tests.support.store_places import PostgresPlace, SqlitePlace, StorePlace

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def a_row(body: bytes = b"{}") -> AssessmentRow:
    return AssessmentRow(new_id("as"), "acme", NOON, "allow", "LOW", 1.0, body)


def unavailable(error: StoreError) -> bool:
    return error.error_code is ErrorCode.STORE_UNAVAILABLE and error.retryable


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        await Database(tmp_path / "file" / "data", "assessment").open()
    assert unavailable(caught.value)


async def test_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "assessment.db").write_bytes(b"not a database, " * 100)
    with pytest.raises(StoreError) as caught:
        await Database(tmp_path, "assessment").open()
    assert unavailable(caught.value)


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(StoreError) as caught:
            await Database(f"postgresql://app:hidden-word@127.0.0.1:{port}/x", "assessment").open()
    assert unavailable(caught.value)
    assert "hidden-word" not in str(caught.value)


def test_a_database_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Database("mysql://127.0.0.1/x", "assessment")


async def test_a_database_that_was_closed(place: StorePlace) -> None:
    database = await place.fresh("assessment")
    store = SqlAssessments(database)
    await database.close()
    await database.close()
    for call in (store.save(a_row()), store.get("acme", "as_1"), database.ping()):
        with pytest.raises(StoreError) as caught:
            await call
        assert unavailable(caught.value)


async def test_a_database_that_was_not_migrated(tmp_path: Path) -> None:
    database = Database(tmp_path, "assessment")
    await database.open()
    try:
        with pytest.raises(StoreError) as caught:
            await SqlAssessments(database).save(a_row())
        assert unavailable(caught.value)
    finally:
        await database.close()


async def test_a_locked_file_fails_after_the_lock_timeout_and_works_afterwards(sqlite_place: SqlitePlace) -> None:
    database = await sqlite_place.fresh("assessment", lock_timeout_s=0.05)
    store = SqlAssessments(database)
    other = sqlite3.connect(str(database.url.database), isolation_level=None)
    row = a_row()
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as caught:
            await store.save(row)
        assert unavailable(caught.value)
        assert await store.get("acme", row.id) is None
        other.execute("ROLLBACK")
        await store.save(row)
    finally:
        other.close()
        await database.close()


async def test_a_full_disk_leaves_nothing_half_written(sqlite_place: SqlitePlace) -> None:
    database = await sqlite_place.fresh("analysis")
    history = SqlFindingHistory(database)
    entries = [HistoryEntry("acme", f"r{number}", NOON, {"pii.contact": 1}) for number in range(5_000)]
    try:
        await database.sqlite_rows("PRAGMA max_page_count = 20")
        with pytest.raises(StoreError) as caught:
            await history.record(entries)
        assert unavailable(caught.value)
        assert (await history.window("acme", NOON, NOON + timedelta(days=1))).assessments == 0
    finally:
        await database.close()


async def test_a_server_that_dropped_its_connections_is_used_again(
    postgres_place: PostgresPlace, postgres: PostgresDatabase
) -> None:
    database = await postgres_place.fresh("assessment", pool_size=1)
    superuser = Database(postgres.superuser_url, "assessment", unbound_role=True)
    await superuser.open()
    store = SqlAssessments(database)
    drop = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    try:
        await store.save(a_row())
        async with superuser.reading() as connection:
            await connection.execute(drop)
        row = a_row()
        with pytest.raises(StoreError) as caught:
            await store.save(row)
        assert unavailable(caught.value)
        await store.save(row)
    finally:
        await superuser.close()
        await database.close()


async def test_sqlite_files_are_readable_by_their_user_alone(folder: Path) -> None:
    database = Database(folder, "assessment")
    await database.open()
    await migrate(database)
    try:
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
        assert modes == {
            "data": 0o700,
            "assessment.db": 0o600,
            "assessment.db-wal": 0o600,
            "assessment.db-shm": 0o600,
        }
    finally:
        await database.close()


@pytest.mark.parametrize(("synchronous", "level"), [("NORMAL", 1), ("FULL", 2)])
async def test_sqlite_logs_ahead_and_synchronises_as_told(
    sqlite_place: SqlitePlace, synchronous: str, level: int
) -> None:
    database = await sqlite_place.fresh("assessment", synchronous=synchronous)
    try:
        assert await database.sqlite_rows("PRAGMA journal_mode") == [("wal",)]
        assert await database.sqlite_rows("PRAGMA synchronous") == [(level,)]
    finally:
        await database.close()


async def test_the_log_reaches_the_file_without_a_writer_waiting_for_it(sqlite_place: SqlitePlace) -> None:
    database = await sqlite_place.fresh("assessment")
    try:
        before = Path(str(database.url.database)).stat().st_size
        await SqlAssessments(database).save(a_row(b"x" * 100_000))
        async with asyncio.timeout(10):
            while Path(str(database.url.database)).stat().st_size == before:
                await asyncio.sleep(0.05)
    finally:
        await database.close()


_SAVER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import migrate
from llama_mapper.domain.assessment.ports import AssessmentRow

async def client(store, number):
    for turn in range(100_000):
        id = f"as_{number}_{turn}"
        await store.save(AssessmentRow(id, "acme", datetime.now(UTC), "allow", "LOW", 1.0, id.encode() * 100))
        sys.stdout.write(id + "\\n")
        sys.stdout.flush()

async def main():
    database = Database(Path(sys.argv[1]), "assessment")
    await database.open()
    await migrate(database)
    store = SqlAssessments(database)
    await asyncio.gather(*(client(store, number) for number in range(8)))

asyncio.run(main())
"""


async def test_every_acknowledged_record_survives_a_killed_process(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _SAVER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(500)]
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(timeout=10) == -signal.SIGKILL
    acknowledged += rest.split("\n")[:-1]  # a last line without its end was cut off
    database = Database(tmp_path, "assessment")
    await database.open()
    try:
        found = await database.sqlite_rows("SELECT id, body FROM assessments")
        kept = {id for id, body in found if body == id.encode() * 100}
        assert len(kept) == len(found)
        assert set(acknowledged) <= kept
        assert await database.sqlite_rows("PRAGMA integrity_check") == [("ok",)]
    finally:
        await database.close()


async def test_a_short_lock_by_another_process_is_waited_for(sqlite_place: SqlitePlace) -> None:
    database = await sqlite_place.fresh("assessment")
    store = SqlAssessments(database)
    other = sqlite3.connect(str(database.url.database), isolation_level=None)
    row = a_row()
    try:
        other.execute("BEGIN IMMEDIATE")
        saving = asyncio.create_task(store.save(row))
        await asyncio.sleep(0.05)
        assert not saving.done()
        other.execute("ROLLBACK")
        await saving
        assert await store.get("acme", row.id) == b"{}"
    finally:
        other.close()
        await database.close()


async def test_writers_who_never_pause_begin_the_log_anew_once_it_is_long(
    sqlite_place: SqlitePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_mapper.adapters.platform.database._CHECKPOINT_BACKSTOP_PAGES", 256)  # 1 MiB
    database = await sqlite_place.fresh("assessment")
    store = SqlAssessments(database)
    log = Path(f"{database.url.database}-wal")

    def beginning() -> bytes:  # of the log's header: two numbers that change whenever it begins anew
        with log.open("rb") as file:
            return file.read(24)[16:]

    try:
        await store.save(a_row())
        before = beginning()
        async with asyncio.timeout(20):
            while beginning() == before:
                await store.save(a_row(b"x" * 16_384))
                await asyncio.sleep(0)
    finally:
        await database.close()
