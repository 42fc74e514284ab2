"""Throughput over HTTP against the floor: same server, same run, in turns."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile

from bench.chain import CONTENT
from bench.load import load
from bench.statistics_of import quantile, show, verdict

_BODY = json.dumps({"content": CONTENT, "frameworks": ["soc2", "gdpr"]}).encode()
_PORTS = {"floor": 18091, "product": 18092}


async def run(rounds: int = 5) -> None:
    """At 1 and 16 clients: median throughput of each, and the ratio of the medians."""
    with tempfile.TemporaryDirectory() as folder:
        servers = [_started(kind, port, folder) for kind, port in _PORTS.items()]
        try:
            for port in _PORTS.values():
                await _until_it_answers(port)
            for clients in (1, 16):
                await _compare(clients, rounds)
        finally:
            for server in servers:
                server.kill()
                server.wait()


def _started(kind: str, port: int, folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "bench.served", kind, str(port), folder], stderr=subprocess.DEVNULL)


async def _compare(clients: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {kind: [] for kind in _PORTS}
    latencies: dict[str, list[float]] = {kind: [] for kind in _PORTS}
    for _ in range(rounds):
        for kind, port in _PORTS.items():
            rate, samples = await load(port, _BODY, clients=clients, requests=800)
            rates[kind].append(rate)
            latencies[kind] += samples
    for kind in _PORTS:
        p50, p99 = (quantile(latencies[kind], share) * 1e3 for share in (0.5, 0.99))
        show(
            f"{kind}, {clients} clients",
            f"{quantile(rates[kind], 0.5):,.0f}/s",
            f"p50 {p50:.2f} ms",
            f"p99 {p99:.2f} ms",
        )
    ratio = quantile(rates["product"], 0.5) / quantile(rates["floor"], 0.5)
    show(f"product to floor, {clients} clients", f"{ratio:.2f}", verdict(ratio, 1 / 3, least=True))


async def _until_it_answers(port: int, limit_s: float = 20.0) -> None:
    async with asyncio.timeout(limit_s):
        while True:
            try:
                await load(port, _BODY, clients=1, requests=200)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return
