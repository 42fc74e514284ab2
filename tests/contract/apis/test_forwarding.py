"""Requests passed on whole: what the service says comes back, and what the link has done wrong is told as that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from llama_mapper.adapters.links.http_forwarding import HttpForwarder
from llama_mapper.adapters.links.http_link import open_client
from llama_mapper.domain.kernel.acting import HEADER, read, written
from llama_mapper.domain.kernel.errors import AuthenticationError, ServiceError
from llama_mapper.domain.kernel.forwarding import ForwardedAnswer, ForwardedRequest
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from tests.support.split_doors import SECRET, served

ACME = Principal("Ännas Schlüssel", "acme", frozenset({Scope.READ, Scope.ADMIN}), "0123456789abcdef")
NOBODY = Principal("local", "local", frozenset(Scope), keyless=True)


async def _service(request: Request) -> Response:
    match request.path_params["what"]:
        case "echo":
            body = await request.body()
            told = {name: request.headers.get(name, "") for name in ("authorization", HEADER, "x-api-key")}
            return Response(body, 200, {f"x-{name}": value for name, value in told.items()})
        case "html":
            return Response("<html>no</html>", int(request.query_params["status"]), media_type="text/html")
        case "slow":
            await asyncio.sleep(1)
            return Response()
        case "pieces":
            return StreamingResponse(_pieces(), media_type="application/x-ndjson")
        case _:
            problem = b'{"code":"NOT_FOUND"}'
            return Response(problem, 404, {"retry-after": "7", "ratelimit": "1"}, "application/problem+json")


async def _pieces() -> AsyncIterator[bytes]:
    for number in range(3):
        yield b"%d\n" % number


@asynccontextmanager
async def forwarding(*, has_secret: bool = True, url: str | None = None) -> AsyncIterator[HttpForwarder]:
    app = Starlette(routes=[Route("/{what}", _service, methods=["GET", "POST"])])
    async with served(app) as at:
        client = open_client(url or at, secret=SECRET if has_secret else None, timeout_s=30.0)
        forwarder = HttpForwarder(client, "tested", has_secret=has_secret)
        try:
            yield forwarder
        finally:
            await forwarder.close()


async def passed_on(
    forwarder: HttpForwarder,
    target: bytes,
    body: bytes | None = None,
    principal: Principal = ACME,
    timeout_s: float = 30.0,
    is_streamed: bool = False,
) -> ForwardedAnswer:
    method = "GET" if body is None else "POST"
    return await forwarder.forward(ForwardedRequest(method, target, {}, body, principal, timeout_s, is_streamed))


async def test_the_service_learns_for_whom_it_is_asked_and_who_asks() -> None:
    async with forwarding() as forwarder:
        answer = await passed_on(forwarder, b"/echo", b"hello")
        headers = dict(answer.headers)
        assert (answer.status, answer.body) == (200, b"hello")
        assert headers["x-authorization"] == f"Bearer {SECRET}"
        assert headers["x-x-api-key"] == ""
        assert read(headers[f"x-{HEADER}"]) == ACME
        assert read(headers[f"x-{HEADER}"]).over_link


async def test_problems_of_the_service_come_back_without_what_is_the_connections() -> None:
    async with forwarding() as forwarder:
        answer = await passed_on(forwarder, b"/nothing")
        assert (answer.status, answer.body) == (404, b'{"code":"NOT_FOUND"}')
        assert dict(answer.headers) == {"content-type": "application/problem+json", "retry-after": "7"}


async def test_pieces_are_passed_on_as_they_come() -> None:
    async with forwarding() as forwarder:
        answer = await passed_on(forwarder, b"/pieces", is_streamed=True)
        assert not isinstance(answer.body, bytes)
        assert b"".join([piece async for piece in answer.body]) == b"0\n1\n2\n"
        await answer.close()


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (b"/html?status=401", "CONFIGURATION_INVALID"),
        (b"/html?status=405", "CONFIGURATION_INVALID"),
        (b"/html?status=502", "SERVICE_UNAVAILABLE"),
        (b"/html?status=503", "SERVICE_UNAVAILABLE"),
        (b"/html?status=500", "UPSTREAM_INVALID_RESPONSE"),
        (b"/html?status=404", "UPSTREAM_INVALID_RESPONSE"),
    ],
)
async def test_what_is_no_problem_document_is_an_error_of_the_link(target: bytes, code: str) -> None:
    async with forwarding() as forwarder:
        with pytest.raises(ServiceError) as refused:
            await passed_on(forwarder, target)
        assert refused.value.error_code.value == code


async def test_a_service_that_is_slow_or_away_is_told_as_such() -> None:
    async with forwarding() as forwarder:
        with pytest.raises(ServiceError) as late:
            await passed_on(forwarder, b"/slow", timeout_s=0.05)
        assert late.value.error_code.value == "REQUEST_TIMEOUT"
    async with forwarding(url="http://127.0.0.1:1") as forwarder:
        with pytest.raises(ServiceError) as away:
            await passed_on(forwarder, b"/echo")
        assert away.value.error_code.value == "SERVICE_UNAVAILABLE"


async def test_without_a_link_secret_nobody_with_a_key_is_passed_on() -> None:
    async with forwarding(has_secret=False) as forwarder:
        with pytest.raises(ServiceError) as refused:
            await passed_on(forwarder, b"/echo", b"")
        assert refused.value.error_code.value == "CONFIGURATION_INVALID"
        answer = await passed_on(forwarder, b"/echo", b"", principal=NOBODY)
        assert dict(answer.headers)[f"x-{HEADER}"] == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        "no base64!",
        "e30=",
        "bnVsbA==",
        "W10=",
        "A" * 9000,
        written(ACME)[:-5],
    ],
)
def test_a_malformed_claim_is_nobodys(value: str) -> None:
    with pytest.raises(AuthenticationError):
        read(value)
