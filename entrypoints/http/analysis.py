"""The analysis context over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.analysis import AnalysisApi, AnalysisRequest, AnalysisResponse
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_owned
from llama_mapper.entrypoints.http.idempotency import Idempotent
from llama_mapper.entrypoints.http.operations import Operation


def analysis_operations(api: AnalysisApi, body_limit: int) -> list[Operation]:
    """`/v1/analyze`."""

    async def analyze(request: Request, principal: Principal) -> Response:
        return json_answer(await api.analyze(await read_owned(request, principal, AnalysisRequest, body_limit)))

    return [
        Operation(
            id="analyze",
            method="POST",
            path="/v1/analyze",
            tag="analysis",
            summary="Patterns, risk, compliance and quality of an orchestration response.",
            idempotent=Idempotent(body_limit),
            scope=Scope.ASSESS,
            handler=analyze,
            requests=(AnalysisRequest,),
            responses={200: (AnalysisResponse,)},
            errors=(ErrorCode.FRAMEWORK_NOT_FOUND, ErrorCode.EDITION_NOT_FOUND),
        )
    ]
