"""A tenant's own words as a whole, over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.overlays import OverlayApi, OverlayMark, TenantOverlay
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.operations import TENANT_PARAMETER, Operation


def overlay_operations(api: OverlayApi) -> list[Operation]:
    """`/v1/overlay` and `/v1/overlay/mark`."""

    async def overlay(request: Request, principal: Principal) -> Response:
        return json_answer(await api.overlay(principal.tenant_for(request.query_params.get("tenant_id"))))

    async def mark(request: Request, principal: Principal) -> Response:
        return json_answer(await api.mark(principal.tenant_for(request.query_params.get("tenant_id"))))

    return [
        Operation(
            id="getOverlay",
            method="GET",
            path="/v1/overlay",
            tag="own catalogue",
            summary="All that the tenant says of vendors' labels: its vocabularies and its reviewers' decisions.",
            scope=Scope.READ,
            handler=overlay,
            responses={200: (TenantOverlay,)},
            query=(TENANT_PARAMETER,),
        ),
        Operation(
            id="getOverlayMark",
            method="GET",
            path="/v1/overlay/mark",
            tag="own catalogue",
            summary="Whether anything of it has changed: the positions of the newest changes.",
            scope=Scope.READ,
            handler=mark,
            responses={200: (OverlayMark,)},
            query=(TENANT_PARAMETER,),
        ),
    ]
