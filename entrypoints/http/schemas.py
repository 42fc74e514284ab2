"""The published schemas over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, RootModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.base import Contract, Identifier
from llama_mapper.domain.contracts.evolution.changes import Side
from llama_mapper.domain.contracts.evolution.defaults import DefaultVersions, Speaker
from llama_mapper.domain.contracts.evolution.versions import Published
from llama_mapper.domain.contracts.releases import Release, ReleaseApi
from llama_mapper.domain.contracts.schema_defaults import SchemaDeployment
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.domain.mapping.releases.schemas import canary_of
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.default_versions import speaker_of
from llama_mapper.entrypoints.http.operations import Operation
from llama_mapper.entrypoints.http.profiles import Schemas
from llama_mapper.entrypoints.http.releases import operator
from llama_mapper.entrypoints.schema_defaults import SchemaDefaults

_BODY_LIMIT = 262_144


class SchemaInfo(Contract):
    """One version of a published schema."""

    id: Identifier
    """Names the version as the `profile` of a media type, without its minor part."""
    model: Identifier
    major: Annotated[int, Field(ge=1)]
    minor: Annotated[int, Field(ge=0)]
    newest: bool
    percent: Annotated[float, Field(ge=0.0, le=100.0)]
    """The share of the tenant's traffic that gets it where no version is named."""
    default: bool
    """Whether this caller gets it where it names none."""
    release: Identifier | None = None
    """The release of a version that is under way, of both versions that it is between."""
    must_not_break: Side
    """`reader`: a request's; `writer`: an answer's. See `docs/schemas.md`."""


class SchemaList(Contract):
    """Every version that is served, by model, newest first."""

    items: Annotated[tuple[SchemaInfo, ...], Field(max_length=1000)]


class JsonSchema(RootModel[dict[str, JsonValue]]):
    """A JSON Schema, draft 2020-12."""


def schema_operations(schemas: Schemas, defaults: SchemaDefaults | None = None) -> list[Operation]:
    """`/v1/schemas` and `/v1/schemas/{model}/versions/{major}`; without `defaults` the newest versions are spoken."""

    async def listed(_: Request, principal: Principal) -> Response:
        now = DefaultVersions(schemas()) if defaults is None else defaults.now
        speaker = speaker_of(principal)
        return json_answer(SchemaList(items=tuple(_info(one, now, speaker) for one in schemas().all())))

    async def shown(request: Request, _: Principal) -> Response:
        found = schemas().get(request.path_params["model"], _major(request))
        return json_answer(JsonSchema(dict(found.schema)))

    return [
        Operation(
            id="listSchemas",
            method="GET",
            path="/v1/schemas",
            tag="schemas",
            summary="Every version of every published schema that is served.",
            scope=Scope.READ,
            handler=listed,
            responses={200: (SchemaList,)},
        ),
        Operation(
            id="getSchema",
            method="GET",
            path="/v1/schemas/{model}/versions/{major}",
            tag="schemas",
            summary="One published schema, in the newest minor version of a major one.",
            scope=Scope.READ,
            handler=shown,
            responses={200: (JsonSchema,)},
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
        ),
    ]


def schema_deployment_operations(
    schemas: Schemas, defaults: SchemaDefaults, releases: ReleaseApi, operator_tenant: str
) -> list[Operation]:
    """`/v1/schemas/{model}/versions/{major}:deploy`, for credentials of `operator_tenant`."""

    async def deploy(request: Request, principal: Principal) -> Response:
        actor = operator(principal, operator_tenant)
        asked = await read_model(request, SchemaDeployment, _BODY_LIMIT)
        found = schemas().get(request.path_params["model"], _major(request))
        plan = canary_of(found.model, found.version.major, defaults.now.in_force(found.model), asked)
        return json_answer(await releases.start(plan, actor), 201)

    return [
        Operation(
            id="deploySchema",
            method="POST",
            path="/v1/schemas/{model}/versions/{major}:deploy",
            tag="schemas",
            summary="Make a version the one that callers get who name none, for a growing part of the traffic.",
            scope=Scope.ADMIN,
            handler=deploy,
            requests=(SchemaDeployment,),
            responses={201: (Release,)},
            errors=(ErrorCode.NOT_FOUND, ErrorCode.RELEASE_GATE_FAILED, ErrorCode.RELEASE_STATE),
            example={"stages": [5.0, 25.0, 50.0, 100.0], "note": "clients were told in May"},
        ),
    ]


def _info(one: Published, now: DefaultVersions, speaker: Speaker) -> SchemaInfo:
    model, major = one.model, one.version.major
    shares = now.shares(model, speaker.tenant_id)
    return SchemaInfo(
        id=one.schema["$id"],
        model=model,
        major=major,
        minor=one.version.minor,
        newest=major == now.newest[model],
        percent=shares.get(major, 0.0),
        default=now.spoken(model, speaker).major == major,
        release=now.release_of(model, speaker.tenant_id) if major in shares else None,
        must_not_break=one.side,
    )


def _major(request: Request) -> int:
    major: str = request.path_params["major"]
    if not (major.isascii() and major.isdigit() and len(major) <= 4):
        raise ValidationError("a major version is a whole number")
    return int(major)
