"""How a stream that breaks ends at the door."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
import structlog
from starlette.applications import Starlette

from llama_mapper.domain.contracts.streaming import StreamEvent, StreamRelease, StreamStart
from llama_mapper.entrypoints.http.operations import routes_of
from llama_mapper.entrypoints.http.streaming import streaming_operations
from tests.support.doors import Everyone

SECRET = "jo@example.org"
Behaviour = Callable[[AsyncIterator[str]], AsyncGenerator[StreamEvent, None]]


async def surprises(deltas: AsyncIterator[str]) -> AsyncGenerator[StreamEvent, None]:
    async for text in deltas:
        yield StreamRelease(type="release", start=0, end=1, text="H", redacted=False)
        raise RuntimeError(f"cannot judge {text}")


async def hangs(deltas: AsyncIterator[str]) -> AsyncGenerator[StreamEvent, None]:
    async for _ in deltas:
        await asyncio.Event().wait()
        yield StreamRelease(type="release", start=0, end=1, text="H", redacted=False)


class Opened:
    def __init__(self, behaviour: Behaviour) -> None:
        self.events = behaviour

    async def open_stream(self, start: StreamStart) -> Opened:
        return self


async def lines_of(behaviour: Behaviour, limit_s: float = 30.0) -> list[dict[str, Any]]:
    operations = streaming_operations(Opened(behaviour), 10_000, limit_s)
    app = Starlette(routes=routes_of(operations, Everyone(), 30.0))
    body = "\n".join(json.dumps(line) for line in ({"type": "start"}, {"type": "delta", "text": SECRET}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
        answer = await client.post(
            "/v1/orchestrate:stream", content=body, headers={"content-type": "application/x-ndjson"}
        )
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_an_unforeseen_error_is_the_last_line_and_nobody_is_told_its_words(
    capfd: pytest.CaptureFixture[str],
) -> None:
    structlog.reset_defaults()  # whatever a test before it made of the logs of this process
    first, last = await lines_of(surprises)
    assert first["type"] == "release"
    assert (last["type"], last["code"]) == ("error", "INTERNAL_ERROR")
    out, err = capfd.readouterr()
    assert "RuntimeError" in out + err
    assert SECRET not in json.dumps(last) + out + err


async def test_a_stream_that_takes_too_long_says_so_in_its_last_line() -> None:
    [last] = await lines_of(hangs, 0.05)
    assert (last["type"], last["code"], last["retryable"]) == ("error", "REQUEST_TIMEOUT", True)
