"""Operations of contexts that run elsewhere, at the front door: authenticated and counted here, carried out there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.forwarding import ForwardedAnswer, ForwardedRequest, Forwarder
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.entrypoints.http.bodies import read_body
from llama_mapper.entrypoints.http.headers import header_of
from llama_mapper.entrypoints.http.operations import Handler, Operation

LINK_ERRORS = (
    ErrorCode.SERVICE_UNAVAILABLE,
    ErrorCode.UPSTREAM_INVALID_RESPONSE,
    ErrorCode.CONFIGURATION_INVALID,
)
ANALYSIS, MAPPING = "analysis", "mapping"
_JSON = "application/json"
_LENGTH = "content-length"


def context_of(operation: Operation) -> str:
    """The context behind the front door that an operation belongs to."""
    return ANALYSIS if operation.tag == ANALYSIS else MAPPING


def forwarded_operations(
    operations: Sequence[Operation], forwarders: Mapping[str, Forwarder], timeout_s: float, body_limit: int
) -> list[Operation]:
    """The same operations, each carried out by the service of its context.

    `timeout_s` is for those that name no time of their own; `body_limit` bounds a JSON body here, and the service may
    take less. Bodies that are not JSON go through as they come.
    """
    return [
        replace(
            each,
            handler=_handler(each, forwarders[context_of(each)], each.timeout_s or timeout_s, body_limit),
            errors=tuple(dict.fromkeys((*each.errors, *LINK_ERRORS))),
        )
        for each in operations
    ]


def _handler(operation: Operation, forwarder: Forwarder, timeout_s: float, body_limit: int) -> Handler:
    is_streamed = operation.response_media_type != _JSON
    named = tuple(parameter.name.lower().encode() for parameter in operation.headers)

    async def handler(request: Request, principal: Principal) -> Response:
        headers = {name.decode(): value for name in named if (value := header_of(request.scope, name)) is not None}
        body: bytes | AsyncIterator[bytes] | None = None
        if operation.binary_request:
            headers |= _of_binary(request, operation.request_media_type)
            body = request.stream()
        elif operation.requests:
            body = await read_body(request, body_limit)
            headers["content-type"] = _JSON  # it is of the newest version, whatever it was sent as
        answer = await forwarder.forward(
            ForwardedRequest(operation.method, _target(request), headers, body, principal, timeout_s, is_streamed)
        )
        if isinstance(answer.body, bytes):
            return _response(answer, answer.body)
        return _Streamed(answer, answer.body)

    return handler


def _of_binary(request: Request, media_type: str) -> dict[str, str]:
    length = header_of(request.scope, _LENGTH.encode())
    told = {"content-type": header_of(request.scope, b"content-type") or media_type}
    return told if length is None else told | {_LENGTH: length}


def _target(request: Request) -> bytes:
    """Path and query as they were sent: decoding and encoding again would make one path of two."""
    path, query = request.scope.get("raw_path") or request.url.path.encode(), request.scope.get("query_string", b"")
    return bytes(path) + (b"?" + bytes(query) if query else b"")


def _response(answer: ForwardedAnswer, body: bytes) -> Response:
    response = Response(body, answer.status)
    for name, value in answer.headers:
        response.headers.append(name, value)
    return response


class _Streamed(Response):
    """An answer that is passed on piece by piece, and closed in any case."""

    def __init__(self, answer: ForwardedAnswer, pieces: AsyncIterator[bytes]) -> None:
        super().__init__(None, answer.status)
        self.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        self._pieces = pieces
        self._close = answer.close

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve it."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._close()
