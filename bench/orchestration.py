"""Remote detectors over real sockets: what the orchestrator adds to the slowest, streams, policies, kept answers."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time

import aiohttp

from bench.chain import CONTENT
from bench.fms_servers import FmsServers, fms_servers
from bench.noop import CATEGORIES
from bench.statistics_of import quantile, show, verdict
from llama_mapper.domain.contracts.orchestration import DetectorStatus, OrchestrationRequest, ProcessingMode
from llama_mapper.domain.kernel.errors import OrchestrationError
from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.settings import Settings

_DELAY_S = 0.02
_DETECTORS = (1, 5, 20)
_CLIENTS = (1, 16, 64)
_ROUNDS = 5
# With five seconds for the detectors: where these are many and the clients too, the time is what is measured.
_REQUEST = OrchestrationRequest(content=CONTENT, tenant_id="local", processing_mode=ProcessingMode.LOW)


@dataclass(slots=True)
class Series:
    """Samples of one thing, over all rounds: seconds of each call, processor and wall-clock seconds of all.

    `incomplete` calls lacked the answer of a detector.
    """

    calls_s: list[float] = field(default_factory=list)
    incomplete: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def ms(self, share: float) -> float:
        """A quantile of the calls, in milliseconds."""
        return quantile(self.calls_s, share) * 1e3

    @property
    def per_core(self) -> float:
        """Calls in a second of processor time."""
        return len(self.calls_s) / self.cpu_s


async def run() -> None:
    """All parts."""
    with fms_servers(max(_DETECTORS), _DELAY_S) as servers:
        await _fan_out(servers)


Call = Callable[[], Awaitable[bool]]
"""Does one thing; false where it was not done as a whole."""


async def measure(series: Series, call: Call, clients: int, count: int) -> None:
    """Add `count` calls by so many clients at one time."""
    left = count

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            began = perf_counter()
            series.incomplete += not await call()
            series.calls_s.append(perf_counter() - began)

    wall, cpu = perf_counter(), process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    series.wall_s += perf_counter() - wall
    series.cpu_s += process_time() - cpu


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
        # So that nothing waits for a place or stops at a failure, and no probe falls into the measurement.
        "resilience": {"max_concurrency": 256, "breaker_failures": 1000, "probe_interval_ms": 3_600_000},
        "timeout_ms": 5_000,
    }


async def _fan_out(servers: FmsServers) -> None:
    from llama_mapper.adapters.orchestration.remote.http_detector import open_detector_client

    floor_client = open_detector_client()
    body = json.dumps({"contents": [CONTENT], "detector_params": {}}).encode()
    url = f"{servers.urls[0]}/api/v1/text/contents"

    async def floor() -> bool:
        async with floor_client.post(url, data=body, headers={"content-type": "application/json"}) as answer:
            return bool(json.loads(await answer.read()) == [[]])

    async with AsyncExitStack() as stack:
        asking = {
            count: await stack.enter_async_context(orchestrating(servers, count, response_cache_ttl_s=0))
            for count in _DETECTORS
        }
        calls: dict[int, Call] = {0: floor}
        calls |= {count: _asking(running, count) for count, running in asking.items()}
        for clients in _CLIENTS:
            await _compare(servers, floor_client, calls, clients)
    await floor_client.close()


def _asking(running: Running, count: int) -> Call:
    async def ask() -> bool:
        assert running.orchestration is not None
        try:
            response = await running.orchestration.orchestrate(_REQUEST)
        except OrchestrationError:  # not one detector answered
            return False
        return sum(each.status is DetectorStatus.SUCCESS for each in response.detector_results) == count

    return ask


async def _compare(
    servers: FmsServers,
    client: aiohttp.ClientSession,
    calls: dict[int, Call],
    clients: int,
) -> None:
    """By turns: the slowest detector asked alone, and fan-outs to so many detectors."""
    series = {count: Series() for count in calls}
    opened = dict.fromkeys(calls, 0)
    for _ in range(_ROUNDS):
        for count, call in calls.items():
            # Idle connections are closed between the turns: the first calls open them, and are not counted.
            await measure(Series(), call, clients, clients * 2)
            before = await servers.accepted(client)
            await measure(series[count], call, clients, max(clients, 240 // max(1, count)))
            opened[count] += await servers.accepted(client) - before
    floor = series[0]
    show(
        f"floor: one detector asked alone, {clients} clients",
        f"p50 {floor.ms(0.5):.2f} ms",
        f"p99 {floor.ms(0.99):.2f} ms",
        f"{floor.per_core:,.0f}/s a core",
    )
    for count in _DETECTORS:
        each = series[count]
        added = (each.ms(0.5) / floor.ms(0.5) - 1) * 100
        show(
            f"{count} detectors, {clients} clients",
            f"p50 {each.ms(0.5):.2f} ms ({added:+.1f} %)",
            f"p99 {each.ms(0.99):.2f} ms",
            f"{each.per_core:,.0f}/s a core",
            f"{opened[count]} new connections for {len(each.calls_s) * count} calls",
            f"{each.incomplete} incomplete" if each.incomplete else "",
            verdict(added, 3.0) if clients == 1 else "",
        )
