"""Counting without waiting: amounts gather in memory and are written in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.costs.ports import CostLedger
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey, day_of
from llama_mapper.domain.mapping.costs.uses import Use, UseKey

_TENANTS_WAITING = 10_000


@dataclass(slots=True)
class _Gathered:
    """One tenant's amounts and uses."""

    amounts: dict[SpendingKey, Amount] = field(default_factory=dict)
    uses: dict[UseKey, int] = field(default_factory=dict)


class CostMeter:
    """Gathers what tenants use; `flush` writes it. A kill loses what was gathered since the last flush.

    A batch that could not be written keeps its name and is written again, so that nothing counts twice. While the
    ledger is away amounts go on being added to those that wait, tenant by tenant; beyond 10,000 tenants that wait,
    those of further tenants are dropped and counted in `dropped`.
    """

    def __init__(self, ledger: CostLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._gathered: dict[str, _Gathered] = {}
        self._sending: dict[str, tuple[str, _Gathered]] = {}
        self.dropped = 0

    def record(self, tenant_id: str, source: str, amount: Amount) -> None:
        """Count an amount for a tenant, now."""
        own = self._of(tenant_id)
        if own is None:
            self.dropped += 1
            return
        key = SpendingKey(tenant_id, day_of(self._clock()), source)
        known = own.amounts.get(key)
        own.amounts[key] = amount if known is None else known + amount

    def use(self, tenant_id: str, uses: Iterable[tuple[Use, int]]) -> None:
        """Count how labels of a tenant were answered, now."""
        own = self._of(tenant_id)
        if own is None:
            return
        day = day_of(self._clock())
        for use, labels in uses:
            if labels:
                key = UseKey(day, use)
                own.uses[key] = own.uses.get(key, 0) + labels

    def waiting(self, tenant_id: str) -> Mapping[SpendingKey, Amount]:
        """What of a tenant is not known to be written yet."""
        together: dict[SpendingKey, Amount] = {}
        for part in self._parts(tenant_id):
            for key, amount in part.amounts.items():
                together[key] = together.get(key, Amount()) + amount
        return together

    def waiting_uses(self, tenant_id: str) -> Mapping[UseKey, int]:
        """How labels were answered, as far as it is not known to be written yet."""
        together: dict[UseKey, int] = {}
        for part in self._parts(tenant_id):
            for key, labels in part.uses.items():
                together[key] = together.get(key, 0) + labels
        return together

    async def flush(self) -> tuple[str, ...]:
        """Write what waits; the tenants that were written. What the ledger does not take waits on."""
        for tenant_id in [tenant for tenant in self._gathered if tenant not in self._sending]:
            self._sending[tenant_id] = new_id("batch"), self._gathered.pop(tenant_id)
        written: list[str] = []
        for tenant_id, (batch, gathered) in list(self._sending.items()):
            try:
                await self._ledger.add(batch, tenant_id, gathered.amounts, gathered.uses)
            except StoreError:
                continue
            del self._sending[tenant_id]
            written.append(tenant_id)
        return tuple(written)

    def _of(self, tenant_id: str) -> _Gathered | None:
        own = self._gathered.get(tenant_id)
        if own is None and len(self._gathered) < _TENANTS_WAITING:
            own = self._gathered[tenant_id] = _Gathered()
        return own

    def _parts(self, tenant_id: str) -> Iterable[_Gathered]:
        if tenant_id in self._sending:
            yield self._sending[tenant_id][1]
        if tenant_id in self._gathered:
            yield self._gathered[tenant_id]
