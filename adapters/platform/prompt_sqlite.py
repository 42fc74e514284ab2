"""SQLite statements in the event loop's own thread: for one row, handing over to another costs more than the work."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

_SLOW_S = 0.005
_PAUSE = 20
"""How many times as long as a slow transaction took the next ones are refused."""
_STATEMENTS_REMEMBERED = 16


class PromptSqlite:
    """A connection that never waits: for a lock not at all, and for a slow disk a twentieth of the time at the most.

    A transaction that waited longer than 5 ms makes all be refused for twenty times as long as it took, so that a
    disk that has become slow (or is being synchronised) holds up the event loop now and then and not in every request.
    One whose thread did not wait, but lost the processor to other programs, would have been as late anywhere else.
    Checkpoints are left to other connections. To be used in one thread.
    """

    def __init__(self, path: Path, waits: Callable[[], int] | None = None) -> None:
        """Open the file, which must be in write-ahead mode; raise `sqlite3.Error` if that fails.

        `waits` counts how often the thread has waited for something; where it is not known, who is late has waited.
        """
        self._connection = sqlite3.connect(
            path, timeout=10.0, isolation_level=None, cached_statements=_STATEMENTS_REMEMBERED
        )
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA busy_timeout = 0")  # opened, it never waits for another's lock
        self._refuses_until = float("-inf")
        self._waits = waits or waits_of_this_thread()

    def write(self, statement: str, rows: Sequence[Sequence[Any]]) -> list[int] | None:
        """Run one writing statement for each of `rows`, all in one transaction; return how many rows each changed.

        None if nothing was done: because the file is locked, the disk is slow, or one of them failed. Who asks then
        goes the way that can wait, and meets the error there if it is one.
        """
        began = monotonic()
        if began < self._refuses_until:
            return None
        waits = None if self._waits is None else self._waits()
        try:
            return self._written(statement, rows)
        except (sqlite3.Error, UnicodeError, OverflowError):
            return None
        finally:
            ended = monotonic()
            if ended - began > _SLOW_S and (self._waits is None or self._waits() != waits):
                self._refuses_until = ended + _PAUSE * (ended - began)

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


def waits_of_this_thread() -> Callable[[], int] | None:
    """Counts the calling thread's voluntary context switches, as `getrusage(2)` does on Linux; None elsewhere."""
    if sys.platform != "linux":
        return None
    from resource import RUSAGE_THREAD, getrusage

    return lambda: getrusage(RUSAGE_THREAD).ru_nvcsw
