"""Costs, budgets and alerts in a relational database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.mapping.tables import (
    COST_ALERTS,
    COST_BATCHES,
    COST_BUDGETS,
    COST_RECOMMENDATIONS,
    COSTS,
    MAPPING_USES,
)
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.cost_optimisation import StoredRecommendation
from llama_mapper.domain.contracts.costs import BudgetPeriod, BudgetRequest, CostAlert
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy
from llama_mapper.domain.mapping.costs.ports import StoredBudget
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey, date_of, day_of, number_of
from llama_mapper.domain.mapping.costs.uses import Use, UseKey, UseKind

_KEPT_DAYS = 2
"""Days after which nobody sends a batch again."""

_NO_USES: Mapping[UseKey, int] = {}
_AMOUNTS = ("calls", "labels", "prompt_tokens", "completion_tokens", "nanodollars", "compute_us")


class SqlCostLedger:
    """Keeps `CostLedger`'s promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, batch: str, tenant_id: str, amounts: Mapping[SpendingKey, Amount], uses: Mapping[UseKey, int] = _NO_USES
    ) -> None:
        """Add a tenant's amounts and uses to what is there, all or none. A batch added again changes nothing."""
        if not amounts and not uses:
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
        used = [
            {
                "tenant_id": tenant_id,
                "day": key.day,
                "strategy": key.use.strategy.value,
                "kind": key.use.kind.value,
                "stage": key.use.stage.value,
                "bucket": key.use.bucket,
                "labels": uses[key],
            }
            for key in sorted(uses)
        ]
        day = max([key.day for key in amounts] + [key.day for key in uses])
        insert = self._insert(COSTS)
        upsert = insert.on_conflict_do_update(
            index_elements=[COSTS.c.tenant_id, COSTS.c.day, COSTS.c.source],
            set_={name: COSTS.c[name] + insert.excluded[name] for name in _AMOUNTS},
        )
        use = self._insert(MAPPING_USES)
        add_uses = use.on_conflict_do_update(
            index_elements=list(MAPPING_USES.primary_key),
            set_={"labels": MAPPING_USES.c.labels + use.excluded.labels},
        )
        known = self._insert(COST_BATCHES).on_conflict_do_nothing().returning(COST_BATCHES.c.batch)
        forget = delete(COST_BATCHES).where(
            COST_BATCHES.c.tenant_id == tenant_id, COST_BATCHES.c.day < day - _KEPT_DAYS
        )
        async with self._database.writing(tenant_id) as connection:
            new = (await connection.execute(known, {"tenant_id": tenant_id, "batch": batch, "day": day})).all()
            if not new:
                return
            if rows:
                await connection.execute(upsert, rows)
            if used:
                await connection.execute(add_uses, used)
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

    async def uses(self, tenant_id: str, first_day: int, last_day: int) -> Mapping[UseKey, int]:
        """How a tenant's labels were answered in a span of days, both ends included."""
        own = select(MAPPING_USES).where(
            MAPPING_USES.c.tenant_id == tenant_id, MAPPING_USES.c.day.between(first_day, last_day)
        )
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(own)).all()
        return {
            UseKey(
                row.day,
                Use(MappingStrategy(row.strategy), UseKind(row.kind), MappingStage(row.stage), row.bucket),
            ): row.labels
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

    async def recommend(self, tenant_id: str, told: StoredRecommendation) -> bool:
        """Keep a recommendation; False if one of the same day (UTC) is there already."""
        row = {"tenant_id": tenant_id, "day": day_of(told.at), "recommendation": told.model_dump_json()}
        insert = self._insert(COST_RECOMMENDATIONS).on_conflict_do_nothing().returning(COST_RECOMMENDATIONS.c.day)
        async with self._database.writing(tenant_id) as connection:
            return bool((await connection.execute(insert, row)).all())

    async def applied(self, tenant_id: str, told: StoredRecommendation) -> None:
        """Note which version of the settings the recommendation of its day became."""
        own = (COST_RECOMMENDATIONS.c.tenant_id == tenant_id) & (COST_RECOMMENDATIONS.c.day == day_of(told.at))
        async with self._database.writing(tenant_id) as connection:
            await connection.execute(
                update(COST_RECOMMENDATIONS).where(own).values(recommendation=told.model_dump_json())
            )

    async def recommendations(self, tenant_id: str, limit: int) -> Sequence[StoredRecommendation]:
        """Recommendations of a tenant, newest first."""
        own = (
            select(COST_RECOMMENDATIONS.c.recommendation)
            .where(COST_RECOMMENDATIONS.c.tenant_id == tenant_id)
            .order_by(COST_RECOMMENDATIONS.c.day.desc())
            .limit(limit)
        )
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(own)).scalars().all()
        return [StoredRecommendation.model_validate_json(row) for row in rows]

    def _insert(self, table: Table) -> Any:
        return sqlite.insert(table) if self._database.is_sqlite else postgresql.insert(table)
