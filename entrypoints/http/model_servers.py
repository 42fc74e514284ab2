"""Servers that run models over HTTP: for the operator, since they answer all tenants."""

from __future__ import annotations

from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticError
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.model_servers import (
    ModelLoad,
    ModelServerApi,
    ModelServerInfo,
    ModelServerList,
    ModelServerName,
    ModelStatistics,
    ModelUnload,
    ServedModelName,
    ServerHistory,
)
from llama_mapper.domain.contracts.models import ModelActor, ModelDoor
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.operations import Operation
from llama_mapper.entrypoints.http.releases import LIMIT, limit_of

_BODY_LIMIT = 65_536
_SERVER = "/v1/model-servers/{server}"
_MODEL = "/v1/model-servers/{server}/models/{model}"
_NAME: TypeAdapter[str] = TypeAdapter(ModelServerName)
_SERVED: TypeAdapter[str] = TypeAdapter(ServedModelName)
_AWAY = (ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.UPSTREAM_INVALID_RESPONSE)


def model_server_operations(api: ModelServerApi, operator_tenant: str, load_limit_s: float) -> list[Operation]:
    """`/v1/model-servers`; only credentials of `operator_tenant` may use any of it. A load may take `load_limit_s`."""

    def operator(principal: Principal) -> ModelActor:
        if principal.tenant_id != operator_tenant or Scope.INTERNAL in principal.scopes:
            raise AuthorizationError("model servers answer all tenants: only the operator may use them")
        try:
            return ModelActor(name=principal.name, door=ModelDoor.HTTP, keyless=principal.keyless)
        except ValueError:
            raise ValidationError(
                "the API key's name has control characters or more than 128 characters; use a key that names a person"
            ) from None

    async def servers(_: Request, principal: Principal) -> Response:
        operator(principal)
        return json_answer(await api.servers())

    async def server(request: Request, principal: Principal) -> Response:
        operator(principal)
        return json_answer(await api.server(_server(request)))

    async def history(request: Request, principal: Principal) -> Response:
        operator(principal)
        return json_answer(await api.history(_server(request), limit=limit_of(request.query_params)))

    async def statistics(request: Request, principal: Principal) -> Response:
        operator(principal)
        return json_answer(await api.statistics(_server(request), _model(request)))

    async def load(request: Request, principal: Principal) -> Response:
        actor = operator(principal)
        asked = await read_model(request, ModelLoad, _BODY_LIMIT)
        return json_answer(await api.load(_server(request), _model(request), asked, actor))

    async def unload(request: Request, principal: Principal) -> Response:
        actor = operator(principal)
        asked = await read_model(request, ModelUnload, _BODY_LIMIT)
        return json_answer(await api.unload(_server(request), _model(request), asked, actor))

    return [
        Operation(
            id="listModelServers",
            method="GET",
            path="/v1/model-servers",
            tag="model servers",
            summary="The servers that run models: whether they are ready, and which models they have.",
            scope=Scope.READ,
            handler=servers,
            responses={200: (ModelServerList,)},
        ),
        Operation(
            id="getModelServer",
            method="GET",
            path=_SERVER,
            tag="model servers",
            summary="One of them.",
            scope=Scope.READ,
            handler=server,
            responses={200: (ModelServerInfo,)},
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
        ),
        Operation(
            id="getModelServerHistory",
            method="GET",
            path=f"{_SERVER}/history",
            tag="model servers",
            summary="What was done to its models, by whom, and what came of it; newest first.",
            scope=Scope.READ,
            handler=history,
            responses={200: (ServerHistory,)},
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
            query=(LIMIT,),
        ),
        Operation(
            id="getServedModelStatistics",
            method="GET",
            path=f"{_MODEL}/statistics",
            tag="model servers",
            summary="What a model's loaded versions have done: requests, failures, runs, seconds in queue and model.",
            scope=Scope.READ,
            handler=statistics,
            responses={200: (ModelStatistics,)},
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, *_AWAY),
        ),
        Operation(
            id="loadServedModel",
            method="POST",
            path=f"{_MODEL}:load",
            tag="model servers",
            summary="Load a model, or load it again from what the server's repository now has.",
            scope=Scope.ADMIN,
            handler=load,
            requests=(ModelLoad,),
            responses={200: (ModelServerInfo,)},
            errors=(ErrorCode.NOT_FOUND, *_AWAY),
            example={"note": "new weights"},
            timeout_s=load_limit_s,
        ),
        Operation(
            id="unloadServedModel",
            method="POST",
            path=f"{_MODEL}:unload",
            tag="model servers",
            summary="Take a model out of service once its requests are answered.",
            scope=Scope.ADMIN,
            handler=unload,
            requests=(ModelUnload,),
            responses={200: (ModelServerInfo,)},
            errors=(ErrorCode.NOT_FOUND, *_AWAY),
            example={"note": "it is replaced"},
            timeout_s=load_limit_s,
        ),
    ]


def _server(request: Request) -> str:
    try:
        return _NAME.validate_python(request.path_params["server"])
    except PydanticError:
        raise ValidationError("a model server's name is 1 to 63 of a-z, 0-9, '-' and '_'") from None


def _model(request: Request) -> str:
    try:
        return _SERVED.validate_python(request.path_params["model"])
    except PydanticError:
        raise ValidationError("a served model's name is 1 to 128 letters, digits, '.', '_' and '-'") from None
