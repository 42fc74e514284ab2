"""What saving an assessment and reading a history window cost, beside plain `sqlite3` in the same run.

python bench/stores.py [folder] [--rows 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop

from llama_mapper.adapters.analysis.sql_history import SqlFindingHistory
from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import migrate
from llama_mapper.domain.analysis.ports import HistoryEntry
from llama_mapper.domain.assessment.ports import AssessmentRow
from llama_mapper.domain.kernel.ids import new_id

BODY = os.urandom(8_192)
START = datetime(2026, 1, 1, tzinfo=UTC)


def quantiles(times: list[float]) -> tuple[float, float]:
    """p50 and p99 in microseconds."""
    times.sort()
    return times[len(times) // 2] * 1e6, times[len(times) * 99 // 100] * 1e6


def floor(path: Path, saves: int) -> list[float]:
    """The same rows by `sqlite3` alone, one transaction each, in this thread."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    times = []
    for _ in range(saves):
        row = ("floor", new_id("as"), 1, "allow", "LOW", 1.0, BODY)
        began = time.perf_counter()
        connection.execute("INSERT INTO assessments VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        times.append(time.perf_counter() - began)
    connection.close()
    return times


async def clients(call: Callable[[], Awaitable[None]], count: int, calls: int) -> tuple[list[float], float]:
    """`calls` calls by `count` clients; each call's time, and calls a second."""
    times: list[float] = []

    async def client() -> None:
        for _ in range(calls // count):
            began = time.perf_counter()
            await call()
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(count)))
    return times, len(times) / (time.perf_counter() - began)


async def opened(folder: Path, context: str) -> Database:
    """A migrated database."""
    database = Database(folder, context)
    await database.open()
    await migrate(database)
    return database


async def saving(folder: Path, rounds: int = 3, saves: int = 2_000) -> None:
    """Save, by turns with the floor."""
    database = await opened(folder, "assessment")
    store = SqlAssessments(database)

    async def save() -> None:
        await store.save(AssessmentRow(new_id("as"), "acme", datetime.now(UTC), "allow", "LOW", 1.0, BODY))

    await clients(save, 1, 300)
    for _ in range(rounds):
        base, base_p99 = quantiles(floor(folder / "assessment.db", saves))
        print(f"save: floor p50 {base:.0f} us, p99 {base_p99:.0f} us")
        for count in (1, 16):
            times, rate = await clients(save, count, saves)
            p50, p99 = quantiles(times)
            print(
                f"  {count:2d} clients: p50 {p50:.0f} us, p99 {p99:.0f} us, {rate:.0f}/s, p50 / floor {p50 / base:.1f}"
            )
    await database.close()


async def reading(folder: Path, rows: int) -> None:
    """A 30-day window over `rows` assessments of one tenant."""
    database = await opened(folder, "analysis")
    history = SqlFindingHistory(database)
    categories = [f"pii.c{number}" for number in range(12)]
    draw = random.Random(7)  # a benchmark's data
    second = timedelta(days=30) / rows

    def entry(number: int) -> HistoryEntry:
        found = draw.sample(categories, draw.choice((0, 0, 0, 1, 1, 2, 3)))
        counts = {category: draw.choice((1, 1, 1, 2, 3, 5)) for category in found}
        return HistoryEntry("acme", f"r{number}", START + second * number, counts)

    began = time.perf_counter()
    for first in range(0, rows, 5_000):
        await history.record([entry(number) for number in range(first, min(first + 5_000, rows))])
    print(f"history: {rows} entries recorded in {time.perf_counter() - began:.1f} s")
    for days in (1, 7, 30):
        until = START + timedelta(days=30)
        times = []
        for _ in range(3):
            began = time.perf_counter()
            window = await history.window("acme", until - timedelta(days=days), until)
            times.append(time.perf_counter() - began)
        print(f"  window of {days:2d} days, {window.assessments} assessments: {min(times) * 1e3:.1f} ms (best of 3)")
    print("  size", json.dumps({"bytes": (folder / "analysis.db").stat().st_size}))
    await database.close()


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        uvloop.run(saving(folder))
        uvloop.run(reading(folder, arguments.rows))


if __name__ == "__main__":
    main()
