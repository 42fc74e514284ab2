"""A tenant's own report templates over HTTP."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.curation import DocumentDifference, DocumentHistory
from llama_mapper.domain.contracts.reports import (
    OwnTemplate,
    TemplateDeskApi,
    TemplateList,
    TemplatePreview,
    TemplateUpload,
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

BODY_LIMIT = 1024 * 1024
"""Bytes of an uploaded template: its 65,536 characters as JSON, at their longest."""

_TEMPLATE = "/v1/templates/{template}"
_VERSION: dict[str, object] = {"type": "integer", "minimum": 0, "maximum": 2_000_000_000}
_BETWEEN = (
    QueryParameter("from", "The earlier version; 0: nothing.", _VERSION, required=True),
    QueryParameter("to", "The later version; 0: nothing.", _VERSION, required=True),
)
_TO = QueryParameter("to", "The version whose content is to stand again.", {**_VERSION, "minimum": 1}, required=True)
_TRIED = (ErrorCode.DOCUMENT_INVALID, ErrorCode.SERVICE_UNAVAILABLE)
_WRITE = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, *_TRIED)
_READ = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND)
_EXAMPLE: dict[str, object] = {
    "format": "markdown",
    "title": "For the board",
    "text": "# {{ report.title }}\n\n{% for each in taxonomy %}\n- {{ each.name }}\n{% endfor %}\n",
}


def template_operations(api: TemplateDeskApi) -> list[Operation]:
    """`/v1/templates` and what hangs below it."""

    async def listed(_: Request, principal: Principal) -> Response:
        return json_answer(await api.list(principal.tenant_for(None)))

    async def preview(request: Request, principal: Principal) -> Response:
        upload = await read_model(request, TemplateUpload, BODY_LIMIT)
        return json_answer(await api.preview(principal.tenant_for(None), upload))

    async def put(request: Request, principal: Principal) -> Response:
        at = _template(request, principal)
        expected, note = _expected(request), note_of(request)
        upload = await read_model(request, TemplateUpload, BODY_LIMIT)
        return json_answer(await api.put(*at, upload, curator_of(principal), expected=expected, note=note))

    async def get(request: Request, principal: Principal) -> Response:
        number = whole_number(request.query_params, "version", least=1)
        return json_answer(await api.get(*_template(request, principal), number))

    async def remove(request: Request, principal: Principal) -> Response:
        expected = _expected(request)
        return json_answer(await api.remove(*_template(request, principal), curator_of(principal), expected=expected))

    async def rollback(request: Request, principal: Principal) -> Response:
        to, expected = whole_number(request.query_params, "to", least=1), _expected(request)
        if to is None:
            raise ValidationError("name the version to return to: to=…")
        return json_answer(
            await api.rollback(*_template(request, principal), to, curator_of(principal), expected=expected)
        )

    async def history(request: Request, principal: Principal) -> Response:
        return json_answer(await api.history(*_template(request, principal)))

    async def difference(request: Request, principal: Principal) -> Response:
        before, after = (whole_number(request.query_params, name) for name in ("from", "to"))
        if before is None or after is None:
            raise ValidationError("name the two versions: from=… and to=…")
        return json_answer(await api.difference(*_template(request, principal), before, after))

    return [
        _reading("listTemplates", "/v1/templates", "The templates that reports may name.", listed, TemplateList, ()),
        _writing(
            "previewTemplate",
            "POST",
            "/v1/templates:preview",
            "Try a template on invented data in which everything is there. Nothing is kept.",
            preview,
            TemplatePreview,
            (),
            TemplateUpload,
        ),
        _writing(
            "putTemplate",
            "PUT",
            _TEMPLATE,
            "Upload a template of the tenant's own. It is tried first; reports may name it at once.",
            put,
            OwnTemplate,
            (IF_VERSION, NOTE),
            TemplateUpload,
        ),
        _reading("getTemplate", _TEMPLATE, "A template of the tenant.", get, OwnTemplate, (NUMBER,)),
        _writing(
            "removeTemplate",
            "DELETE",
            _TEMPLATE,
            "Take a template away; its versions stay.",
            remove,
            OwnTemplate,
            (IF_VERSION,),
        ),
        _writing(
            "rollbackTemplate",
            "POST",
            f"{_TEMPLATE}:rollback",
            "Make the content of an earlier version stand again.",
            rollback,
            OwnTemplate,
            (_TO, IF_VERSION),
        ),
        _reading("getTemplateHistory", f"{_TEMPLATE}/versions", "Its versions.", history, DocumentHistory, ()),
        _reading(
            "diffTemplate", f"{_TEMPLATE}/diff", "How two versions differ.", difference, DocumentDifference, _BETWEEN
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
) -> Operation:
    return Operation(
        id=name,
        method=method,
        path=path,
        tag="reports",
        summary=summary,
        scope=Scope.ADMIN,
        handler=handler,
        requests=() if body is None else (body,),
        responses={200: (answer,)},
        errors=_WRITE,
        query=query,
        example=None if body is None else _EXAMPLE,
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
        tag="reports",
        summary=summary,
        scope=Scope.READ,
        handler=handler,
        responses={200: (answer,)},
        errors=_READ,
        query=query,
    )


def _template(request: Request, principal: Principal) -> tuple[str, str]:
    name = matching(
        named(request, "template"),
        "[a-z][a-z0-9_-]{0,47}",
        "a template's name has 1 to 48 small letters, digits, '_' and '-', and begins with a letter",
    )
    return principal.tenant_for(None), name


def _expected(request: Request) -> int | None:
    return whole_number(request.query_params, "if_version")
