"""`PromptSqlite`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_mapper.adapters.platform import prompt_sqlite
from llama_mapper.adapters.platform.prompt_sqlite import PromptSqlite

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


def test_after_a_slow_write_the_event_loop_is_left_alone_for_a_second(
    prompt: PromptSqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    taking = 0.006

    def clock() -> float:
        nonlocal now
        now += taking
        return now

    monkeypatch.setattr(prompt_sqlite, "monotonic", clock)
    assert prompt.write(INSERT, [["a"]]) == [1]
    taking = 0.0
    assert prompt.write(INSERT, [["b"]]) is None
    now += 1.1
    assert prompt.write(INSERT, [["b"]]) == [1]
