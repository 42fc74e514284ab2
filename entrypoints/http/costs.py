"""Costs, budgets and alerts over HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.costs import BudgetAnswer, BudgetRequest, CostAlertList, CostApi, CostReport
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.operations import Operation, QueryParameter

_BODY_LIMIT = 16_384
_DAYS = 30


def cost_operations(api: CostApi) -> list[Operation]:
    """`/v1/costs`, `/v1/costs/budget` and `/v1/costs/alerts`."""

    async def report(request: Request, principal: Principal) -> Response:
        until = day_of(request, "until") or datetime.now(UTC).date()
        since = day_of(request, "since") or until - timedelta(days=_DAYS - 1)
        return json_answer(await api.report(principal.tenant_for(None), since, until))

    async def budget(_: Request, principal: Principal) -> Response:
        return json_answer(await api.budget(principal.tenant_for(None)))

    async def set_budget(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, BudgetRequest, _BODY_LIMIT)
        return json_answer(await api.set_budget(principal.tenant_for(None), asked, principal.name))

    async def remove_budget(_: Request, principal: Principal) -> Response:
        return json_answer(await api.remove_budget(principal.tenant_for(None)))

    async def alerts(_: Request, principal: Principal) -> Response:
        return json_answer(await api.alerts(principal.tenant_for(None)))

    day: dict[str, object] = {"type": "string", "format": "date"}
    return [
        Operation(
            id="getCosts",
            method="GET",
            path="/v1/costs",
            tag="costs",
            summary="What mapping cost, by day and source.",
            scope=Scope.READ,
            handler=report,
            responses={200: (CostReport,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(
                QueryParameter("since", "The first day, UTC; 29 days before the last by default.", day),
                QueryParameter("until", "The last day, UTC, included; today by default.", day),
            ),
        ),
        Operation(
            id="getBudget",
            method="GET",
            path="/v1/costs/budget",
            tag="costs",
            summary="The tenant's budget, and how far it is used up.",
            scope=Scope.READ,
            handler=budget,
            responses={200: (BudgetAnswer,)},
        ),
        Operation(
            id="setBudget",
            method="PUT",
            path="/v1/costs/budget",
            tag="costs",
            summary="Set or replace the tenant's budget.",
            scope=Scope.ADMIN,
            handler=set_budget,
            requests=(BudgetRequest,),
            responses={200: (BudgetAnswer,)},
            example={"limit": 50.0, "period": "month", "warn_at": [0.5, 0.8], "when_used_up": "stop_models"},
        ),
        Operation(
            id="removeBudget",
            method="DELETE",
            path="/v1/costs/budget",
            tag="costs",
            summary="Take the tenant's budget away.",
            scope=Scope.ADMIN,
            handler=remove_budget,
            responses={200: (BudgetAnswer,)},
        ),
        Operation(
            id="listCostAlerts",
            method="GET",
            path="/v1/costs/alerts",
            tag="costs",
            summary="Shares of budgets that were reached, newest first.",
            scope=Scope.READ,
            handler=alerts,
            responses={200: (CostAlertList,)},
        ),
    ]


def day_of(request: Request, name: str) -> date | None:
    """The query parameter as a day; None where it is absent."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text) if len(text) == 10 else _refused(name)
    except ValueError:
        return _refused(name)


def _refused(name: str) -> date:
    raise ValidationError(f"{name} is a day as YYYY-MM-DD")
