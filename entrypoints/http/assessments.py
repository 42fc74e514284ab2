"""The whole chain over HTTP."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.assessment.envelope import envelope_bytes
from llama_mapper.domain.contracts.assessment import (
    Assessment,
    AssessmentAnswer,
    AssessmentApi,
    AssessmentRequest,
    EvidenceEnvelope,
)
from llama_mapper.domain.contracts.jobs import AcceptedJob, JobApi
from llama_mapper.domain.contracts.taxonomies import RemappedAssessment
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.domain.mapping.taxonomies.library import TaxonomyLibrary
from llama_mapper.entrypoints.http.answers import json_answer, redacted_again, with_redacted
from llama_mapper.entrypoints.http.bodies import read_owned
from llama_mapper.entrypoints.http.headers import header_of
from llama_mapper.entrypoints.http.idempotency import Idempotent
from llama_mapper.entrypoints.http.jobs import PREFER, accepted, prefers_async
from llama_mapper.entrypoints.http.operations import Operation, QueryParameter

JSON = "application/json"
CHAIN_ERRORS = (
    ErrorCode.POLICY_NOT_FOUND,
    ErrorCode.FRAMEWORK_NOT_FOUND,
    ErrorCode.UNPROCESSABLE_CONTENT,
    ErrorCode.ALL_DETECTORS_UNAVAILABLE,
    ErrorCode.DETECTOR_OVERLOADED,
    ErrorCode.SERVICE_UNAVAILABLE,
    ErrorCode.REQUEST_TIMEOUT,
    ErrorCode.POLICY_INVALID,
)
EXAMPLE: dict[str, object] = {
    "content": "My card is 4111 1111 1111 1111, please refund me.",
    "frameworks": ["soc2", "gdpr"],
}

_AS_WRITTEN, _CURRENT = "as_written", "current"
_envelope = EvidenceEnvelope.model_validate_json


def assessment_operations(
    api: AssessmentApi, body_limit: int, jobs: JobApi | None = None, taxonomies: TaxonomyLibrary | None = None
) -> list[Operation]:
    """`/v1/assessments` and what hangs below it; without `jobs`, `Prefer: respond-async` is not heeded."""

    async def create(request: Request, principal: Principal) -> Response:
        asked = await read_owned(request, principal, AssessmentRequest, body_limit)
        if (
            jobs is not None
            and header_of(request.scope, b"prefer") is not None
            and prefers_async(request.headers.getlist("prefer"))
        ):
            return accepted(await jobs.submit(asked), preferred=True)
        record = await api.assess(asked)
        covered = record.assessment.orchestration.coverage.sufficient
        location = {"location": f"/v1/assessments/{record.assessment.id}"}
        answer = record.assessment.orchestration
        return with_redacted(asked, answer, record.body, 200 if covered else 206, location)

    async def complete(kept: bytes, request: Request, principal: Principal) -> bytes:
        asked = await read_owned(request, principal, AssessmentRequest, body_limit)
        return redacted_again(asked, Assessment.model_validate_json(kept).orchestration, kept)

    async def fetch(request: Request, principal: Principal) -> Response:
        reading = request.query_params.get("taxonomy", _AS_WRITTEN)
        if reading not in (_AS_WRITTEN, _CURRENT):
            raise ValidationError(f"taxonomy is {_AS_WRITTEN} or {_CURRENT}")
        body = await api.get(principal.tenant_for(None), request.path_params["assessment_id"])
        if reading == _CURRENT and taxonomies is not None:
            return json_answer(taxonomies.read_now(body))
        return Response(body, 200, media_type=JSON)

    async def evidence(request: Request, principal: Principal) -> Response:
        body = await api.get(principal.tenant_for(None), request.path_params["assessment_id"])
        envelope = _envelope(orjson.dumps(orjson.loads(body)["evidence"]))
        return Response(envelope_bytes(envelope), 200, media_type=JSON)

    return [
        Operation(
            id="createAssessment",
            method="POST",
            path="/v1/assessments",
            tag="assessments",
            summary="Run the whole chain over a text and keep the record, without the text.",
            idempotent=Idempotent(body_limit, complete),
            scope=Scope.ASSESS,
            handler=create,
            requests=(AssessmentRequest,),
            responses={200: (AssessmentAnswer,), 202: (AcceptedJob,), 206: (AssessmentAnswer,)},
            errors=(*CHAIN_ERRORS, ErrorCode.JOB_QUEUE_FULL),
            headers=(PREFER,),
            example=EXAMPLE,
        ),
        Operation(
            id="getAssessment",
            method="GET",
            path="/v1/assessments/{assessment_id}",
            tag="assessments",
            summary="A stored record, byte for byte as it was answered; or read under the present taxonomy.",
            scope=Scope.READ,
            handler=fetch,
            responses={200: (Assessment, RemappedAssessment)},
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
            query=(
                QueryParameter(
                    "taxonomy",
                    "`current`: the canonical ids of the present taxonomy, and what that changed; the evidence stays.",
                    {"type": "string", "enum": [_AS_WRITTEN, _CURRENT], "default": _AS_WRITTEN},
                ),
            ),
        ),
        Operation(
            id="getAssessmentEvidence",
            method="GET",
            path="/v1/assessments/{assessment_id}/evidence",
            tag="assessments",
            summary="The record's signed evidence, as a file that `llama-mapper evidence verify` checks.",
            scope=Scope.READ,
            handler=evidence,
            responses={200: (EvidenceEnvelope,)},
            errors=(ErrorCode.NOT_FOUND,),
        ),
    ]
