"""Detectors with a fixed delay, many ports in one process, cheap enough not to be the bottleneck.

`python -m bench.fms_servers DELAY_MS PORTS` prints the ports, a line of JSON, and answers until its standard input
ends: any POST with no findings in the FMS form after the delay, any GET at once with the number of connections that all
ports have accepted.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import aiohttp
import uvloop

_EMPTY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n[[]]"


class _Detector(asyncio.Protocol):
    accepted = 0

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        _Detector.accepted += 1

    def data_received(self, data: bytes) -> None:
        """One request at a time: the client waits for its answer."""
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        if self._buffer.startswith(b"GET"):
            said = b"%d" % _Detector.accepted
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(said), said))
        else:
            at = self._buffer.lower().find(b"content-length:", 0, head) + 15
            length = int(self._buffer[at : self._buffer.find(b"\r\n", at)])
            if len(self._buffer) < head + 4 + length:
                return
            asyncio.get_running_loop().call_later(self._delay_s, self._answer)
        self._buffer = b""

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_EMPTY)


@dataclass(frozen=True, slots=True)
class FmsServers:
    """Where they answer."""

    urls: tuple[str, ...]

    async def accepted(self, client: aiohttp.ClientSession) -> int:
        """Connections accepted so far by all of them together, this question's included if it opens one."""
        async with client.get(self.urls[0]) as answer:
            return int(await answer.read())


@contextmanager
def fms_servers(count: int, delay_s: float) -> Iterator[FmsServers]:
    """So many detectors in one process; it ends with the block."""
    command = [sys.executable, "-m", "bench.fms_servers", str(delay_s * 1e3), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        yield FmsServers(tuple(f"http://127.0.0.1:{port}" for port in ports))
        process.kill()


async def _serve(delay_s: float, count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: _Detector(delay_s), "127.0.0.1", 0, backlog=1024) for _ in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1]) / 1e3, int(sys.argv[2])))
