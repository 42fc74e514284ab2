"""What counting costs needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.contracts.cost_optimisation import StoredRecommendation
from llama_mapper.domain.contracts.costs import BudgetRequest, CostAlert
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey
from llama_mapper.domain.mapping.costs.uses import UseKey

_NO_USES: Mapping[UseKey, int] = {}


@dataclass(frozen=True, slots=True)
class StoredBudget:
    """A tenant's budget as it was set."""

    tenant_id: str
    terms: BudgetRequest
    set_at: datetime
    set_by: str


class SpendingRecords(Protocol):
    """What was spent, by tenant. Raises `STORE_UNAVAILABLE`."""

    async def spending(self, tenant_id: str, first_day: int, last_day: int) -> Mapping[SpendingKey, Amount]:
        """Amounts of a tenant in a span of days, both ends included."""
        ...


class CostLedger(SpendingRecords, Protocol):
    """Spending, budgets and alerts, by tenant."""

    async def add(
        self, batch: str, tenant_id: str, amounts: Mapping[SpendingKey, Amount], uses: Mapping[UseKey, int] = _NO_USES
    ) -> None:
        """Add a tenant's amounts and uses to what is there, all or none. A batch added again changes nothing.

        A batch without amounts and uses is none.
        """
        ...

    async def uses(self, tenant_id: str, first_day: int, last_day: int) -> Mapping[UseKey, int]:
        """How a tenant's labels were answered in a span of days, both ends included."""
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

    async def recommend(self, tenant_id: str, told: StoredRecommendation) -> bool:
        """Keep a recommendation; False if one of the same day (UTC) is there already, of whichever process."""
        ...

    async def applied(self, tenant_id: str, told: StoredRecommendation) -> None:
        """Note which version of the settings the recommendation of its day became."""
        ...

    async def recommendations(self, tenant_id: str, limit: int) -> Sequence[StoredRecommendation]:
        """Recommendations of a tenant, newest first."""
        ...


class AlertSink(Protocol):
    """Where alerts and recommendations go besides the ledger."""

    def tell(self, tenant_id: str, alert: CostAlert) -> None:
        """Tell whoever watches. Raises nothing."""
        ...

    def recommend(self, tenant_id: str, told: StoredRecommendation) -> None:
        """Tell whoever watches what the optimiser recommends. Raises nothing."""
        ...
