"""The published schemas over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, RootModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.base import Contract, Identifier
from llama_mapper.domain.contracts.evolution.changes import Side
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.operations import Operation
from llama_mapper.entrypoints.http.profiles import Schemas


class SchemaInfo(Contract):
    """One version of a published schema."""

    id: Identifier
    """Names the version as the `profile` of a media type, without its minor part."""
    model: Identifier
    major: Annotated[int, Field(ge=1)]
    minor: Annotated[int, Field(ge=0)]
    newest: bool
    """Whether it is what is spoken where nobody names a version."""
    must_not_break: Side
    """`reader`: a request's; `writer`: an answer's. See `docs/schemas.md`."""


class SchemaList(Contract):
    """Every version that is served, by model, newest first."""

    items: Annotated[tuple[SchemaInfo, ...], Field(max_length=1000)]


class JsonSchema(RootModel[dict[str, JsonValue]]):
    """A JSON Schema, draft 2020-12."""


def schema_operations(schemas: Schemas) -> list[Operation]:
    """`/v1/schemas` and `/v1/schemas/{model}/versions/{major}`."""

    async def listed(_: Request, __: Principal) -> Response:
        versions = schemas()
        items = tuple(
            SchemaInfo(
                id=one.schema["$id"],
                model=one.model,
                major=one.version.major,
                minor=one.version.minor,
                newest=one is versions.newest(one.model),
                must_not_break=one.side,
            )
            for one in versions.all()
        )
        return json_answer(SchemaList(items=items))

    async def shown(request: Request, _: Principal) -> Response:
        major = request.path_params["major"]
        if not (major.isascii() and major.isdigit() and len(major) <= 4):
            raise ValidationError("a major version is a whole number")
        found = schemas().get(request.path_params["model"], int(major))
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
