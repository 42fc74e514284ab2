"""A tenant's own vocabularies and frameworks over HTTP."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.curation import DocumentDifference, DocumentHistory
from llama_mapper.domain.contracts.own_catalogue import (
    FrameworkDeskApi,
    FrameworkUpload,
    OwnFramework,
    OwnFrameworkList,
    OwnVocabulary,
    OwnVocabularyList,
    VocabularyDeskApi,
    VocabularyUpload,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.curators import (
    IF_VERSION,
    NOTE,
    NUMBER,
    curator_of,
    matching,
    named,
    note_of,
    whole_number,
)
from llama_mapper.entrypoints.http.operations import Handler, Operation, QueryParameter

DOCUMENT_LIMIT = 4 * 1024 * 1024
"""Bytes of an uploaded document."""

_VENDOR = "/v1/vocabularies/{vendor}"
_EDITION = "/v1/frameworks/{framework}/editions/{edition}"
_VERSION: dict[str, object] = {"type": "integer", "minimum": 0, "maximum": 2_000_000_000}
_BETWEEN = (
    QueryParameter("from", "The earlier version; 0: nothing.", _VERSION, required=True),
    QueryParameter("to", "The later version; 0: nothing.", _VERSION, required=True),
)
_TO = QueryParameter("to", "The version whose content is to stand again.", {**_VERSION, "minimum": 1}, required=True)
_WRITE = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.DOCUMENT_INVALID)
_READ = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND)
_EXAMPLE: dict[str, object] = {
    "source": "The vendor's handbook, chapter 4",
    "basis": "docs",
    "versions": {"2": {"labels": {"pii.personal_identifiers.email": ["MAIL"]}}},
}
_FRAMEWORK_EXAMPLE: dict[str, object] = {
    "title": "Acme data policy, edition of 2026",
    "applies_when": "Always.",
    "controls": {"D-1": {"title": "No customer addresses in prompts", "evidence": "The prompt gateway's log."}},
    "crosswalk": {"pii.personal_identifiers": {"rationale": "An address identifies a customer.", "controls": ["D-1"]}},
}


def vocabulary_operations(api: VocabularyDeskApi) -> list[Operation]:
    """`/v1/vocabularies` and what hangs below it."""

    async def listed(_: Request, principal: Principal) -> Response:
        return json_answer(await api.list(principal.tenant_for(None)))

    async def put(request: Request, principal: Principal) -> Response:
        tenant_id, vendor = _vendor(request, principal)
        expected, note = _expected(request), note_of(request)
        upload = await read_model(request, VocabularyUpload, DOCUMENT_LIMIT)
        return json_answer(
            await api.put(tenant_id, vendor, upload, curator_of(principal), expected=expected, note=note)
        )

    async def get(request: Request, principal: Principal) -> Response:
        number = whole_number(request.query_params, "version", least=1)
        return json_answer(await api.get(*_vendor(request, principal), number))

    async def remove(request: Request, principal: Principal) -> Response:
        expected = _expected(request)
        return json_answer(await api.remove(*_vendor(request, principal), curator_of(principal), expected=expected))

    async def rollback(request: Request, principal: Principal) -> Response:
        to, expected = _to(request), _expected(request)
        return json_answer(
            await api.rollback(*_vendor(request, principal), to, curator_of(principal), expected=expected)
        )

    async def history(request: Request, principal: Principal) -> Response:
        return json_answer(await api.history(*_vendor(request, principal)))

    async def difference(request: Request, principal: Principal) -> Response:
        return json_answer(await api.difference(*_vendor(request, principal), *_between(request)))

    return [
        _reading(
            "listVocabularies", "/v1/vocabularies", "The tenant's own vocabularies.", listed, OwnVocabularyList, ()
        ),
        _writing(
            "putVocabulary",
            "PUT",
            _VENDOR,
            "Say what a vendor's labels mean to the tenant; it stands over what is shipped, within two seconds.",
            put,
            OwnVocabulary,
            (IF_VERSION, NOTE),
            VocabularyUpload,
            _EXAMPLE,
        ),
        _reading("getVocabulary", _VENDOR, "A vocabulary of the tenant.", get, OwnVocabulary, (NUMBER,)),
        _writing(
            "removeVocabulary",
            "DELETE",
            _VENDOR,
            "Take a vocabulary away; its versions stay.",
            remove,
            OwnVocabulary,
            (IF_VERSION,),
        ),
        _writing(
            "rollbackVocabulary",
            "POST",
            f"{_VENDOR}:rollback",
            "Make the content of an earlier version stand again.",
            rollback,
            OwnVocabulary,
            (_TO, IF_VERSION),
        ),
        _reading("getVocabularyHistory", f"{_VENDOR}/versions", "Its versions.", history, DocumentHistory, ()),
        _reading(
            "diffVocabulary", f"{_VENDOR}/diff", "How two versions differ.", difference, DocumentDifference, _BETWEEN
        ),
    ]


def framework_operations(api: FrameworkDeskApi) -> list[Operation]:
    """What hangs below `/v1/frameworks`, but for the list of all editions."""

    async def listed(_: Request, principal: Principal) -> Response:
        return json_answer(await api.list(principal.tenant_for(None)))

    async def put(request: Request, principal: Principal) -> Response:
        at = _edition(request, principal)
        expected, note = _expected(request), note_of(request)
        upload = await read_model(request, FrameworkUpload, DOCUMENT_LIMIT)
        return json_answer(await api.put(*at, upload, curator_of(principal), expected=expected, note=note))

    async def get(request: Request, principal: Principal) -> Response:
        number = whole_number(request.query_params, "version", least=1)
        return json_answer(await api.get(*_edition(request, principal), number))

    async def remove(request: Request, principal: Principal) -> Response:
        expected = _expected(request)
        return json_answer(await api.remove(*_edition(request, principal), curator_of(principal), expected=expected))

    async def rollback(request: Request, principal: Principal) -> Response:
        to, expected = _to(request), _expected(request)
        return json_answer(
            await api.rollback(*_edition(request, principal), to, curator_of(principal), expected=expected)
        )

    async def history(request: Request, principal: Principal) -> Response:
        return json_answer(await api.history(*_edition(request, principal)))

    async def difference(request: Request, principal: Principal) -> Response:
        return json_answer(await api.difference(*_edition(request, principal), *_between(request)))

    return [
        _reading(
            "listOwnFrameworks",
            "/v1/frameworks:own",
            "The editions that the tenant uploaded, with their content.",
            listed,
            OwnFrameworkList,
            (),
        ),
        _writing(
            "putFramework",
            "PUT",
            _EDITION,
            "Upload an edition of a framework of the tenant's own; requests may name it within two seconds.",
            put,
            OwnFramework,
            (IF_VERSION, NOTE),
            FrameworkUpload,
            _FRAMEWORK_EXAMPLE,
        ),
        _reading("getFramework", _EDITION, "An edition that the tenant uploaded.", get, OwnFramework, (NUMBER,)),
        _writing(
            "removeFramework",
            "DELETE",
            _EDITION,
            "Let no further request name an edition; records keep what they say, and its versions stay.",
            remove,
            OwnFramework,
            (IF_VERSION,),
        ),
        _writing(
            "rollbackFramework",
            "POST",
            f"{_EDITION}:rollback",
            "Make the content of an earlier version stand again.",
            rollback,
            OwnFramework,
            (_TO, IF_VERSION),
        ),
        _reading("getFrameworkHistory", f"{_EDITION}/versions", "Its versions.", history, DocumentHistory, ()),
        _reading(
            "diffFramework", f"{_EDITION}/diff", "How two versions differ.", difference, DocumentDifference, _BETWEEN
        ),
    ]


def _writing(
    name: str,
    method: str,
    path: str,
    summary: str,
    handler: Handler,
    answer: type[BaseModel],
    query: tuple[QueryParameter, ...],
    body: type[BaseModel] | None = None,
    example: dict[str, object] | None = None,
) -> Operation:
    return Operation(
        id=name,
        method=method,
        path=path,
        tag="own catalogue",
        summary=summary,
        scope=Scope.ADMIN,
        handler=handler,
        requests=() if body is None else (body,),
        responses={200: (answer,)},
        errors=_WRITE,
        query=query,
        example=example,
    )


def _reading(
    name: str,
    path: str,
    summary: str,
    handler: Handler,
    answer: type[BaseModel],
    query: tuple[QueryParameter, ...],
) -> Operation:
    return Operation(
        id=name,
        method="GET",
        path=path,
        tag="own catalogue",
        summary=summary,
        scope=Scope.READ,
        handler=handler,
        responses={200: (answer,)},
        errors=_READ,
        query=query,
    )


def _vendor(request: Request, principal: Principal) -> tuple[str, str]:
    vendor = matching(
        named(request, "vendor"),
        "[a-z][a-z0-9_]{0,47}",
        "a vendor's name has 1 to 48 small letters, digits and underscores, and begins with a letter",
    )
    return principal.tenant_for(None), vendor


def _edition(request: Request, principal: Principal) -> tuple[str, str, str]:
    framework = matching(
        named(request, "framework"),
        "[a-z][a-z0-9_]{0,31}",
        "a framework's name has 1 to 32 small letters, digits and underscores, and begins with a letter",
    )
    edition = matching(
        named(request, "edition"),
        "[A-Za-z0-9][A-Za-z0-9_.-]{0,30}",
        "an edition's name has 1 to 31 letters, digits, '_', '.' and '-', and begins with a letter or digit",
    )
    return principal.tenant_for(None), framework, edition


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
