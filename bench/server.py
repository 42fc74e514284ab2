"""Throughput over HTTP against the floor: same server, same run, in turns.

Throughput depends on who else has the processors: the load generator has one of two. So each server's own processor
time a request is printed too, which other programs disturb less.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.chain import CONTENT
from bench.load import load
from bench.statistics_of import quantile, show, verdict

_BODY = json.dumps({"content": CONTENT, "frameworks": ["soc2", "gdpr"]}).encode()
_PORTS = {"floor": 18091, "product": 18092}


async def run(rounds: int = 5) -> None:
    """At 1 and 16 clients: median throughput of each, and the ratio of the medians."""
    with tempfile.TemporaryDirectory() as folder:
        servers = {kind: _started(kind, port, folder) for kind, port in _PORTS.items()}
        try:
            for port in _PORTS.values():
                await _until_it_answers(port)
            for clients in (1, 16):
                await _compare(servers, clients, rounds)
        finally:
            for server in servers.values():
                server.kill()
                server.wait()


def _started(kind: str, port: int, folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "bench.served", kind, str(port), folder], stderr=subprocess.DEVNULL)


async def _compare(servers: Mapping[str, subprocess.Popen[bytes]], clients: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {kind: [] for kind in _PORTS}
    processor_s = dict.fromkeys(_PORTS, 0.0)
    latencies: dict[str, list[float]] = {kind: [] for kind in _PORTS}
    for _ in range(rounds):
        for kind, port in _PORTS.items():
            began = _processor_s(servers[kind].pid)
            rate, samples = await load(port, _BODY, clients=clients, requests=800)
            processor_s[kind] += _processor_s(servers[kind].pid) - began
            rates[kind].append(rate)
            latencies[kind] += samples
    for kind in _PORTS:
        p50, p99 = (quantile(latencies[kind], share) * 1e3 for share in (0.5, 0.99))
        show(
            f"{kind}, {clients} clients",
            f"{quantile(rates[kind], 0.5):,.0f}/s",
            f"p50 {p50:.2f} ms",
            f"p99 {p99:.2f} ms",
            f"processor {processor_s[kind] / len(latencies[kind]) * 1e6:.0f} µs",
        )
    ratio = quantile(rates["product"], 0.5) / quantile(rates["floor"], 0.5)
    show(f"product to floor, {clients} clients", f"{ratio:.2f}", verdict(ratio, 1 / 3, least=True))


def _processor_s(pid: int) -> float:
    """Seconds of processor time that a process of ours has used so far, all its threads together."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _until_it_answers(port: int, limit_s: float = 20.0) -> None:
    async with asyncio.timeout(limit_s):
        while True:
            try:
                await load(port, _BODY, clients=1, requests=200)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return
