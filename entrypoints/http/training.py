"""Training jobs over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.training import (
    LOG_LINES,
    TrainingApi,
    TrainingJob,
    TrainingJobPage,
    TrainingLog,
    TrainingRequest,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_owned
from llama_mapper.entrypoints.http.idempotency import Idempotent
from llama_mapper.entrypoints.http.operations import TENANT_PARAMETER, Operation, QueryParameter

_BODY_LIMIT = 8 * 1024 * 1024
"""Bytes: as many reviewed labels as the contract admits, each of the longest kind."""

_PAGE_LIMIT = 1_000


def training_operations(api: TrainingApi) -> list[Operation]:
    """`/v1/training/jobs`."""

    async def submit(request: Request, principal: Principal) -> Response:
        job = await api.submit(await read_owned(request, principal, TrainingRequest, _BODY_LIMIT))
        answer = json_answer(job, 202)
        answer.headers["location"] = f"/v1/training/jobs/{job.id}"
        return answer

    async def listed(request: Request, principal: Principal) -> Response:
        limit = _number(request, "limit", 100, _PAGE_LIMIT)
        tenant_id = principal.tenant_for(request.query_params.get("tenant_id"))
        return json_answer(await api.page(tenant_id, limit=limit, cursor=request.query_params.get("cursor")))

    async def fetch(request: Request, principal: Principal) -> Response:
        return json_answer(await api.get(principal.tenant_for(None), request.path_params["job_id"]))

    async def logs(request: Request, principal: Principal) -> Response:
        lines = _number(request, "lines", 100, LOG_LINES)
        return json_answer(await api.logs(principal.tenant_for(None), request.path_params["job_id"], lines=lines))

    async def cancel(request: Request, principal: Principal) -> Response:
        job = await api.cancel(principal.tenant_for(None), request.path_params["job_id"])
        return json_answer(job, 200 if job.ended_at is not None else 202)

    return [
        Operation(
            id="createTrainingJob",
            method="POST",
            path="/v1/training/jobs",
            tag="training",
            summary="Fine-tune a model in the background; the answer is a job.",
            scope=Scope.ADMIN,
            handler=submit,
            idempotent=Idempotent(_BODY_LIMIT),
            requests=(TrainingRequest,),
            responses={202: (TrainingJob,)},
            errors=(ErrorCode.JOB_QUEUE_FULL,),
            example={"kind": "mapper", "base_model": "llama3", "hyperparameters": {"steps": 300}},
        ),
        Operation(
            id="listTrainingJobs",
            method="GET",
            path="/v1/training/jobs",
            tag="training",
            summary="The tenant's training jobs, newest first.",
            scope=Scope.ADMIN,
            handler=listed,
            responses={200: (TrainingJobPage,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(
                TENANT_PARAMETER,
                QueryParameter("limit", "Jobs a page.", _counting(_PAGE_LIMIT)),
                QueryParameter("cursor", "`next_cursor` of the page before.", {"type": "string"}),
            ),
        ),
        Operation(
            id="getTrainingJob",
            method="GET",
            path="/v1/training/jobs/{job_id}",
            tag="training",
            summary="A training job: how far it is, and what came of it.",
            scope=Scope.ADMIN,
            handler=fetch,
            responses={200: (TrainingJob,)},
            errors=(ErrorCode.NOT_FOUND,),
        ),
        Operation(
            id="getTrainingJobLogs",
            method="GET",
            path="/v1/training/jobs/{job_id}/logs",
            tag="training",
            summary="The end of what the job's trainer wrote.",
            scope=Scope.ADMIN,
            handler=logs,
            responses={200: (TrainingLog,)},
            errors=(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST),
            query=(QueryParameter("lines", "Lines at the most.", _counting(LOG_LINES)),),
        ),
        Operation(
            id="cancelTrainingJob",
            method="DELETE",
            path="/v1/training/jobs/{job_id}",
            tag="training",
            summary="End a training job: its process is killed, its checkpoints stay. Harmless if it has ended.",
            scope=Scope.ADMIN,
            handler=cancel,
            responses={200: (TrainingJob,), 202: (TrainingJob,)},
            errors=(ErrorCode.NOT_FOUND,),
        ),
    ]


def _counting(most: int) -> dict[str, object]:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": 100}


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= most:
        return int(text)
    raise ValidationError(f"{name} must be between 1 and {most}")
