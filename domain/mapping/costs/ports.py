"""What counting costs needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.contracts.costs import BudgetRequest, CostAlert
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey


@dataclass(frozen=True, slots=True)
class StoredBudget:
    """A tenant's budget as it was set."""

    tenant_id: str
    terms: BudgetRequest
    set_at: datetime
    set_by: str


class CostLedger(Protocol):
    """Spending, budgets and alerts, by tenant."""

    async def add(self, batch: str, tenant_id: str, amounts: Mapping[SpendingKey, Amount]) -> None:
        """Add a tenant's amounts to what is there, all or none. The same batch added again changes nothing."""
        ...

    async def spending(self, tenant_id: str, first_day: int, last_day: int) -> Mapping[SpendingKey, Amount]:
        """Amounts of a tenant in a span of days, both ends included."""
        ...

    async def set_budget(self, budget: StoredBudget) -> None:
        """Set or replace a tenant's budget."""
        ...

    async def remove_budget(self, tenant_id: str) -> None:
        """Take a tenant's budget away, if there is one."""
        ...

    async def budget(self, tenant_id: str) -> StoredBudget | None:
        """A tenant's budget."""
        ...

    async def alert(self, tenant_id: str, alert: CostAlert) -> bool:
        """Keep an alert; False if the same period and share was told already, by whichever process."""
        ...

    async def alerts(self, tenant_id: str, limit: int) -> Sequence[CostAlert]:
        """Alerts of a tenant, newest first."""
        ...


class AlertSink(Protocol):
    """Where alerts go besides the ledger."""

    def tell(self, tenant_id: str, alert: CostAlert) -> None:
        """Tell whoever watches. Raises nothing."""
        ...
