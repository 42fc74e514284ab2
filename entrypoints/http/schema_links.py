"""What the front door of a split installation asks the mapping context about releases of schemas; for links alone."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.schema_defaults import SchemaCounts, SchemaStanding
from llama_mapper.domain.kernel.errors import AuthorizationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.operations import Operation
from llama_mapper.entrypoints.schema_defaults import SchemaReleaseLink

_COUNTS_LIMIT = 4 * 1024 * 1024


def schema_link_operations(api: SchemaReleaseLink) -> list[Operation]:
    """`/v1/schemas:standing` and `/v1/schemas:count`."""

    async def standing(_: Request, __: Principal) -> Response:
        return json_answer(await api.standing())

    async def count(request: Request, principal: Principal) -> Response:
        if Scope.INTERNAL not in principal.scopes and not principal.keyless:
            raise AuthorizationError("only another context of this installation may count for it")
        counts = await read_model(request, SchemaCounts, _COUNTS_LIMIT)
        await api.take(counts)
        return json_answer(await api.standing())

    return [
        Operation(
            id="getSchemaStanding",
            method="GET",
            path="/v1/schemas:standing",
            tag="links",
            summary="What releases have made of the default versions.",
            scope=Scope.READ,
            handler=standing,
            responses={200: (SchemaStanding,)},
        ),
        Operation(
            id="countSchemas",
            method="POST",
            path="/v1/schemas:count",
            tag="links",
            summary="Keep what another process has counted of versions on trial.",
            scope=Scope.ASSESS,
            handler=count,
            requests=(SchemaCounts,),
            responses={200: (SchemaStanding,)},
        ),
    ]
