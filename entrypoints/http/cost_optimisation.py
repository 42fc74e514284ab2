"""The cost optimiser over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.cost_optimisation import (
    CostOptimisation,
    CostOptimiserApi,
    RecommendationList,
    StoredRecommendation,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.costs import day_of
from llama_mapper.entrypoints.http.operations import Operation, QueryParameter

_DAYS = 30


def optimiser_operations(api: CostOptimiserApi) -> list[Operation]:
    """`/v1/costs/optimisation`, `:run` and `/v1/costs/recommendations`."""

    async def optimisation(request: Request, principal: Principal) -> Response:
        until = day_of(request, "until") or datetime.now(UTC).date()
        since = day_of(request, "since") or until - timedelta(days=_DAYS - 1)
        max_loss = _share(request, "max_loss")
        return json_answer(await api.optimisation(principal.tenant_for(None), since, until, max_loss=max_loss))

    async def run(_: Request, principal: Principal) -> Response:
        return json_answer(await api.run(principal.tenant_for(None)))

    async def recommendations(_: Request, principal: Principal) -> Response:
        return json_answer(await api.recommendations(principal.tenant_for(None)))

    day: dict[str, object] = {"type": "string", "format": "date"}
    share: dict[str, object] = {"type": "number", "minimum": 0, "maximum": 1}
    return [
        Operation(
            id="getCostOptimisation",
            method="GET",
            path="/v1/costs/optimisation",
            tag="costs",
            summary="What other ways of mapping would have cost and lost, and which is recommended.",
            scope=Scope.READ,
            handler=optimisation,
            responses={200: (CostOptimisation,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(
                QueryParameter("since", "The first day, UTC; 29 days before the last by default.", day),
                QueryParameter("until", "The last day, UTC, included; today by default.", day),
                QueryParameter("max_loss", "The share of labels that may be lost; the tenant's by default.", share),
            ),
        ),
        Operation(
            id="runCostOptimisation",
            method="POST",
            path="/v1/costs/optimisation:run",
            tag="costs",
            summary="Recommend now, keep and announce it, and apply it if the tenant's settings say so.",
            scope=Scope.ADMIN,
            handler=run,
            responses={200: (StoredRecommendation,)},
            errors=(ErrorCode.CONFLICT,),
        ),
        Operation(
            id="listCostRecommendations",
            method="GET",
            path="/v1/costs/recommendations",
            tag="costs",
            summary="What the optimiser recommended, newest first.",
            scope=Scope.READ,
            handler=recommendations,
            responses={200: (RecommendationList,)},
        ),
    ]


def _share(request: Request, name: str) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise ValidationError(f"{name} is a number from 0 to 1")
    return value
