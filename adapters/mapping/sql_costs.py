"""Costs, budgets and alerts in a relational database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.mapping.tables import COST_ALERTS, COST_BATCHES, COST_BUDGETS, COSTS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.costs import BudgetPeriod, BudgetRequest, CostAlert
from llama_mapper.domain.mapping.costs.ports import StoredBudget
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey, date_of, number_of

_KEPT_DAYS = 2
"""Days after which nobody sends a batch again."""

_AMOUNTS = ("calls", "labels", "prompt_tokens", "completion_tokens", "nanodollars", "compute_us")


class SqlCostLedger:
    """Keeps `CostLedger`'s promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, batch: str, tenant_id: str, amounts: Mapping[SpendingKey, Amount]) -> None:
        """Add a tenant's amounts to what is there, all or none. The same batch added again changes nothing."""
        if not amounts:
            return
        rows = [
            {
                "tenant_id": tenant_id,
                "day": key.day,
                "source": key.source,
                **{name: getattr(amounts[key], name) for name in _AMOUNTS},
            }
            for key in sorted(amounts)  # in one order for everybody, so that nobody waits for another's rows
        ]
        day = max(key.day for key in amounts)
        insert = self._insert(COSTS)
        upsert = insert.on_conflict_do_update(
            index_elements=[COSTS.c.tenant_id, COSTS.c.day, COSTS.c.source],
            set_={name: COSTS.c[name] + insert.excluded[name] for name in _AMOUNTS},
        )
        known = self._insert(COST_BATCHES).on_conflict_do_nothing().returning(COST_BATCHES.c.batch)
        forget = delete(COST_BATCHES).where(
            COST_BATCHES.c.tenant_id == tenant_id, COST_BATCHES.c.day < day - _KEPT_DAYS
        )
        async with self._database.writing(tenant_id) as connection:
            new = (await connection.execute(known, {"tenant_id": tenant_id, "batch": batch, "day": day})).all()
            if not new:
                return
            await connection.execute(upsert, rows)
            await connection.execute(forget)

    async def spending(self, tenant_id: str, first_day: int, last_day: int) -> Mapping[SpendingKey, Amount]:
        """Amounts of a tenant in a span of days, both ends included."""
        own = select(COSTS).where(COSTS.c.tenant_id == tenant_id, COSTS.c.day.between(first_day, last_day))
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(own)).mappings().all()
        return {
            SpendingKey(tenant_id, row["day"], row["source"]): Amount(**{name: row[name] for name in _AMOUNTS})
            for row in rows
        }

    async def set_budget(self, budget: StoredBudget) -> None:
        """Set or replace a tenant's budget."""
        row = {
            "tenant_id": budget.tenant_id,
            "terms": budget.terms.model_dump_json(),
            "set_at": budget.set_at,
            "set_by": budget.set_by,
        }
        insert = self._insert(COST_BUDGETS)
        upsert = insert.on_conflict_do_update(
            index_elements=[COST_BUDGETS.c.tenant_id],
            set_={name: insert.excluded[name] for name in ("terms", "set_at", "set_by")},
        )
        async with self._database.writing(budget.tenant_id) as connection:
            await connection.execute(upsert, row)

    async def remove_budget(self, tenant_id: str) -> None:
        """Take a tenant's budget away, if there is one."""
        async with self._database.writing(tenant_id) as connection:
            await connection.execute(delete(COST_BUDGETS).where(COST_BUDGETS.c.tenant_id == tenant_id))

    async def budget(self, tenant_id: str) -> StoredBudget | None:
        """A tenant's budget."""
        own = select(COST_BUDGETS).where(COST_BUDGETS.c.tenant_id == tenant_id)
        async with self._database.reading(tenant_id) as connection:
            row = (await connection.execute(own)).mappings().one_or_none()
        if row is None:
            return None
        return StoredBudget(tenant_id, BudgetRequest.model_validate_json(row["terms"]), row["set_at"], row["set_by"])

    async def alert(self, tenant_id: str, alert: CostAlert) -> bool:
        """Keep an alert; False if the same period and share was told already, by whichever process."""
        row = {
            "tenant_id": tenant_id,
            "period": alert.period.value,
            "period_began": number_of(alert.period_began),
            "share": alert.share,
            "at": alert.at,
            "spent": alert.spent,
            "limit_usd": alert.limit,
        }
        insert = self._insert(COST_ALERTS).on_conflict_do_nothing().returning(COST_ALERTS.c.share)
        async with self._database.writing(tenant_id) as connection:
            return bool((await connection.execute(insert, row)).all())

    async def alerts(self, tenant_id: str, limit: int) -> Sequence[CostAlert]:
        """Alerts of a tenant, newest first."""
        own = (
            select(COST_ALERTS)
            .where(COST_ALERTS.c.tenant_id == tenant_id)
            .order_by(COST_ALERTS.c.at.desc(), COST_ALERTS.c.share.desc())
            .limit(limit)
        )
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(own)).mappings().all()
        return [
            CostAlert(
                at=row["at"],
                period=BudgetPeriod(row["period"]),
                period_began=date_of(row["period_began"]),
                share=row["share"],
                spent=row["spent"],
                limit=row["limit_usd"],
            )
            for row in rows
        ]

    def _insert(self, table: Table) -> Any:
        return sqlite.insert(table) if self._database.is_sqlite else postgresql.insert(table)
