"""A ledger in memory whose faults can be chosen, and a sink that remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_mapper.domain.contracts.cost_optimisation import StoredRecommendation
from llama_mapper.domain.contracts.costs import CostAlert
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.costs.ports import StoredBudget
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey
from llama_mapper.domain.mapping.costs.uses import UseKey

_NO_USES: Mapping[UseKey, int] = {}


class Ledger:
    """A ledger whose faults can be chosen: `away` before anything is written, `lost` after."""

    def __init__(self) -> None:
        self.amounts: dict[SpendingKey, Amount] = {}
        self.counts: dict[tuple[str, UseKey], int] = {}
        self.batches: set[tuple[str, str]] = set()
        self.budgets: dict[str, StoredBudget] = {}
        self.told: list[tuple[str, CostAlert]] = []
        self.advised: dict[str, list[StoredRecommendation]] = {}
        self.away = False
        self.lost = False

    async def add(
        self, batch: str, tenant_id: str, amounts: Mapping[SpendingKey, Amount], uses: Mapping[UseKey, int] = _NO_USES
    ) -> None:
        if self.away:
            raise StoreError("away")
        if (tenant_id, batch) not in self.batches:
            self.batches.add((tenant_id, batch))
            for key, amount in amounts.items():
                self.amounts[key] = self.amounts.get(key, Amount()) + amount
            for use, labels in uses.items():
                self.counts[tenant_id, use] = self.counts.get((tenant_id, use), 0) + labels
        if self.lost:
            raise StoreError("nobody knows")

    async def spending(self, tenant_id: str, first_day: int, last_day: int) -> Mapping[SpendingKey, Amount]:
        own = self.amounts.items()
        return {key: each for key, each in own if key.tenant_id == tenant_id and first_day <= key.day <= last_day}

    async def uses(self, tenant_id: str, first_day: int, last_day: int) -> Mapping[UseKey, int]:
        own = self.counts.items()
        return {key: each for (owner, key), each in own if owner == tenant_id and first_day <= key.day <= last_day}

    async def set_budget(self, budget: StoredBudget) -> None:
        self.budgets[budget.tenant_id] = budget

    async def remove_budget(self, tenant_id: str) -> None:
        self.budgets.pop(tenant_id, None)

    async def budget(self, tenant_id: str) -> StoredBudget | None:
        return self.budgets.get(tenant_id)

    async def alert(self, tenant_id: str, alert: CostAlert) -> bool:
        known = {(tenant, told.period_began, told.share) for tenant, told in self.told}
        if (tenant_id, alert.period_began, alert.share) in known:
            return False
        self.told.append((tenant_id, alert))
        return True

    async def alerts(self, tenant_id: str, limit: int) -> Sequence[CostAlert]:
        return [alert for tenant, alert in reversed(self.told) if tenant == tenant_id][:limit]

    async def recommend(self, tenant_id: str, told: StoredRecommendation) -> bool:
        own = self.advised.setdefault(tenant_id, [])
        if any(each.at.date() == told.at.date() for each in own):
            return False
        own.insert(0, told)
        return True

    async def applied(self, tenant_id: str, told: StoredRecommendation) -> None:
        own = self.advised[tenant_id]
        own[:] = [told if each.at.date() == told.at.date() else each for each in own]

    async def recommendations(self, tenant_id: str, limit: int) -> Sequence[StoredRecommendation]:
        return self.advised.get(tenant_id, [])[:limit]


class Sink:
    def __init__(self) -> None:
        self.shares: list[float] = []
        self.recommended: list[StoredRecommendation] = []

    def tell(self, tenant_id: str, alert: CostAlert) -> None:
        self.shares.append(alert.share)

    def recommend(self, tenant_id: str, told: StoredRecommendation) -> None:
        self.recommended.append(told)
