"""`CostLedger`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from llama_mapper.adapters.mapping.sql_costs import SqlCostLedger
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.cost_optimisation import Recommendation, StoredRecommendation
from llama_mapper.domain.contracts.costs import BudgetPeriod, BudgetRequest, CostAlert, OverBudget
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy
from llama_mapper.domain.mapping.costs.ports import CostLedger, StoredBudget
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey, date_of, day_of
from llama_mapper.domain.mapping.costs.uses import Use, UseKey, UseKind
from tests.support.loops import LoopThread
from tests.support.store_machines import TENANTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
TODAY = day_of(NOON)
USE = Use(MappingStrategy.CASCADE, UseKind.ANSWERED, MappingStage.LEXICAL, 72)
SOME = Amount(1, 2, 3, 4, 5, 6)


@pytest.fixture
async def ledger(fresh: Fresh) -> CostLedger:
    return SqlCostLedger(await fresh("mapping"))


async def test_batches_add_up_and_one_sent_again_changes_nothing(ledger: CostLedger) -> None:
    key, other = SpendingKey("acme", TODAY, "m"), SpendingKey("acme", TODAY - 1, "n")
    for batch in ("one", "two", "one"):
        await ledger.add(batch, "acme", {key: SOME, other: SOME})
    assert await ledger.spending("acme", TODAY - 1, TODAY) == {key: SOME + SOME, other: SOME + SOME}
    assert await ledger.spending("acme", TODAY, TODAY) == {key: SOME + SOME}
    assert await ledger.spending("beta", 0, TODAY) == {}


async def test_the_same_batch_from_two_processes_at_once_counts_once(ledger: CostLedger) -> None:
    key = SpendingKey("acme", TODAY, "m")
    await asyncio.gather(*[ledger.add("one", "acme", {key: SOME}) for _ in range(5)])
    assert await ledger.spending("acme", TODAY, TODAY) == {key: SOME}


async def test_a_batch_of_one_tenant_is_not_the_same_as_anothers(ledger: CostLedger) -> None:
    for tenant in ("acme", "beta"):
        await ledger.add("one", tenant, {SpendingKey(tenant, TODAY, "m"): SOME})
        assert len(await ledger.spending(tenant, TODAY, TODAY)) == 1


async def test_uses_add_up_with_their_batch_and_are_their_tenants_alone(ledger: CostLedger) -> None:
    key, other = UseKey(TODAY, USE), UseKey(TODAY - 1, USE._replace(bucket=100))
    for batch in ("one", "two", "one"):
        await ledger.add(batch, "acme", {SpendingKey("acme", TODAY, "m"): SOME}, {key: 3, other: 1})
    await ledger.add("three", "acme", {}, {key: 1})
    assert await ledger.uses("acme", TODAY - 1, TODAY) == {key: 7, other: 2}
    assert await ledger.uses("acme", TODAY, TODAY) == {key: 7}
    assert await ledger.uses("beta", 0, TODAY) == {}


async def test_a_recommendation_is_kept_once_a_day_and_notes_what_it_became(ledger: CostLedger) -> None:
    def told(days: int, **changes: object) -> StoredRecommendation:
        at = NOON + timedelta(days=days)
        advised = Recommendation(forecast="cascade@0.70", change=True, reason="cheaper", saving=1.5)
        fields = {"at": at, "since": at.date(), "until": at.date(), "labels": 9, "cost": 2.0, "recommendation": advised}
        return StoredRecommendation.model_validate({**fields, **changes})

    assert sorted(await asyncio.gather(*[ledger.recommend("acme", told(0)) for _ in range(3)])) == [False, False, True]
    assert await ledger.recommend("acme", told(1))
    assert await ledger.recommend("beta", told(0))
    await ledger.applied("acme", told(1, applied_version=4))
    assert await ledger.recommendations("acme", 9) == [told(1, applied_version=4), told(0)]
    assert await ledger.recommendations("acme", 1) == [told(1, applied_version=4)]
    assert await ledger.recommendations("beta", 9) == [told(0)]


async def test_a_budget_is_replaced_and_removed(ledger: CostLedger) -> None:
    assert await ledger.budget("acme") is None
    terms = BudgetRequest(limit=1.0, period=BudgetPeriod.DAY, warn_at=(), when_used_up=OverBudget.STOP_MODELS)
    for limit in (1.0, 2.0):
        budget = StoredBudget("acme", terms.model_copy(update={"limit": limit}), NOON, "anna")
        await ledger.set_budget(budget)
        assert await ledger.budget("acme") == budget
    assert await ledger.budget("beta") is None
    for _ in range(2):
        await ledger.remove_budget("acme")
        assert await ledger.budget("acme") is None


async def test_an_alert_is_kept_once_a_period_and_share(ledger: CostLedger) -> None:
    def alert(share: float, day: int = TODAY) -> CostAlert:
        return CostAlert(at=NOON, period=BudgetPeriod.DAY, period_began=date_of(day), share=share, spent=1.0, limit=2.0)

    assert await ledger.alert("acme", alert(0.5))
    assert not await ledger.alert("acme", alert(0.5))
    assert await ledger.alert("acme", alert(0.5, TODAY + 1))
    assert await ledger.alert("acme", alert(1.0))
    assert await ledger.alert("beta", alert(0.5))
    assert [one.share for one in await ledger.alerts("acme", 2)] == [1.0, 0.5]
    assert len(await ledger.alerts("acme", 10)) == 3


class LedgerMachine(StoreMachine):
    """Batches in any order, some of them again, against plain sums."""

    context = "mapping"

    def __init__(self) -> None:
        super().__init__()
        self.ledger = SqlCostLedger(self.database)
        self.sums: dict[SpendingKey, Amount] = {}
        self.sent: dict[tuple[str, str], None] = {}

    @rule(tenant=TENANTS, batch=st.integers(0, 5), day=st.integers(0, 2), source=st.sampled_from("mn"))
    def add(self, tenant: str, batch: int, day: int, source: str) -> None:
        """Add a batch, perhaps for the second time."""
        key = SpendingKey(tenant, TODAY + day, source)
        self.do(self.ledger.add(str(batch), tenant, {key: SOME}))
        if (tenant, str(batch)) not in self.sent:
            self.sent[tenant, str(batch)] = None
            self.sums[key] = self.sums.get(key, Amount()) + SOME

    @rule(tenant=TENANTS)
    def read(self, tenant: str) -> None:
        """A tenant sees its own sums and no others."""
        own = {key: amount for key, amount in self.sums.items() if key.tenant_id == tenant}
        assert self.do(self.ledger.spending(tenant, TODAY, TODAY + 2)) == own


def test_any_sequence_of_batches_adds_up(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(LedgerMachine, place, loop_thread)
