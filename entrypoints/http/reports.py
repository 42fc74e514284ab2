"""Reports over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.reports import FrameworkViews, RenderedReport, ReportApi, ReportRequest
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_owned
from llama_mapper.entrypoints.http.curators import matching
from llama_mapper.entrypoints.http.operations import TENANT_PARAMETER, Operation, QueryParameter

_CANONICAL = r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*(\.[a-z0-9_]+)?"
_REF = r"[a-z][a-z0-9_]*(:[A-Za-z0-9][A-Za-z0-9_.-]*)?"
_REFS_LIMIT = 32
_FRAMEWORKS = (ErrorCode.FRAMEWORK_NOT_FOUND, ErrorCode.EDITION_NOT_FOUND)


def report_operations(api: ReportApi, body_limit: int) -> list[Operation]:
    """`/v1/reports:render` and `/v1/reports:controls`."""

    async def render(request: Request, principal: Principal) -> Response:
        return json_answer(await api.render(await read_owned(request, principal, ReportRequest, body_limit)))

    async def controls(request: Request, principal: Principal) -> Response:
        query = request.query_params
        canonical = matching(
            query.get("canonical", "")[:129],
            rf"(?=.{{1,128}}$){_CANONICAL}",
            "canonical is an id of the taxonomy, as in pii.financial_data",
        )
        return json_answer(
            await api.controls(
                principal.tenant_for(query.get("tenant_id")), canonical, _refs(query.get("frameworks", ""))
            )
        )

    return [
        Operation(
            id="renderReport",
            method="POST",
            path="/v1/reports:render",
            tag="reports",
            summary="Render a stored record, or an answer of the mapping, with a template. The report is not kept.",
            scope=Scope.READ,
            handler=render,
            requests=(ReportRequest,),
            responses={200: (RenderedReport,)},
            errors=(
                ErrorCode.NOT_FOUND,
                *_FRAMEWORKS,
                ErrorCode.TEMPLATE_FAILED,
                ErrorCode.TEMPLATE_LIMIT,
                ErrorCode.SERVICE_UNAVAILABLE,
            ),
            example={"template": "evidence-summary", "assessment_id": "asm_01jexample"},
        ),
        Operation(
            id="listControlsOfLabel",
            method="GET",
            path="/v1/reports:controls",
            tag="reports",
            summary="The controls that a canonical label touches, edition by edition as their readers group them.",
            scope=Scope.READ,
            handler=controls,
            responses={200: (FrameworkViews,)},
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.CATEGORY_NOT_FOUND, *_FRAMEWORKS),
            query=(
                QueryParameter(
                    "canonical",
                    "An id of the taxonomy.",
                    {"type": "string", "pattern": f"^{_CANONICAL}$", "maxLength": 128},
                    required=True,
                ),
                QueryParameter(
                    "frameworks",
                    "Editions, joined by commas; without it, every framework in its default edition.",
                    {"type": "string", "maxLength": 2_048, "pattern": f"^{_REF}(,{_REF})*$"},
                ),
                TENANT_PARAMETER,
            ),
        ),
    ]


def _refs(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    refs = tuple(text.split(","))
    if len(refs) > _REFS_LIMIT:
        raise ValidationError(f"frameworks names at most {_REFS_LIMIT} editions")
    return tuple(
        matching(ref[:65], rf"(?=.{{1,64}}$){_REF}", "frameworks are named as ID or ID:EDITION, joined by commas")
        for ref in refs
    )
