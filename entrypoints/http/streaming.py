"""`POST /v1/orchestrate:stream`: lines of JSON in, lines of JSON out, over one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from pydantic import ValidationError as PydanticError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from llama_mapper.domain.contracts.base import Contract
from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.contracts.refusals import refusal_of
from llama_mapper.domain.contracts.streaming import (
    STREAM_LINE,
    OpenStream,
    StreamDelta,
    StreamDone,
    StreamEvent,
    StreamFault,
    StreamFinding,
    StreamFinish,
    StreamingApi,
    StreamProblem,
    StreamRelease,
    StreamStart,
    StreamVerdict,
)
from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError, ServiceError, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.domain.kernel.tenancy import Scope as Permission
from llama_mapper.entrypoints.http.bodies import RefusedBody
from llama_mapper.entrypoints.http.operations import Operation
from llama_mapper.entrypoints.http.problems import UNEXPECTED, failure

NDJSON = "application/x-ndjson"
_LATE = "the stream took longer than this server allows"
_TO_TELL_S = 5.0
"""Seconds that the last line may take to be sent."""

_TYPES = frozenset({NDJSON, "application/ndjson", "application/jsonl", "application/json"})


class _Lines:
    """The body's lines, each of at most `limit` bytes, as they arrive."""

    def __init__(self, request: Request, limit: int) -> None:
        self._chunks = request.stream()
        self._limit = limit
        self._rest = b""
        self._ended = False
        self.number = 0

    async def next(self) -> bytes | None:
        """The next line that is not blank, or None at the end of the body."""
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found or self._ended:
                self._rest = rest
                self.number += 1
                if line.strip():
                    return line
                if not found:
                    return None
            else:
                if len(self._rest) > self._limit:
                    raise ValidationError(f"a line is longer than {self._limit} bytes", ErrorCode.CONTENT_TOO_LARGE)
                try:
                    self._rest += await anext(self._chunks)
                except StopAsyncIteration:
                    self._ended = True


async def _start_of(lines: _Lines, principal: Principal) -> StreamStart:
    first = await lines.next()
    if first is None:
        raise ValidationError("the body has no line; the first one starts the stream")
    try:
        start = StreamStart.model_validate_json(first)
    except PydanticError as error:
        raise RefusedBody(error) from None
    return start.model_copy(update={"tenant_id": principal.tenant_for(start.tenant_id)})


async def _deltas(lines: _Lines) -> AsyncIterator[str]:
    while (line := await lines.next()) is not None:
        try:
            said = STREAM_LINE.validate_json(line)
        except PydanticError as error:
            refusal = refusal_of(error)[0]
            raise ValidationError(f"line {lines.number}: {refusal.message}"[:512], refusal.error_code) from None
        if isinstance(said, StreamFinish):
            return
        yield said.text


def _line(model: Contract) -> bytes:
    return json_form(model) + b"\n"


def _problem_line(error: ServiceError) -> bytes:
    code, message, retryable = error.error_code, error.message, error.retryable
    return _line(StreamProblem(type="error", code=code, detail=message[:512], retryable=retryable))


async def _told(stream: OpenStream, lines: _Lines, limit_s: float) -> AsyncIterator[bytes]:
    """The events as lines, and what ends them too early as the last one."""
    events: AsyncGenerator[StreamEvent, None] = stream.events(_deltas(lines))
    until = asyncio.get_running_loop().time() + limit_s
    try:
        while True:
            # Around the wait alone: a limit that outlived a yield would cancel whoever sends the line.
            async with asyncio.timeout_at(until):
                event = await anext(events, None)
            if event is None:
                return
            yield _line(event)
    except ServiceError as error:
        yield _problem_line(error)
    except TimeoutError:
        yield _problem_line(OrchestrationError(_LATE, ErrorCode.REQUEST_TIMEOUT, True))
    except ClientDisconnect:
        raise
    except Exception as error:  # its text may quote the content, so that no server may log it
        failure(error)
        yield _problem_line(ServiceError(UNEXPECTED))
    finally:
        await events.aclose()


class _DuplexResponse(StreamingResponse):
    """Answers while the body is still being read; whoever reads it sees a client that goes away.

    A client that has not taken all lines after `limit_s` seconds is let go.
    """

    def __init__(self, lines: AsyncIterator[bytes], limit_s: float) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(lines, headers=headers, media_type=NDJSON)
        self._limit_s = limit_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines; a client that is gone ends the stream quietly."""
        try:
            async with asyncio.timeout(self._limit_s):
                await self.stream_response(send)
        except (OSError, ClientDisconnect):  # a TimeoutError is an OSError
            return


def streaming_operations(api: StreamingApi, line_limit: int, limit_s: float) -> list[Operation]:
    """The operation; `limit_s` is how long a stream may last."""

    async def stream(request: Request, principal: Principal) -> Response:
        media_type = request.headers.get("content-type", NDJSON).partition(";")[0].strip().lower()
        if media_type not in _TYPES:
            raise ValidationError(f"send the body as {NDJSON}", ErrorCode.UNSUPPORTED_MEDIA_TYPE)
        lines = _Lines(request, line_limit)
        opened = await api.open_stream(await _start_of(lines, principal))
        return _DuplexResponse(_told(opened, lines, limit_s), limit_s + _TO_TELL_S)

    return [
        Operation(
            id="orchestrateStream",
            method="POST",
            path="/v1/orchestrate:stream",
            tag="orchestration",
            summary="Judge a text while it is written: a start line, then deltas in; what may be shown, out.",
            scope=Permission.ASSESS,
            handler=stream,
            requests=(StreamStart, StreamDelta, StreamFinish),
            responses={200: (StreamRelease, StreamFinding, StreamVerdict, StreamFault, StreamDone, StreamProblem)},
            errors=(
                ErrorCode.POLICY_NOT_FOUND,
                ErrorCode.UNPROCESSABLE_CONTENT,
                ErrorCode.POLICY_INVALID,
            ),
            request_media_type=NDJSON,
            response_media_type=NDJSON,
        )
    ]
