"""The orchestration context over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.detectors import DetectorRegistryApi
from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.contracts.orchestration import (
    DetectorList,
    OrchestrationAnswer,
    OrchestrationApi,
    OrchestrationRequest,
    OrchestrationResponse,
    PolicyList,
)
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer, redacted_again, with_redacted
from llama_mapper.entrypoints.http.bodies import read_owned
from llama_mapper.entrypoints.http.idempotency import Idempotent
from llama_mapper.entrypoints.http.operations import TENANT_PARAMETER, Operation


def orchestration_operations(
    api: OrchestrationApi, body_limit: int, registry: DetectorRegistryApi | None = None
) -> list[Operation]:
    """`/v1/orchestrate`, `/v1/detectors`, `/v1/policies`."""

    async def orchestrate(request: Request, principal: Principal) -> Response:
        asked = await read_owned(request, principal, OrchestrationRequest, body_limit)
        answer = await api.orchestrate(asked)
        body = json_form(answer)
        return with_redacted(asked, answer, body, 200 if answer.coverage.sufficient else 206)

    async def complete(kept: bytes, request: Request, principal: Principal) -> bytes:
        asked = await read_owned(request, principal, OrchestrationRequest, body_limit)
        return redacted_again(asked, OrchestrationResponse.model_validate_json(kept), kept)

    async def detectors(_: Request, principal: Principal) -> Response:
        infos = await api.detectors()
        return json_answer(DetectorList(items=infos if registry is None else registry.described(infos)))

    async def policies(request: Request, principal: Principal) -> Response:
        tenant_id = principal.tenant_for(request.query_params.get("tenant_id"))
        return json_answer(PolicyList(items=await api.policies(tenant_id)))

    return [
        Operation(
            id="orchestrate",
            method="POST",
            path="/v1/orchestrate",
            tag="orchestration",
            summary="Run the detectors that a policy asks for, and judge what they say.",
            idempotent=Idempotent(body_limit, complete),
            scope=Scope.ASSESS,
            handler=orchestrate,
            requests=(OrchestrationRequest,),
            responses={200: (OrchestrationAnswer,), 206: (OrchestrationAnswer,)},
            errors=(
                ErrorCode.POLICY_NOT_FOUND,
                ErrorCode.UNPROCESSABLE_CONTENT,
                ErrorCode.ALL_DETECTORS_UNAVAILABLE,
                ErrorCode.DETECTOR_OVERLOADED,
                ErrorCode.SERVICE_UNAVAILABLE,
                ErrorCode.REQUEST_TIMEOUT,
                ErrorCode.POLICY_INVALID,
            ),
            example={"content": "Write to anna@example.com"},
        ),
        Operation(
            id="listDetectors",
            method="GET",
            path="/v1/detectors",
            tag="orchestration",
            summary="Every detector, what it judges, and whether it is ready.",
            scope=Scope.READ,
            handler=detectors,
            responses={200: (DetectorList,)},
        ),
        Operation(
            id="listPolicies",
            method="GET",
            path="/v1/policies",
            tag="orchestration",
            summary="The policy bundles that a request may name.",
            scope=Scope.READ,
            handler=policies,
            responses={200: (PolicyList,)},
            query=(TENANT_PARAMETER,),
        ),
    ]
