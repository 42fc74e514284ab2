"""A tenant's mapping settings over HTTP."""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.curation import DocumentDifference, DocumentHistory
from llama_mapper.domain.contracts.mapping_settings import MappingSettings, MappingSettingsApi, OwnMappingSettings
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.curators import IF_VERSION, NOTE, NUMBER, curator_of, note_of, whole_number
from llama_mapper.entrypoints.http.operations import Handler, Operation, QueryParameter

_BODY_LIMIT = 16_384
_PATH = "/v1/mapping-settings"
_VERSION: dict[str, object] = {"type": "integer", "minimum": 0, "maximum": 2_000_000_000}
_BETWEEN = (
    QueryParameter("from", "The earlier version; 0: nothing.", _VERSION, required=True),
    QueryParameter("to", "The later version; 0: nothing.", _VERSION, required=True),
)
_TO = QueryParameter("to", "The version whose content is to stand again.", {**_VERSION, "minimum": 1}, required=True)
_EXAMPLE: dict[str, object] = {
    "strategy": "cascade",
    "min_confidence": 0.7,
    "stage_confidence": {"model": 0.8},
    "optimisation": {"every_days": 7, "max_loss": 0.01},
}


def mapping_settings_operations(api: MappingSettingsApi) -> list[Operation]:
    """`/v1/mapping-settings` and what hangs below it."""

    async def get(request: Request, principal: Principal) -> Response:
        number = whole_number(request.query_params, "version", least=1)
        return json_answer(await api.get(principal.tenant_for(None), number))

    async def put(request: Request, principal: Principal) -> Response:
        expected, note = whole_number(request.query_params, "if_version"), note_of(request)
        settings = await read_model(request, MappingSettings, _BODY_LIMIT)
        tenant_id = principal.tenant_for(None)
        return json_answer(await api.put(tenant_id, settings, curator_of(principal), expected=expected, note=note))

    async def remove(request: Request, principal: Principal) -> Response:
        expected = whole_number(request.query_params, "if_version")
        return json_answer(await api.remove(principal.tenant_for(None), curator_of(principal), expected=expected))

    async def rollback(request: Request, principal: Principal) -> Response:
        to, expected = _required(request, "to", least=1), whole_number(request.query_params, "if_version")
        return json_answer(await api.rollback(principal.tenant_for(None), to, curator_of(principal), expected=expected))

    async def history(_: Request, principal: Principal) -> Response:
        return json_answer(await api.history(principal.tenant_for(None)))

    async def difference(request: Request, principal: Principal) -> Response:
        before, after = _required(request, "from"), _required(request, "to")
        return json_answer(await api.difference(principal.tenant_for(None), before, after))

    writing = partial(
        _operation,
        scope=Scope.ADMIN,
        errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.DOCUMENT_INVALID),
    )
    reading = partial(_operation, scope=Scope.READ, errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND))
    return [
        reading(
            "getMappingSettings",
            "GET",
            _PATH,
            "How the tenant's labels are mapped.",
            get,
            OwnMappingSettings,
            (NUMBER,),
        ),
        writing(
            "putMappingSettings",
            "PUT",
            _PATH,
            "Say how the tenant's labels are mapped where request and policy do not; in force within two seconds.",
            put,
            OwnMappingSettings,
            (IF_VERSION, NOTE),
            body=MappingSettings,
        ),
        writing(
            "removeMappingSettings",
            "DELETE",
            _PATH,
            "Go back to what the installation says; the versions stay.",
            remove,
            OwnMappingSettings,
            (IF_VERSION,),
        ),
        writing(
            "rollbackMappingSettings",
            "POST",
            f"{_PATH}:rollback",
            "Make the content of an earlier version stand again.",
            rollback,
            OwnMappingSettings,
            (_TO, IF_VERSION),
        ),
        reading(
            "getMappingSettingsHistory",
            "GET",
            f"{_PATH}/versions",
            "Their versions: who changed them, when and why.",
            history,
            DocumentHistory,
            (),
        ),
        reading(
            "diffMappingSettings",
            "GET",
            f"{_PATH}/diff",
            "How two versions differ.",
            difference,
            DocumentDifference,
            _BETWEEN,
        ),
    ]


def _operation(
    name: str,
    method: str,
    path: str,
    summary: str,
    handler: Handler,
    answer: type[BaseModel],
    query: tuple[QueryParameter, ...],
    *,
    scope: Scope,
    errors: tuple[ErrorCode, ...],
    body: type[BaseModel] | None = None,
) -> Operation:
    return Operation(
        id=name,
        method=method,
        path=path,
        tag="mapping settings",
        summary=summary,
        scope=scope,
        handler=handler,
        requests=() if body is None else (body,),
        responses={200: (answer,)},
        errors=errors,
        query=query,
        example=None if body is None else _EXAMPLE,
    )


def _required(request: Request, name: str, *, least: int = 0) -> int:
    number = whole_number(request.query_params, name, least=least)
    if number is None:
        raise ValidationError(f"name the version: {name}=…")
    return number
