"""A text judged while it is written, over one real connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.servers import Server


class Writer:
    """One request whose body is written, and whose answer is read, line by line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._buffer = b""
        self.status = 0

    async def send(self, line: dict[str, Any] | bytes) -> None:
        data = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()

    async def say(self, text: str) -> None:
        await self.send({"type": "delta", "text": text})

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def head(self) -> int:
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.status = int(head.split(b" ", 2)[1])
        return self.status

    async def line(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            if not self.status:
                await self.head()
            while b"\n" not in self._buffer:
                size = int(await self._reader.readline(), 16)
                self._buffer += (await self._reader.readexactly(size + 2))[:-2]
        line, _, self._buffer = self._buffer.partition(b"\n")
        told: dict[str, Any] = json.loads(line)
        return told

    async def until(self, kind: str) -> list[dict[str, Any]]:
        lines = [await self.line()]
        while lines[-1]["type"] != kind:
            lines.append(await self.line())
        return lines


@asynccontextmanager
async def writing(server: Server, **start: Any) -> AsyncIterator[Writer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"POST /v1/orchestrate:stream HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    made = Writer(reader, writer)
    if start:
        await made.send({"type": "start"} | start)
    try:
        yield made
    finally:
        writer.close()


async def test_the_first_sentences_come_back_while_the_text_is_still_written(server: Server) -> None:
    async with writing(server, hold_chars=8) as stream:
        await stream.say("The first sentence is harmless. The second one is too. ")
        [first] = await stream.until("release")
        assert "The first sentence is harmless. The second one is too.".startswith(first["text"])
        assert first["text"]
        await stream.say("And so is the third.")
        await stream.send({"type": "end"})
        await stream.end()
        lines = await stream.until("end")
        assert lines[-1]["complete"]
        assert lines[-1]["response"]["verdict"]["action"] == "allow"


async def test_an_address_is_redacted_and_a_key_stops_the_stream(server: Server) -> None:
    async with writing(server, hold_chars=64) as stream:
        await stream.say("Please write to anna.schmidt@example.com about it. ")
        await stream.say("That is all for today, and it was a long day for everybody here. ")
        lines = await stream.until("release")
        shown = lines[-1]["text"]
        while "about" not in shown:
            lines = await stream.until("release")
            shown += lines[-1]["text"]
        assert "anna.schmidt@example.com" not in shown
        assert "[EMAIL_ADDRESS]" in shown
        await stream.say("The key is ghp_1a2B3c4D5e6F7g8H9i0J1k2L3m4N5o6P7q8R, keep it. And more text follows here. ")
        lines = await stream.until("end")
        shown += "".join(line["text"] for line in lines if line["type"] == "release")
        assert "ghp_" not in shown
        assert lines[-1]["response"]["verdict"]["action"] == "block"
        assert not lines[-1]["complete"]


async def test_a_broken_line_ends_the_stream_with_its_number(server: Server) -> None:
    async with writing(server, hold_chars=8) as stream:
        await stream.say("Hello. ")
        await stream.send(b"{nonsense\n")
        line = (await stream.until("error"))[-1]
        assert (line["code"], line["retryable"]) == ("INVALID_REQUEST", False)
        assert "line 3" in line["detail"]


@pytest.mark.parametrize(
    ("start", "status"), [({"policy_bundle": "nobody"}, 400), ({"hold_chars": -1}, 400), ({"tenant_id": "other"}, 403)]
)
async def test_a_wrong_start_is_refused_with_a_status(server: Server, start: dict[str, Any], status: int) -> None:
    async with writing(server, **start) as stream:
        assert await stream.head() == status


async def test_a_writer_that_goes_away_leaves_nothing_behind(server: Server) -> None:
    for _ in range(5):
        async with writing(server, hold_chars=8) as stream:
            await stream.say("Half a sentence and then")
    with server.client() as client:
        for _ in range(100):
            gauge = [line for line in client.get("/metrics").text.splitlines() if "detector_queue " in line]
            if gauge[-1].endswith(" 0.0"):
                break
            await asyncio.sleep(0.1)
        assert gauge[-1].endswith(" 0.0")
        assert client.get("/readyz").status_code == 200
    log = server.output.read_text() if server.output.exists() else ""
    assert "Traceback" not in log
