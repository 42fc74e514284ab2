"""The product, in this process, over the detectors of `bench.fms_servers`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.fms_servers import FmsServers
from bench.noop import CATEGORIES
from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.settings import Settings


@asynccontextmanager
async def orchestrating(servers: FmsServers, count: int, **settings: object) -> AsyncIterator[Running]:
    """The product with the first so many of the servers as its only detectors."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = folder / "detectors"
        files.mkdir()
        for number, url in enumerate(servers.urls[:count]):
            (files / f"{number}.yaml").write_text(json.dumps(_definition(f"remote_{number:02}", url)))
        chosen = Settings.load(data_dir=folder / "data", detectors=(), detector_files=(files,), **settings)
        async with running_monolith(chosen) as running:
            yield running


def _definition(name: str, url: str) -> dict[str, object]:
    return {
        "name": name,
        "vendor": "presidio",
        "vendor_version": "1",
        "url": url,
        "protocol": {"kind": "fms", "detector_id": name},
        "categories": list(CATEGORIES),
        "timeout_ms": 5_000,
        # So that nothing waits for a place or stops at a failure, and no probe falls into the measurement.
        "resilience": {"max_concurrency": 256, "breaker_failures": 1000, "probe_interval_ms": 3_600_000},
    }
