"""What a scan in a worker process costs beside the scan, against the floor of a bare echo process on a socket.

python -m bench.worker_pool [--loop asyncio|uvloop] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from llama_mapper.adapters.orchestration.workers.pool import WorkerPool
from llama_mapper.domain.orchestration.ports import Inquiry

_ECHO = """\
import socket, sys
channel = socket.socket(fileno=int(sys.argv[1]))
while data := channel.recv(65536):
    channel.sendall(data)
"""
_TEXT = "A message of ordinary length, as people write them to an assistant. " * 4
_NAMES = ("noop", "noop2", "noop3", "noop4", "noop5", "noop6", "noop7", "noop8")


async def _percentiles(call: Callable[[], Awaitable[object]], rounds: int) -> tuple[float, float]:
    """p50 and p99 in microseconds."""
    for _ in range(rounds // 10):
        await call()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1e6)
    taken.sort()
    return taken[rounds // 2], taken[rounds * 99 // 100]


def _echo_process(fd: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _ECHO, str(fd)], pass_fds=(fd,))


async def _floor(rounds: int) -> tuple[float, float]:
    ours, theirs = socket.socketpair()
    with _echo_process(theirs.fileno()):
        theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours)

        async def echo() -> None:
            writer.write(_TEXT.encode())
            await reader.readexactly(len(_TEXT))

        try:
            return await _percentiles(echo, rounds)
        finally:
            writer.close()
            await writer.wait_closed()


async def _run(rounds: int) -> None:
    floor, floor_99 = await _floor(rounds)
    print(f"{'floor: echo process':34} p50 {floor:7.0f} µs   p99 {floor_99:7.0f} µs")
    pool = WorkerPool([f"tests.support.scanners:{name}" for name in _NAMES])
    await pool.start()
    await pool.wait_ready(30)
    one, *_ = detectors = list(pool.detectors.values())
    large = "x" * 262_144

    async def together() -> None:
        await asyncio.gather(*(detector.inspect(Inquiry(_TEXT)) for detector in detectors))

    cases: dict[str, Callable[[], Awaitable[object]]] = {
        "one empty scan": lambda: one.inspect(Inquiry(_TEXT)),
        "eight empty scans at once": together,
        "one empty scan of 256 KiB": lambda: one.inspect(Inquiry(large)),
    }
    for name, call in cases.items():
        p50, p99 = await _percentiles(call, rounds)
        print(f"{name:34} p50 {p50:7.0f} µs   p99 {p99:7.0f} µs   {p50 / floor:5.1f} x floor")
    await pool.close()


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop")
    options.add_argument("--rounds", type=int, default=1000)
    chosen = options.parse_args()
    if chosen.loop == "uvloop":
        import uvloop

        uvloop.run(_run(chosen.rounds))
    else:
        asyncio.run(_run(chosen.rounds))


if __name__ == "__main__":
    main()
