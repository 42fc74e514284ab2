"""What mapping costs: by day and source, budgets, and alerts when they are used up."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import Contract, Count, Identifier, TenantId

Dollars = Annotated[float, Field(ge=0.0, le=1e9)]
DAYS_TOLD = 400


class BudgetPeriod(StrEnum):
    """What a budget is for; periods begin at midnight UTC."""

    DAY = "day"
    MONTH = "month"


class OverBudget(StrEnum):
    """What happens when a budget is used up."""

    ALERT = "alert"
    """Nothing but the alert."""
    STOP_MODELS = "stop_models"
    """Models that cost money are not asked until the period ends; labels that only they could map abstain."""


class CostLine(Contract):
    """What one source cost a tenant on one day."""

    day: date
    source: Identifier
    """The model that was asked, or `mapping` for the work of the context itself."""
    calls: Count
    labels: Count
    prompt_tokens: Count
    completion_tokens: Count
    cost: Dollars
    """US dollars."""
    compute_time_ms: Annotated[float, Field(ge=0.0)]


class CostTotals(Contract):
    """A sum of lines."""

    calls: Count
    labels: Count
    prompt_tokens: Count
    completion_tokens: Count
    cost: Dollars
    compute_time_ms: Annotated[float, Field(ge=0.0)]
    cost_per_thousand_labels: Dollars | None
    """US dollars; null where no label was mapped."""


class CostReport(Contract):
    """What mapping cost a tenant."""

    tenant_id: TenantId
    since: date
    until: date
    """The last day, included."""
    lines: Annotated[tuple[CostLine, ...], Field(max_length=10_000)]
    """By day, then source."""
    by_source: dict[Identifier, CostTotals] = Field(max_length=256)
    total: CostTotals


class BudgetRequest(Contract):
    """A limit to set."""

    limit: Annotated[float, Field(gt=0.0, le=1e9)]
    """US dollars a period."""
    period: BudgetPeriod = BudgetPeriod.MONTH
    warn_at: Annotated[tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...], Field(max_length=8)] = (0.5, 0.8)
    """Shares of the limit at which to warn before it is used up."""
    when_used_up: OverBudget = OverBudget.ALERT


class Budget(BudgetRequest):
    """A tenant's limit, and how far it is used up."""

    tenant_id: TenantId
    set_at: datetime
    set_by: Annotated[str, Field(max_length=128)]
    spent: Dollars
    """US dollars in the running period, up to a few seconds ago."""
    used_up: bool
    period_began: date


class BudgetAnswer(Contract):
    """The tenant's budget; null where it has none."""

    budget: Budget | None


class CostAlert(Contract):
    """A share of a budget that was reached; told once a period."""

    at: datetime
    period: BudgetPeriod
    period_began: date
    share: Annotated[float, Field(gt=0.0, le=1.0)]
    """1 where the budget was used up."""
    spent: Dollars
    limit: Dollars


class CostAlertList(Contract):
    """Alerts, newest first."""

    items: Annotated[tuple[CostAlert, ...], Field(max_length=1000)]


class CostApi(Protocol):
    """What mapping costs a tenant. What was mapped in the last seconds may not be counted yet."""

    async def report(self, tenant_id: str, since: date, until: date) -> CostReport:
        """Costs from `since` to `until`, both included; raise `INVALID_REQUEST` for more than 400 days or none."""
        ...

    async def budget(self, tenant_id: str) -> BudgetAnswer:
        """The tenant's budget."""
        ...

    async def set_budget(self, tenant_id: str, asked: BudgetRequest, by: str) -> BudgetAnswer:
        """Set or replace it. In force in every process within seconds."""
        ...

    async def remove_budget(self, tenant_id: str) -> BudgetAnswer:
        """Take it away, if there is one."""
        ...

    async def alerts(self, tenant_id: str) -> CostAlertList:
        """The newest 1,000."""
        ...
