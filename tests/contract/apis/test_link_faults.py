"""A service that does not keep the contract, or does not answer, is a link error and never a wrong answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic

import pytest

from llama_mapper.adapters.links.http_link import HttpLink, open_client
from llama_mapper.domain.contracts.mapping import ReviewPage
from llama_mapper.domain.kernel.errors import ErrorCode, LinkError, OrchestrationError, ServiceError

Peer = Callable[[asyncio.StreamWriter], Awaitable[None]]

GOOD = b'{"items":[],"next_cursor":null}'
PROBLEM = {
    "code": "RATE_LIMITED",
    "detail": "slow down",
    "retryable": True,
    "status": 429,
    "title": "",
    "type": "",
    "errors": [],
}


def response(body: bytes, status: str = "200 OK", kind: str | None = "application/json", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"content-type: {kind}"] if kind else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def problem(**changes: object) -> bytes:
    body = {name: value for name, value in (PROBLEM | changes).items() if value is not ...}
    return response(json.dumps(body).encode(), "429 Too Many Requests", "application/problem+json", retry_after="7")


@asynccontextmanager
async def link_to(peer: Peer, timeout_s: float = 5.0) -> AsyncIterator[HttpLink]:
    """A link to a server of our own, which reads a request's head and does what `peer` does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await peer(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = HttpLink(open_client(f"http://127.0.0.1:{port}", secret=None, timeout_s=timeout_s), "mapping", timeout_s)
    try:
        yield link
    finally:
        await link.close()
        server.close()


def saying(answer: bytes) -> Peer:
    async def peer(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return peer


async def error_of(link: HttpLink) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await link.get("/v1/reviews", ReviewPage)
    assert "mapping" in caught.value.message
    return caught.value


async def test_a_good_answer_is_read() -> None:
    async with link_to(saying(response(GOOD, kind="application/json; charset=utf-8"))) as link:
        assert await link.get("/v1/reviews", ReviewPage) == ReviewPage(items=())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(response(b"\x00\xff garbage"), id="garbage"),
        pytest.param(response(b""), id="nothing"),
        pytest.param(response(GOOD[:-5]), id="half"),
        pytest.param(response(b"[]"), id="another-shape"),
        pytest.param(response(b'{"items":[],"next_cursor":null,"more":1}'), id="unknown-field"),
        pytest.param(response(b'{"items":[{"id":"x"}]}'), id="missing-fields"),
        pytest.param(response(GOOD, kind="text/html"), id="another-type"),
        pytest.param(response(GOOD, kind=None), id="no-type"),
        pytest.param(response(b"<html>sign in</html>", kind="text/html"), id="page"),
        pytest.param(response(b"not gzip", content_encoding="gzip"), id="not-the-encoding"),
        pytest.param(response(b"", "302 Found", location="http://elsewhere.example/"), id="redirect"),
        pytest.param(response(b"<html>", "404 Not Found", "text/html"), id="404-page"),
        pytest.param(response(b"<html>", "500 Internal Server Error", "text/html"), id="500-page"),
        pytest.param(response(b"{", "400 Bad Request", "application/problem+json"), id="half-a-problem"),
        pytest.param(response(b"[]", "400 Bad Request", "application/problem+json"), id="no-object"),
        pytest.param(response(b"{}", "400 Bad Request", "application/problem+json"), id="empty-problem"),
        pytest.param(problem(code=7), id="code-not-text"),
        pytest.param(problem(retryable="false"), id="retryable-not-boolean"),
        pytest.param(problem(detail=...), id="no-detail"),
    ],
)
async def test_an_answer_outside_the_contract_is_upstream_invalid(answer: bytes) -> None:
    async with link_to(saying(answer)) as link:
        error = await error_of(link)
    assert (type(error), error.error_code) == (LinkError, ErrorCode.UPSTREAM_INVALID_RESPONSE)
    assert not error.retryable


async def test_a_compressed_answer_is_read() -> None:
    async with link_to(saying(response(gzip.compress(GOOD), content_encoding="gzip"))) as link:
        assert await link.get("/v1/reviews", ReviewPage) == ReviewPage(items=())


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Half an answer, then RST."""
    writer.write(response(GOOD)[:-10])
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(saying(response(b"<html>", "502 Bad Gateway", "text/html")), id="502-page"),
        pytest.param(saying(response(b"upstream", "503 Service Unavailable", "text/plain")), id="503-text"),
        pytest.param(saying(response(b"", "504 Gateway Timeout", None)), id="504-bare"),
        pytest.param(saying(response(GOOD)[:-10]), id="closed-in-mid-body"),
        pytest.param(_reset, id="reset-in-mid-body"),
        pytest.param(_hang_up, id="closed-without-a-word"),
        pytest.param(saying(b"SSH-2.0-OpenSSH_9.6\r\n"), id="not-http"),
    ],
)
async def test_a_service_that_is_not_there_any_more_is_unavailable(peer: Peer) -> None:
    async with link_to(peer) as link:
        error = await error_of(link)
    assert (type(error), error.error_code) == (LinkError, ErrorCode.SERVICE_UNAVAILABLE)
    assert error.retryable


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://no-such-host.invalid:{port}"])
async def test_a_service_that_was_never_there_is_unavailable(url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base = url.format(port=taken.getsockname()[1])
        link = HttpLink(open_client(base, secret=None, timeout_s=5.0), "mapping", 5.0)
        error = await error_of(link)
        assert await link.is_ready() is not None
        await link.close()
    assert (type(error), error.error_code, error.retryable) == (LinkError, ErrorCode.SERVICE_UNAVAILABLE, True)


async def _silence(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(2)


async def _trickle(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, never long enough apart for a read to time out."""
    for byte in response(GOOD):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("peer", [pytest.param(_silence, id="silent"), pytest.param(_trickle, id="trickling")])
async def test_a_late_service_is_a_timeout_in_time(peer: Peer) -> None:
    started = monotonic()
    async with link_to(peer, timeout_s=0.3) as link:
        error = await error_of(link)
    assert monotonic() - started < 1.0
    assert (type(error), error.error_code) == (OrchestrationError, ErrorCode.REQUEST_TIMEOUT)
    assert error.retryable


async def test_a_link_is_usable_after_every_fault() -> None:
    answers = [response(b"garbage"), response(b"", "502 Bad Gateway", None), problem(), response(GOOD)]

    async def next_answer(writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))
        await writer.drain()

    async with link_to(next_answer) as link:
        for _ in range(3):
            await error_of_any(link)
        assert await link.get("/v1/reviews", ReviewPage) == ReviewPage(items=())


async def error_of_any(link: HttpLink) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await link.get("/v1/reviews", ReviewPage)
    return caught.value


async def test_a_code_of_a_newer_service_is_an_internal_error_with_its_retry_advice() -> None:
    async with link_to(saying(problem(code="MOON_PHASE_WRONG"))) as link:
        error = await error_of_any(link)
    assert type(error) is ServiceError
    assert (error.error_code, error.message) == (ErrorCode.INTERNAL_ERROR, "slow down")
    assert (error.retryable, error.retry_after_s) == (True, 7.0)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("²", None), ("-1", None)]
)
async def test_the_wait_comes_from_the_header_where_the_body_is_silent(header: str, seconds: float | None) -> None:
    body = json.dumps(PROBLEM).encode()
    answer = response(body, "429 Too Many Requests", "application/problem+json", retry_after=header)
    async with link_to(saying(answer)) as link:
        assert (await error_of_any(link)).retry_after_s == seconds


async def test_a_service_is_ready_when_it_says_so() -> None:
    async with link_to(saying(response(b"{}"))) as link:
        assert await link.is_ready() is None
    async with link_to(saying(response(b"{}", "503 Service Unavailable"))) as link:
        assert await link.is_ready() == "answered 503"
