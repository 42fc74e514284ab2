"""Experiments over HTTP: for the operator, since they change what answers all tenants."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.releases import (
    AbStart,
    Experiment,
    ExperimentApi,
    ExperimentList,
    ReleaseMode,
    ReleaseNote,
    ShadowStart,
)
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import parsed, read_body, read_model
from llama_mapper.entrypoints.http.operations import Operation
from llama_mapper.entrypoints.http.releases import (
    BODY_LIMIT,
    LIMIT,
    Mode,
    changing,
    id_of,
    limit_of,
    operator,
    reading,
)

_NOTE_LIMIT = 4096
_ONE = "/v1/experiments/{id}"


def experiment_operations(api: ExperimentApi, operator_tenant: str) -> list[Operation]:
    """`/v1/experiments`; only credentials of `operator_tenant` may use any of it."""

    async def create(request: Request, principal: Principal) -> Response:
        actor = operator(principal, operator_tenant)
        body = await read_body(request, BODY_LIMIT)
        is_shadow = parsed(Mode, body).mode is ReleaseMode.SHADOW
        plan = parsed(ShadowStart, body) if is_shadow else parsed(AbStart, body)
        return json_answer(await api.create(plan, actor), 201)

    async def experiments(request: Request, principal: Principal) -> Response:
        operator(principal, operator_tenant)
        return json_answer(await api.experiments(limit=limit_of(request.query_params)))

    async def experiment(request: Request, principal: Principal) -> Response:
        operator(principal, operator_tenant)
        return json_answer(await api.experiment(id_of(request)))

    async def conclude(request: Request, principal: Principal) -> Response:
        actor = operator(principal, operator_tenant)
        asked = await read_model(request, ReleaseNote, _NOTE_LIMIT)
        return json_answer(await api.conclude(id_of(request), asked, actor))

    return [
        Operation(
            id="createExperiment",
            method="POST",
            path="/v1/experiments",
            tag="experiments",
            summary="Compare versions: each for a part of the traffic (ab), or beside what answers (shadow).",
            scope=Scope.ADMIN,
            handler=create,
            requests=(AbStart, ShadowStart),
            responses={201: (Experiment,)},
            errors=(ErrorCode.RELEASE_GATE_FAILED, ErrorCode.RELEASE_STATE),
            example={
                "mode": "shadow",
                "kind": "model",
                "baseline": "mapper@1.0.0",
                "treatments": [{"version": "mapper@1.1.0", "percent": 20.0}],
                "metrics": [{"name": "abstained"}, {"name": "latency_ms", "high": 1000.0}],
            },
        ),
        Operation(
            id="listExperiments",
            method="GET",
            path="/v1/experiments",
            tag="experiments",
            summary="Experiments, newest first.",
            scope=Scope.READ,
            handler=experiments,
            responses={200: (ExperimentList,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(LIMIT,),
        ),
        reading(
            "getExperiment",
            _ONE,
            "An experiment with every effect and its interval, valid however often it is looked at.",
            experiment,
            Experiment,
            "experiments",
        ),
        changing(
            "concludeExperiment",
            f"{_ONE}:conclude",
            "End an experiment; the effects stay as they are known now.",
            conclude,
            Experiment,
            "experiments",
            ReleaseNote,
        ),
    ]
