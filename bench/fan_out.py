"""What the orchestrator adds to the slowest of its remote detectors, and what a core carries."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack

import aiohttp

from bench.chain import CONTENT
from bench.fms_servers import FmsServers
from bench.remote import orchestrating
from bench.series import Call, Series, measure
from bench.statistics_of import show, verdict
from llama_mapper.domain.contracts.orchestration import DetectorStatus, OrchestrationRequest, ProcessingMode
from llama_mapper.domain.kernel.errors import OrchestrationError
from llama_mapper.entrypoints.containers.running import Running

DETECTORS = (1, 5, 20)
_CLIENTS = (1, 16, 64)
_ROUNDS = 5
# With five seconds for the detectors: where these are many and the clients too, the time is what is measured.
_REQUEST = OrchestrationRequest(content=CONTENT, tenant_id="local", processing_mode=ProcessingMode.LOW)


async def fan_out(servers: FmsServers) -> None:
    """Against a floor of the same client asking one detector alone, by turns."""
    from llama_mapper.adapters.orchestration.remote.http_detector import open_detector_client

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(open_detector_client())
        calls: dict[int, Call] = {0: _alone(client, servers.urls[0])}
        for count in DETECTORS:
            running = await stack.enter_async_context(orchestrating(servers, count, response_cache_ttl_s=0))
            calls[count] = asking(running, count)
        for clients in _CLIENTS:
            await _compare(servers, client, calls, clients)


def _alone(client: aiohttp.ClientSession, url: str) -> Call:
    body = json.dumps({"contents": [CONTENT], "detector_params": {}}).encode()

    async def ask() -> bool:
        async with client.post(
            f"{url}/api/v1/text/contents", data=body, headers={"content-type": "application/json"}
        ) as answer:
            return bool(json.loads(await answer.read()) == [[]])

    return ask


def asking(running: Running, count: int) -> Call:
    """One orchestration; whole if so many detectors answered."""

    async def ask() -> bool:
        assert running.orchestration is not None
        try:
            response = await running.orchestration.orchestrate(_REQUEST)
        except OrchestrationError:  # not one detector answered
            return False
        return sum(each.status is DetectorStatus.SUCCESS for each in response.detector_results) == count

    return ask


async def _compare(servers: FmsServers, client: aiohttp.ClientSession, calls: dict[int, Call], clients: int) -> None:
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
    at = "1 client" if clients == 1 else f"{clients} clients"
    show(
        f"floor: one detector asked alone, {at}",
        f"p50 {floor.ms(0.5):.2f} ms",
        f"p99 {floor.ms(0.99):.2f} ms",
        f"{floor.per_core:,.0f}/s a core",
    )
    for count in DETECTORS:
        each, asked = series[count], len(series[count].calls_s) * count
        added = (each.ms(0.5) / floor.ms(0.5) - 1) * 100
        told = [
            f"p50 {each.ms(0.5):.2f} ms ({added:+.1f} %)",
            f"p99 {each.ms(0.99):.2f} ms",
            f"{each.per_core:,.0f}/s a core",
            f"{opened[count]} new connections for {asked:,} calls",
        ]
        told += [f"{each.incomplete} incomplete"] if each.incomplete else []
        told += [verdict(added, 3.0)] if clients == 1 else []
        show(f"{count} of them, {at}", *told)
        assert opened[count] <= asked / 20, "connections to the detectors are not used again"
