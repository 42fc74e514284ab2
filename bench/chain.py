"""The chain in process: what it adds around three no-op detectors, and how it fans out."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path
from time import perf_counter

from bench.noop import noops
from bench.statistics_of import quantile, show, verdict
from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.settings import Settings

CONTENT = "The quarterly report is ready; the figures are on the second page. " * 8


async def run() -> None:
    """Chain overhead and fan-out."""
    await _overhead()
    await _fan_out()


async def _overhead(rounds: int = 3000) -> None:
    request = AssessmentRequest(content=CONTENT, tenant_id="local", frameworks=("soc2", "gdpr"))
    with tempfile.TemporaryDirectory() as folder:
        async with running_monolith(
            Settings.load(data_dir=Path(folder), detectors=(), response_cache_ttl_s=0), noops()
        ) as running:
            assert running.assessments is not None
            for _ in range(300):
                record = await running.assessments.assess(request)
            samples = []
            for _ in range(rounds):
                started = perf_counter()
                record = await running.assessments.assess(request)
                samples.append((perf_counter() - started) * 1e3)
        floor = _sqlite_floor(Path(folder) / "floor.db", record.body, rounds)
    p50, p99 = quantile(samples, 0.5), quantile(samples, 0.99)
    show("chain, 3 no-op detectors, signed, stored: p50", f"{p50:.3f} ms", verdict(p50, 0.5))
    show("chain, 3 no-op detectors, signed, stored: p99", f"{p99:.3f} ms", verdict(p99, 3.0))
    show("floor: one committed SQLite row of the same size: p50", f"{floor:.3f} ms", f"ratio {p50 / floor:.1f}")


def _sqlite_floor(path: Path, body: bytes, rounds: int) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE record (id TEXT PRIMARY KEY, body BLOB)")
    samples = []
    for number in range(rounds):
        started = perf_counter()
        connection.execute("INSERT INTO record VALUES (?, ?)", (f"{number:026}", body))
        samples.append((perf_counter() - started) * 1e3)
    connection.close()
    return quantile(samples, 0.5)


async def _fan_out(delay_s: float = 0.02, rounds: int = 100) -> None:
    request = AssessmentRequest(content=CONTENT, tenant_id="local", frameworks=("soc2",))
    floor, samples = [], []
    with tempfile.TemporaryDirectory() as folder:
        async with running_monolith(
            Settings.load(data_dir=Path(folder), detectors=(), response_cache_ttl_s=0), noops(delay_s)
        ) as running:
            assert running.orchestration is not None
            for _ in range(rounds):
                started = perf_counter()
                await asyncio.sleep(delay_s)
                floor.append((perf_counter() - started) * 1e3)
                started = perf_counter()
                await running.orchestration.orchestrate(request)
                samples.append((perf_counter() - started) * 1e3)
    ratio = quantile(samples, 0.5) / quantile(floor, 0.5)
    show(
        "fan-out, 3 detectors of 20 ms: p50", f"{quantile(samples, 0.5):.2f} ms", f"floor {quantile(floor, 0.5):.2f} ms"
    )
    show("fan-out over the slowest detector", f"{(ratio - 1) * 100:+.1f} %", verdict((ratio - 1) * 100, 3.0))
