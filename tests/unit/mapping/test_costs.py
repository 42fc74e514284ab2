"""Spending adds up, budgets are watched, and nothing counts twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.costs import BudgetPeriod, BudgetRequest, OverBudget
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.mapping.costs.budgets import reached, stops_models
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.service import CostService
from llama_mapper.domain.mapping.costs.spending import (
    NANO,
    OWN_WORK,
    Amount,
    date_of,
    day_of,
    first_day,
    nanodollars,
    number_of,
)
from llama_mapper.domain.mapping.costs.uses import Use, UseKind
from tests.unit.mapping.costs.ledgers import Ledger, Sink

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
TODAY = day_of(NOON)
USE = Use(MappingStrategy.CASCADE, UseKind.ANSWERED, MappingStage.LEXICAL, 72)


def _made(ledger: Ledger) -> tuple[CostService, CostMeter, Sink]:
    sink, meter = Sink(), CostMeter(ledger, lambda: NOON)
    return CostService(ledger, meter, sink, lambda: NOON), meter, sink


def _dollars(dollars: float) -> Amount:
    return Amount(calls=1, labels=10, nanodollars=round(dollars * NANO))


async def test_what_was_gathered_is_told_before_and_after_it_is_written() -> None:
    service, meter, _ = _made(Ledger())
    for _ in range(3):
        meter.record("acme", "triton/llama3_mapper", _dollars(0.25))
        meter.record("acme", OWN_WORK, Amount(calls=1, labels=100, compute_us=500))
        meter.record("other", OWN_WORK, Amount(calls=1, labels=7))
    before = await service.report("acme", NOON.date(), NOON.date())
    await service.flush()
    after = await service.report("acme", NOON.date(), NOON.date())
    assert before == after
    assert (after.total.labels, after.total.cost, after.total.calls) == (300, 0.75, 6)
    assert after.total.cost_per_thousand_labels == pytest.approx(2.5)
    assert [line.source for line in after.lines] == [OWN_WORK, "triton/llama3_mapper"]


@given(st.lists(st.sampled_from(["record", "flush", "away", "lost", "back"]), max_size=30))
def test_whatever_the_ledger_does_every_amount_counts_once(steps: list[str]) -> None:
    import asyncio

    async def run() -> None:
        ledger = Ledger()
        _, meter, _ = _made(ledger)
        recorded = 0
        for step in steps:
            if step == "record":
                recorded += 1
                meter.record("acme", "m", Amount(calls=1))
                meter.use("acme", [(USE, 2)])
            elif step == "flush":
                await meter.flush()
            else:
                ledger.away, ledger.lost = step == "away", step == "lost"
        ledger.away = ledger.lost = False
        await meter.flush()
        await meter.flush()
        assert sum(amount.calls for amount in ledger.amounts.values()) == recorded
        assert sum(ledger.counts.values()) == 2 * recorded
        assert (meter.waiting("acme"), meter.waiting_uses("acme")) == ({}, {})

    asyncio.run(run())


def test_more_tenants_than_can_wait_are_counted_as_dropped() -> None:
    meter = CostMeter(Ledger(), lambda: NOON)
    for number in range(10_005):
        meter.record(f"t{number}", OWN_WORK, Amount(calls=1))
    assert meter.dropped == 5


async def test_each_share_of_a_budget_is_told_once() -> None:
    service, meter, sink = _made(Ledger())
    await service.set_budget("acme", BudgetRequest(limit=1.0, warn_at=(0.8, 0.5)), "anna")
    for _ in range(6):
        meter.record("acme", "m", _dollars(0.2))
        await service.flush()
    assert sink.shares == [0.5, 0.8, 1.0]
    assert [alert.share for alert in (await service.alerts("acme")).items] == [1.0, 0.8, 0.5]
    assert (await service.alerts("other")).items == ()
    budget = (await service.budget("acme")).budget
    assert budget is not None
    assert budget.used_up
    assert budget.spent == pytest.approx(1.2)


async def test_a_budget_that_stops_models_does_so_until_it_is_raised() -> None:
    service, meter, _ = _made(Ledger())
    await service.set_budget("acme", BudgetRequest(limit=1.0, when_used_up=OverBudget.STOP_MODELS), "anna")
    assert service.may_ask_models("acme")
    meter.record("acme", "m", _dollars(1.0))
    await service.flush()
    assert not service.may_ask_models("acme")
    assert service.may_ask_models("other")
    await service.set_budget("acme", BudgetRequest(limit=2.0, when_used_up=OverBudget.STOP_MODELS), "anna")
    assert service.may_ask_models("acme")
    await service.remove_budget("acme")
    assert (await service.budget("acme")).budget is None


async def test_a_new_day_begins_with_models_permitted() -> None:
    now = NOON
    ledger = Ledger()
    meter = CostMeter(ledger, lambda: now)
    service = CostService(ledger, meter, Sink(), lambda: now)
    asked = BudgetRequest(limit=1.0, period=BudgetPeriod.DAY, when_used_up=OverBudget.STOP_MODELS)
    await service.set_budget("acme", asked, "anna")
    meter.record("acme", "m", _dollars(1.0))
    await service.flush()
    assert not service.may_ask_models("acme")
    now += timedelta(days=1)
    assert service.may_ask_models("acme")
    await service.watch("acme")
    assert service.may_ask_models("acme")


@given(st.floats(0, 10), st.floats(0, 10))
def test_more_spending_never_reaches_less(one: float, other: float) -> None:
    terms = BudgetRequest(limit=5.0, warn_at=(0.3, 0.6), when_used_up=OverBudget.STOP_MODELS)
    less, more = sorted((one, other))
    assert len(reached(terms, less, NOON)) <= len(reached(terms, more, NOON))
    assert stops_models(terms, more) >= stops_models(terms, less)


@pytest.mark.parametrize(("since", "until"), [((2026, 3, 2), (2026, 3, 1)), ((2024, 1, 1), (2026, 3, 1))])
async def test_a_span_that_is_none_or_too_long_is_refused(since: tuple[int, ...], until: tuple[int, ...]) -> None:
    service, _, _ = _made(Ledger())
    with pytest.raises(ValidationError) as refused:
        await service.report("acme", date(*since), date(*until))
    assert refused.value.error_code is ErrorCode.INVALID_REQUEST


def test_days_and_periods_are_those_of_utc() -> None:
    assert date_of(TODAY) == NOON.date()
    assert number_of(NOON.date()) == TODAY
    assert date_of(first_day(BudgetPeriod.MONTH, TODAY)) == date(2026, 3, 1)
    assert first_day(BudgetPeriod.DAY, TODAY) == TODAY


def test_millionths_become_billionths_to_the_nearest() -> None:
    assert nanodollars(Decimal("1.2345")) == 1234
    assert nanodollars(Decimal("0.0005")) == 0
    assert nanodollars(Decimal("0.0016")) == 2
