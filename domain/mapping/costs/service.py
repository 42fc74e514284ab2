"""The use cases of costs: they keep what `CostApi` promises, and watch budgets."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from llama_mapper.domain.contracts.costs import (
    DAYS_TOLD,
    Budget,
    BudgetAnswer,
    BudgetRequest,
    CostAlertList,
    CostReport,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import StoreError, ValidationError
from llama_mapper.domain.mapping.costs.budgets import reached, spent, stops_models
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.ports import AlertSink, CostLedger, StoredBudget
from llama_mapper.domain.mapping.costs.spending import (
    OWN_WORK,
    Amount,
    date_of,
    day_of,
    first_day,
    line,
    number_of,
    totals,
)

_ALERTS_TOLD = 1_000
_REMEMBERED = 10_000


class CostService:
    """Costs, budgets and alerts of tenants over a ledger, with what `meter` has gathered."""

    def __init__(self, ledger: CostLedger, meter: CostMeter, sink: AlertSink, clock: Clock) -> None:
        self._ledger = ledger
        self._meter = meter
        self._sink = sink
        self._clock = clock
        self._stopped: dict[str, tuple[int, bool]] = {}

    async def report(self, tenant_id: str, since: date, until: date) -> CostReport:
        """Costs from `since` to `until`, both included; raise `INVALID_REQUEST` for more than 400 days or none."""
        first, last = number_of(since), number_of(until)
        if not 0 <= last - first < DAYS_TOLD:
            raise ValidationError(f"name a span of 1 to {DAYS_TOLD} days, the first day first")
        amounts = dict(await self._ledger.spending(tenant_id, first, last))
        for key, amount in self._meter.waiting(tenant_id).items():
            if first <= key.day <= last:
                amounts[key] = amounts.get(key, Amount()) + amount
        by_source: dict[str, list[Amount]] = defaultdict(list)
        for key, amount in amounts.items():
            by_source[key.source].append(amount)
        labels = sum(amount.labels for amount in by_source.get(OWN_WORK, ()))
        total = totals((amount for own in by_source.values() for amount in own), labels)
        return CostReport(
            tenant_id=tenant_id,
            since=since,
            until=until,
            lines=tuple(line(key, amounts[key]) for key in sorted(amounts, key=lambda key: (key.day, key.source))),
            by_source={
                source: totals(own, sum(one.labels for one in own)) for source, own in sorted(by_source.items())
            },
            total=total.model_copy(update={"labels": labels}),
        )

    async def budget(self, tenant_id: str) -> BudgetAnswer:
        """The tenant's budget."""
        stored = await self._ledger.budget(tenant_id)
        return BudgetAnswer(budget=None if stored is None else await self._told(stored))

    async def set_budget(self, tenant_id: str, asked: BudgetRequest, by: str) -> BudgetAnswer:
        """Set or replace it. In force here at once, in every process within seconds."""
        await self._ledger.set_budget(StoredBudget(tenant_id, asked, self._clock(), by))
        await self.watch(tenant_id)
        return await self.budget(tenant_id)

    async def remove_budget(self, tenant_id: str) -> BudgetAnswer:
        """Take it away, if there is one."""
        await self._ledger.remove_budget(tenant_id)
        await self.watch(tenant_id)
        return BudgetAnswer(budget=None)

    async def alerts(self, tenant_id: str) -> CostAlertList:
        """The newest 1,000."""
        return CostAlertList(items=tuple(await self._ledger.alerts(tenant_id, _ALERTS_TOLD)))

    def may_ask_models(self, tenant_id: str) -> bool:
        """Whether the tenant's budget permits models that cost money, as last watched today; a look-up."""
        day, stopped = self._stopped.get(tenant_id, (0, False))
        return not stopped or day != day_of(self._clock())

    async def flush(self) -> tuple[str, ...]:
        """Write what was gathered, and watch the budgets of those who spent; the tenants that were written."""
        written = await self._meter.flush()
        for tenant_id in written:
            try:
                await self.watch(tenant_id)
            except StoreError:
                continue  # what was spent is written; the next flush looks again
        return written

    async def watch(self, tenant_id: str) -> None:
        """Tell what the tenant's budget has reached, and decide whether models may be asked."""
        stored = await self._ledger.budget(tenant_id)
        now = self._clock()
        if stored is None:
            self._stopped.pop(tenant_id, None)
            return
        dollars = await self._spent(stored)
        if len(self._stopped) >= _REMEMBERED:
            self._stopped.clear()
        self._stopped[tenant_id] = day_of(now), stops_models(stored.terms, dollars)
        for alert in reached(stored.terms, dollars, now):
            if await self._ledger.alert(tenant_id, alert):
                self._sink.tell(tenant_id, alert)

    async def _told(self, stored: StoredBudget) -> Budget:
        dollars = await self._spent(stored)
        return Budget(
            **dict(stored.terms),
            tenant_id=stored.tenant_id,
            set_at=stored.set_at,
            set_by=stored.set_by,
            spent=dollars,
            used_up=dollars >= stored.terms.limit,
            period_began=date_of(first_day(stored.terms.period, day_of(self._clock()))),
        )

    async def _spent(self, stored: StoredBudget) -> float:
        today = day_of(self._clock())
        began = first_day(stored.terms.period, today)
        written = await self._ledger.spending(stored.tenant_id, began, today)
        waiting = self._meter.waiting(stored.tenant_id)
        return spent([*written.values(), *(amount for key, amount in waiting.items() if key.day >= began)])
