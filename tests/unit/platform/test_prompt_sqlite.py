"""`PromptSqlite`."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest

from llama_mapper.adapters.platform import prompt_sqlite
from llama_mapper.adapters.platform.prompt_sqlite import PromptSqlite, waits_of_this_thread

INSERT = "INSERT INTO things VALUES (?) ON CONFLICT DO NOTHING"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "things.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE things (name TEXT PRIMARY KEY NOT NULL)")
    yield connection
    connection.close()


@pytest.fixture
def prompt(file: sqlite3.Connection, tmp_path: Path) -> Iterator[PromptSqlite]:
    prompt = PromptSqlite(tmp_path / "things.db")
    yield prompt
    prompt.close()


def test_a_written_row_is_committed_at_once(prompt: PromptSqlite, file: sqlite3.Connection) -> None:
    assert prompt.write(INSERT, [["a"]]) == [1]
    assert file.execute("SELECT name FROM things").fetchall() == [("a",)]


def test_a_row_that_is_there_changes_nothing(prompt: PromptSqlite) -> None:
    assert [prompt.write(INSERT, [[name]]) for name in "aab"] == [[1], [0], [1]]
    assert prompt.write(INSERT, [["a"], ["c"], ["c"], ["b"], ["d"]]) == [0, 1, 0, 0, 1]


def test_rows_that_are_written_together_are_written_all_or_none(prompt: PromptSqlite, file: sqlite3.Connection) -> None:
    assert prompt.write(INSERT, [["a"], [None], ["b"]]) is None
    assert file.execute("SELECT name FROM things").fetchall() == []
    assert prompt.write(INSERT, [["a"], ["b"]]) == [1, 1]
    assert file.execute("SELECT name FROM things ORDER BY name").fetchall() == [("a",), ("b",)]


def test_a_locked_file_is_not_waited_for(prompt: PromptSqlite, file: sqlite3.Connection) -> None:
    file.execute("BEGIN IMMEDIATE")
    assert prompt.write(INSERT, [["a"]]) is None
    assert prompt.write(INSERT, [["a"], ["b"]]) is None
    file.execute("ROLLBACK")
    assert prompt.write(INSERT, [["a"]]) == [1]


def test_a_refused_value_is_left_to_the_way_that_tells_why(prompt: PromptSqlite) -> None:
    assert prompt.write(INSERT, [[None]]) is None
    assert prompt.write(INSERT, [["\ud800"]]) is None
    assert prompt.write(INSERT, [[1 << 70]]) is None
    assert prompt.write(INSERT, [["a"]]) == [1]


class Held:
    """A clock that goes on by `taking` seconds with every reading, and a count of waits by one if `waiting`."""

    def __init__(self) -> None:
        self.now, self.taking, self.waiting, self.waits = 100.0, 0.0, False, 0

    def clock(self) -> float:
        self.now += self.taking
        return self.now

    def count(self) -> int:
        self.waits += self.waiting
        return self.waits


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held()
    monkeypatch.setattr(prompt_sqlite, "monotonic", held.clock)
    return held


@pytest.mark.parametrize("counts", [True, False])
def test_after_a_write_that_waited_the_event_loop_is_left_alone_for_twenty_times_as_long(
    file: sqlite3.Connection, tmp_path: Path, held: Held, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_sqlite, "waits_of_this_thread", lambda: None)
    prompt = PromptSqlite(tmp_path / "things.db", held.count if counts else None)
    held.taking, held.waiting = 0.006, True
    assert prompt.write(INSERT, [["a"]]) == [1]
    held.taking = 0.0
    held.now += 0.11
    assert prompt.write(INSERT, [["b"]]) is None
    held.now += 0.02
    assert prompt.write(INSERT, [["b"]]) == [1]
    prompt.close()


def test_a_write_that_only_lost_the_processor_to_others_does_not_count_as_slow(
    file: sqlite3.Connection, tmp_path: Path, held: Held
) -> None:
    prompt = PromptSqlite(tmp_path / "things.db", held.count)
    held.taking = 0.006
    assert [prompt.write(INSERT, [[name]]) for name in "ab"] == [[1], [1]]
    prompt.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a thread's waits")
def test_a_thread_that_sleeps_is_seen_to_wait() -> None:
    waits = waits_of_this_thread()
    assert waits is not None
    before = waits()
    sleep(0.001)
    assert waits() > before
