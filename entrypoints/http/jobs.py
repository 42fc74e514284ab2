"""Jobs over HTTP: `Prefer: respond-async`, batches, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.jobs import AcceptedJob, BatchRequest, Job, JobApi, JobPage
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_owned
from llama_mapper.entrypoints.http.operations import TENANT_PARAMETER, Operation, QueryParameter

PREFER = QueryParameter(
    "Prefer",
    "`respond-async` (RFC 7240): answer 202 with a job at once, and assess in the background.",
    {"type": "string"},
)
_PAGE_LIMIT = 1_000
_ENDED = frozenset({"succeeded", "failed", "cancelled", "interrupted"})


def prefers_async(headers: Sequence[str]) -> bool:
    """Whether `Prefer` headers (RFC 7240) ask for a background answer; other preferences are not heeded."""
    preferences = (part for header in headers for part in header.split(","))
    return any(part.partition(";")[0].strip().lower() == "respond-async" for part in preferences)


def accepted(job: AcceptedJob, *, preferred: bool = False) -> Response:
    """202 with the job, and where to look for it."""
    answer = json_answer(job, 202)
    answer.headers["location"] = f"/v1/jobs/{job.id}"
    if preferred:
        answer.headers["preference-applied"] = "respond-async"
    return answer


def job_operations(api: JobApi, body_limit: int) -> list[Operation]:
    """`/v1/assessments:batch` and `/v1/jobs`."""

    async def submit(request: Request, principal: Principal) -> Response:
        batch = await read_owned(request, principal, BatchRequest, body_limit)
        for named in {item.tenant_id for item in batch.items} - {None, batch.tenant_id}:
            principal.tenant_for(named)
        return accepted(await api.submit_batch(batch))

    async def listed(request: Request, principal: Principal) -> Response:
        limit = _limit(request.query_params.get("limit", "100"))
        tenant_id = principal.tenant_for(request.query_params.get("tenant_id"))
        return json_answer(await api.page(tenant_id, limit=limit, cursor=request.query_params.get("cursor")))

    async def fetch(request: Request, principal: Principal) -> Response:
        return json_answer(await api.get(principal.tenant_for(None), request.path_params["job_id"]))

    async def cancel(request: Request, principal: Principal) -> Response:
        job = await api.cancel(principal.tenant_for(None), request.path_params["job_id"])
        return json_answer(job, 200 if job.status.value in _ENDED else 202)

    return [
        Operation(
            id="createAssessmentBatch",
            method="POST",
            path="/v1/assessments:batch",
            tag="jobs",
            summary="Assess many texts in the background; the answer is a job.",
            scope=Scope.ASSESS,
            handler=submit,
            requests=(BatchRequest,),
            responses={202: (AcceptedJob,)},
            errors=(ErrorCode.JOB_QUEUE_FULL, ErrorCode.SERVICE_UNAVAILABLE),
            example={
                "items": [
                    {"ref": "ticket-17", "content": "My card is 4111 1111 1111 1111."},
                    {"ref": "ticket-18", "content": "Thank you!"},
                ],
                "defaults": {"frameworks": ["pci_dss"]},
            },
        ),
        Operation(
            id="listJobs",
            method="GET",
            path="/v1/jobs",
            tag="jobs",
            summary="The tenant's jobs, newest first, without their items.",
            scope=Scope.READ,
            handler=listed,
            responses={200: (JobPage,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(
                TENANT_PARAMETER,
                QueryParameter(
                    "limit", "Jobs a page.", {"type": "integer", "minimum": 1, "maximum": _PAGE_LIMIT, "default": 100}
                ),
                QueryParameter("cursor", "`next_cursor` of the page before.", {"type": "string"}),
            ),
        ),
        Operation(
            id="getJob",
            method="GET",
            path="/v1/jobs/{job_id}",
            tag="jobs",
            summary="A job and its items; the results are records, to be fetched by their ids.",
            scope=Scope.READ,
            handler=fetch,
            responses={200: (Job,)},
            errors=(ErrorCode.NOT_FOUND,),
        ),
        Operation(
            id="cancelJob",
            method="DELETE",
            path="/v1/jobs/{job_id}",
            tag="jobs",
            summary="End a job: what was done stays, what was not is not run. Harmless if it has ended.",
            scope=Scope.ASSESS,
            handler=cancel,
            responses={200: (Job,), 202: (Job,)},
            errors=(ErrorCode.NOT_FOUND,),
        ),
    ]


def _limit(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= _PAGE_LIMIT:
        return int(text)
    raise ValidationError(f"limit must be between 1 and {_PAGE_LIMIT}")
