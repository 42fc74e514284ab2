"""Versions of the taxonomy over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.taxonomies import TaxonomyHistory, TaxonomyPlan
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.domain.mapping.taxonomies.library import TaxonomyLibrary
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.curators import named
from llama_mapper.entrypoints.http.operations import Operation


def taxonomy_operations(library: TaxonomyLibrary) -> list[Operation]:
    """What hangs below `/v1/taxonomies`."""

    async def versions(_: Request, __: Principal) -> Response:
        return json_answer(library.history())

    async def plan(request: Request, _: Principal) -> Response:
        return json_answer(library.plan(named(request, "version")))

    return [
        Operation(
            id="listTaxonomyVersions",
            method="GET",
            path="/v1/taxonomies/versions",
            tag="mapping",
            summary="The versions that the taxonomy had, and what changed between them.",
            scope=Scope.READ,
            handler=versions,
            responses={200: (TaxonomyHistory,)},
        ),
        Operation(
            id="getTaxonomyPlan",
            method="GET",
            path="/v1/taxonomies/versions/{version}/plan",
            tag="mapping",
            summary="What becomes of the ids of an earlier version in the present one.",
            scope=Scope.READ,
            handler=plan,
            responses={200: (TaxonomyPlan,)},
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
        ),
    ]
