"""Counting without waiting: amounts gather in memory and are written in batches."""

from __future__ import annotations

from collections.abc import Mapping

from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.costs.ports import CostLedger
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey, day_of

_TENANTS_WAITING = 10_000


class CostMeter:
    """Gathers what tenants use; `flush` writes it. A kill loses what was gathered since the last flush.

    A batch that could not be written keeps its name and is written again, so that nothing counts twice. While the
    ledger is away amounts go on being added to those that wait, tenant by tenant; beyond 10,000 tenants that wait,
    those of further tenants are dropped and counted in `dropped`.
    """

    def __init__(self, ledger: CostLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._gathered: dict[str, dict[SpendingKey, Amount]] = {}
        self._sending: dict[str, tuple[str, dict[SpendingKey, Amount]]] = {}
        self.dropped = 0

    def record(self, tenant_id: str, source: str, amount: Amount) -> None:
        """Count an amount for a tenant, now."""
        key = SpendingKey(tenant_id, day_of(self._clock()), source)
        own = self._gathered.get(tenant_id)
        if own is None:
            if len(self._gathered) >= _TENANTS_WAITING:
                self.dropped += 1
                return
            own = self._gathered[tenant_id] = {}
        known = own.get(key)
        own[key] = amount if known is None else known + amount

    def waiting(self, tenant_id: str) -> Mapping[SpendingKey, Amount]:
        """What of a tenant is not known to be written yet."""
        _, sending = self._sending.get(tenant_id, ("", {}))
        together = dict(sending)
        for key, amount in self._gathered.get(tenant_id, {}).items():
            together[key] = together.get(key, Amount()) + amount
        return together

    async def flush(self) -> tuple[str, ...]:
        """Write what waits; the tenants that were written. What the ledger does not take waits on."""
        for tenant_id in [tenant for tenant in self._gathered if tenant not in self._sending]:
            self._sending[tenant_id] = new_id("batch"), self._gathered.pop(tenant_id)
        written: list[str] = []
        for tenant_id, (batch, amounts) in list(self._sending.items()):
            try:
                await self._ledger.add(batch, tenant_id, amounts)
            except StoreError:
                continue
            del self._sending[tenant_id]
            written.append(tenant_id)
        return tuple(written)
