"""A small HTTP/1.1 load generator: keep-alive connections that send one fixed request each in turn."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from time import perf_counter
from typing import cast

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class _Client(asyncio.Protocol):
    def __init__(self, request: bytes, requests: int, done: asyncio.Future[None], samples: list[float]) -> None:
        self._request = request
        self._left = requests
        self._done = done
        self._samples = samples
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        self._sent = perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._buffer, 0, head)
        assert length is not None
        end = head + 4 + int(length[1])
        if len(self._buffer) < end:
            return
        if self._buffer[9:10] != b"2":
            self._done.set_exception(RuntimeError(f"the server answered {self._buffer[:200]!r}"))
            return
        self._samples.append(perf_counter() - self._sent)
        self._buffer = b""
        self._left -= 1
        if self._left:
            self._send()
        else:
            assert self._transport is not None
            self._transport.close()
            self._done.set_result(None)


async def load(port: int, body: bytes, *, clients: int, requests: int) -> tuple[float, list[float]]:
    """Requests a second, and each request's seconds; `requests` in all over `clients` connections."""
    head = (
        f"POST /v1/assessments HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    samples: list[float] = []
    done = [loop.create_future() for _ in range(clients)]
    started = perf_counter()
    for future in done:
        await loop.create_connection(
            partial(_Client, head.encode() + body, requests // clients, future, samples),
            "127.0.0.1",
            port,
        )
    await asyncio.gather(*done)
    return len(samples) / (perf_counter() - started), samples
