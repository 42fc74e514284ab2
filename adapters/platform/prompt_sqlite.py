"""SQLite statements in the event loop's own thread: for one row, handing over to another costs more than the work."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

_SLOW_S = 0.005
_PAUSE_S = 1.0
_STATEMENTS_REMEMBERED = 16


class PromptSqlite:
    """A connection that never waits: for a lock not at all, and for a slow disk once a second at the most.

    A transaction that took longer than 5 ms makes the next second's be refused, so that a disk that has become slow
    (or is being synchronised) holds up the event loop for a few milliseconds in a second and not in every request.
    Checkpoints are left to other connections. To be used in one thread.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, which must be in write-ahead mode; raise `sqlite3.Error` if that fails."""
        self._connection = sqlite3.connect(
            path, timeout=0.0, isolation_level=None, cached_statements=_STATEMENTS_REMEMBERED
        )
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._refuses_until = float("-inf")

    def write(self, statement: str, rows: Sequence[Sequence[Any]]) -> list[int] | None:
        """Run one writing statement for each of `rows`, all in one transaction; return how many rows each changed.

        None if nothing was done: because the file is locked, the disk is slow, or one of them failed. Who asks then
        goes the way that can wait, and meets the error there if it is one.
        """
        began = monotonic()
        if began < self._refuses_until:
            return None
        try:
            return self._written(statement, rows)
        except (sqlite3.Error, UnicodeError, OverflowError):
            return None
        finally:
            ended = monotonic()
            if ended - began > _SLOW_S:
                self._refuses_until = ended + _PAUSE_S

    def _written(self, statement: str, rows: Sequence[Sequence[Any]]) -> list[int]:
        execute = self._connection.execute
        if len(rows) == 1:
            return [execute(statement, rows[0]).rowcount]
        execute("BEGIN IMMEDIATE")
        with self._connection:  # commits, or undoes everything
            return [execute(statement, row).rowcount for row in rows]

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()
