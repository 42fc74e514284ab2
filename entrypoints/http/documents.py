"""Versions of a tenant's documents over HTTP, whatever kind they are: uploaded, taken away, brought back, compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.curation import DocumentDifference, DocumentHistory
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.curators import (
    IF_VERSION,
    NOTE,
    NUMBER,
    curated,
    curator_of,
    note_of,
    whole_number,
)
from llama_mapper.entrypoints.http.operations import Handler, Operation, QueryParameter

TAG = "own catalogue"
DOCUMENT_LIMIT = 4 * 1024 * 1024
"""Bytes of an uploaded document."""

_VERSION: dict[str, object] = {"type": "integer", "minimum": 0, "maximum": 2_000_000_000}
_BETWEEN = (
    QueryParameter("from", "The earlier version; 0: nothing.", _VERSION, required=True),
    QueryParameter("to", "The later version; 0: nothing.", _VERSION, required=True),
)
_TO = QueryParameter("to", "The version whose content is to stand again.", {**_VERSION, "minimum": 1}, required=True)
_WRITE = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.DOCUMENT_INVALID)
_READ = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND)

Place = Callable[[Request, Principal], tuple[str, ...]]
"""The tenant, and what names the document within it; raise `INVALID_REQUEST` for names that cannot be."""


@dataclass(frozen=True, slots=True)
class Documents:
    """A kind of document: `noun` ends the operations' names, `path` is one document's; the sentences are summaries."""

    noun: str
    path: str
    place: Place
    upload: type[BaseModel]
    answer: type[BaseModel]
    example: dict[str, object]
    putting: str
    getting: str
    removing: str
    tag: str = TAG
    limit: int = DOCUMENT_LIMIT
    """Bytes of a body."""
    refusals: tuple[ErrorCode, ...] = ()
    """What else an upload may be refused with."""


def document_operations(desk: Any, kind: Documents) -> list[Operation]:
    """What can be done with one document.

    `desk` keeps the Api of one kind, such as `VocabularyDeskApi`; they differ in how many texts name a document.
    """
    place, writes = kind.place, (*_WRITE, *kind.refusals)

    async def put(request: Request, principal: Principal) -> Response:
        at = place(request, principal)
        expected, note = _expected(request), note_of(request)
        upload = await read_model(request, kind.upload, kind.limit)
        return json_answer(await desk.put(*at, upload, curator_of(principal), expected=expected, note=note))

    async def get(request: Request, principal: Principal) -> Response:
        number = whole_number(request.query_params, "version", least=1)
        return json_answer(await desk.get(*place(request, principal), number))

    async def remove(request: Request, principal: Principal) -> Response:
        expected = _expected(request)
        return json_answer(await desk.remove(*place(request, principal), curator_of(principal), expected=expected))

    async def rollback(request: Request, principal: Principal) -> Response:
        to, expected = _to(request), _expected(request)
        at, curator = place(request, principal), curator_of(principal)
        return json_answer(await desk.rollback(*at, to, curator, expected=expected))

    async def history(request: Request, principal: Principal) -> Response:
        return json_answer(await desk.history(*place(request, principal)))

    async def difference(request: Request, principal: Principal) -> Response:
        return json_answer(await desk.difference(*place(request, principal), *_between(request)))

    def reading(
        verb: str, under: str, summary: str, handler: Handler, answer: type[BaseModel], *query: QueryParameter
    ) -> Operation:
        name, path = verb.format(kind.noun), kind.path + under
        return curated(kind.tag, name, "GET", path, summary, handler, answer, errors=_READ, query=query)

    def writing(
        verb: str, method: str, under: str, summary: str, handler: Handler, *query: QueryParameter
    ) -> Operation:
        name, path = verb.format(kind.noun), kind.path + under
        return curated(kind.tag, name, method, path, summary, handler, kind.answer, errors=writes, query=query)

    again = "Make the content of an earlier version stand again."
    return [
        curated(
            kind.tag,
            f"put{kind.noun}",
            "PUT",
            kind.path,
            kind.putting,
            put,
            kind.answer,
            body=kind.upload,
            errors=writes,
            query=(IF_VERSION, NOTE),
            example=kind.example,
        ),
        reading("get{}", "", kind.getting, get, kind.answer, NUMBER),
        writing("remove{}", "DELETE", "", kind.removing, remove, IF_VERSION),
        writing("rollback{}", "POST", ":rollback", again, rollback, _TO, IF_VERSION),
        reading("get{}History", "/versions", "Its versions.", history, DocumentHistory),
        reading("diff{}", "/diff", "How two versions differ.", difference, DocumentDifference, *_BETWEEN),
    ]


def _expected(request: Request) -> int | None:
    return whole_number(request.query_params, "if_version")


def _to(request: Request) -> int:
    to = whole_number(request.query_params, "to", least=1)
    if to is None:
        raise ValidationError("name the version to return to: to=…")
    return to


def _between(request: Request) -> tuple[int, int]:
    before, after = (whole_number(request.query_params, name) for name in ("from", "to"))
    if before is None or after is None:
        raise ValidationError("name the two versions: from=… and to=…")
    return before, after
