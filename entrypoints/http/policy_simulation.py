"""Simulating a policy over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.policy_simulation import PolicySimulation, PolicySimulationRequest
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.operations import TENANT_PARAMETER, Operation
from llama_mapper.entrypoints.policy_simulation import PolicySimulator


def policy_simulation_operations(simulator: PolicySimulator, body_limit: int) -> list[Operation]:
    """`POST /v1/policies/{bundle}/versions/{version}:simulate`."""

    async def simulate(request: Request, principal: Principal) -> Response:
        tenant_id = principal.tenant_for(request.query_params.get("tenant_id"))
        asked = await read_model(request, PolicySimulationRequest, body_limit)
        where = request.path_params
        return json_answer(await simulator.simulate_version(tenant_id, where["bundle"], where["version"], asked.limit))

    return [
        Operation(
            id="simulatePolicy",
            method="POST",
            path="/v1/policies/{bundle}/versions/{version}:simulate",
            tag="policies",
            summary="What a policy would have decided of the tenant's newest records.",
            scope=Scope.ADMIN,
            handler=simulate,
            requests=(PolicySimulationRequest,),
            responses={200: (PolicySimulation,)},
            errors=(ErrorCode.POLICY_NOT_FOUND, ErrorCode.POLICY_INVALID, ErrorCode.SERVICE_UNAVAILABLE),
            query=(TENANT_PARAMETER,),
            example={"limit": 1000},
        )
    ]
