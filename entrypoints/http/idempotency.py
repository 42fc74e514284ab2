"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same request twice, carried out once.

What is kept of a request is a keyed digest of its body, under a keyed digest of its key; of an answer, only what may
be kept. Answers from 400 up are not kept: they free the key. Nothing was carried out then, and what is wrong with a
request is told in its own words.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.kernel.digests import RequestDigests
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.idempotency import Conflict, Done, Fresh, IdempotencyRecords, RecordName
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.bodies import read_body

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY_PATTERN = "^[!-~]+$"
_KEY = re.compile(r"[!-~]{1,255}")

_ANSWER_LIMIT = 8 * 1024 * 1024
"""Bytes of an answer that is kept; a request with a larger one is carried out again."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.25
_KEPT_HEADERS = frozenset({"content-type", "location"})

Complete = Callable[[bytes, Request, Principal], Awaitable[bytes]]
"""Makes the whole answer of what was kept of it and of the repeated request, whose body can be read again."""

Run = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Idempotent:
    """Says of an operation that it takes an `Idempotency-Key`.

    `body_limit` is in bytes. `complete` is needed where the operation answers with a `PartlyKept` response.
    """

    body_limit: int
    complete: Complete | None = None


class PartlyKept(Response):
    """An answer of which only `kept` may be stored, because the rest repeats content.

    The operation's `complete` must make the same bytes again of `kept` and an equal request.
    """

    def __init__(
        self,
        content: bytes,
        kept: bytes,
        status_code: int = 200,
        headers: dict[str, str] | None = None,
        media_type: str | None = "application/json",
    ) -> None:
        super().__init__(content, status_code, headers, media_type)
        self.kept = kept


class Idempotency:
    """Carries requests with an `Idempotency-Key` out once.

    `lease_s` must be longer than a request can take; an answer is kept for `keep_s` seconds.
    """

    def __init__(self, records: IdempotencyRecords, digests: RequestDigests, *, lease_s: float, keep_s: float) -> None:
        self._records = records
        self._digests = digests
        self._lease_s = lease_s
        self._keep_s = keep_s

    async def answer(
        self, operation: str, terms: Idempotent, request: Request, principal: Principal, run: Run
    ) -> Response:
        """The answer of `run`, or the one that the same request got before; raise `IDEMPOTENCY_CONFLICT`.

        Where an equal request is under way its end is waited for: the caller bounds the time. `run` raises nothing but
        what ends the connection.
        """
        key = key_of(request)
        if key is None or Scope.INTERNAL in principal.scopes:
            return await run(request)
        tenant_id = principal.tenant_id
        body = await read_body(request, terms.body_limit)
        name = RecordName(tenant_id, operation, self._digests.digest(tenant_id, "idempotency key", key.encode()).hex())
        digest = self._digests.digest(tenant_id, "idempotency body", operation.encode(), body)
        pause_s = _FIRST_PAUSE_S
        while True:
            begun = await self._records.begin(name, digest, self._lease_s)
            if isinstance(begun, Fresh):
                return await self._carry_out(name, begun.token, terms, _again(request, body), run)
            if isinstance(begun, Done):
                return await _replayed(begun.answer, terms, _again(request, body), principal)
            if isinstance(begun, Conflict):
                raise ValidationError(
                    f"this {HEADER} was used for a request with another body", ErrorCode.IDEMPOTENCY_CONFLICT
                )
            await self._records.settled(name, pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _carry_out(self, name: RecordName, token: str, terms: Idempotent, request: Request, run: Run) -> Response:
        kept: bytes | None = None
        try:
            response = await run(request)
            kept = _kept(response, terms)
        finally:
            if kept is None:
                await self._records.abandon(name, token)
        if kept is not None:
            await self._records.complete(name, token, kept, self._keep_s)
        return response


def key_of(request: Request) -> str | None:
    """The request's key, taken as it stands; raise `INVALID_REQUEST` if it is not 1 to 255 visible ASCII characters."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise ValidationError(f"{HEADER} is one value of 1 to 255 visible ASCII characters")
    return given[0]


def _kept(response: Response, terms: Idempotent) -> bytes | None:
    """The answer as it is stored: a line of status and headers, then the body; None where it is not stored."""
    if response.status_code >= 400:
        return None
    body = bytes(response.body)
    if isinstance(response, PartlyKept):
        if terms.complete is None:
            raise TypeError("an operation that answers PartlyKept needs a 'complete'")
        body = response.kept
    headers = [(name, value) for name, value in response.headers.items() if name in _KEPT_HEADERS]
    head = orjson.dumps([response.status_code, isinstance(response, PartlyKept), headers])
    return head + b"\n" + body if len(body) <= _ANSWER_LIMIT else None


async def _replayed(answer: bytes, terms: Idempotent, request: Request, principal: Principal) -> Response:
    head, _, body = answer.partition(b"\n")
    status, partly, headers = orjson.loads(head)
    if partly:
        if terms.complete is None:
            raise TypeError("an answer that was kept in part needs a 'complete'")
        body = await terms.complete(body, request, principal)
    return Response(body, status, {**dict(headers), REPLAYED: "true"})


def _again(request: Request, body: bytes) -> Request:
    """The request with its body to be read once more."""
    read = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal read
        if read:
            return await request.receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)
