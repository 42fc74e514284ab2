"""Spending by tenant, day and source, as whole numbers that can be added in any order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from llama_mapper.domain.contracts.costs import BudgetPeriod, CostLine, CostTotals

NANO = 1_000_000_000
OWN_WORK = "mapping"
"""The source that stands for the context's own work."""


@dataclass(frozen=True, slots=True, order=True)
class SpendingKey:
    """Whose, when (days since 1970-01-01, UTC), and for what."""

    tenant_id: str
    day: int
    source: str


@dataclass(frozen=True, slots=True)
class Amount:
    """What was used: `nanodollars` are billionths of a US dollar."""

    calls: int = 0
    labels: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    nanodollars: int = 0
    compute_us: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.calls + other.calls,
            self.labels + other.labels,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.nanodollars + other.nanodollars,
            self.compute_us + other.compute_us,
        )


def nanodollars(microdollars: Decimal) -> int:
    """Millionths of a dollar as billionths, to the nearest."""
    return int((microdollars * 1_000).to_integral_value())


def day_of(moment: datetime) -> int:
    """The day of a moment, UTC, as days since 1970-01-01."""
    return int(moment.astimezone(UTC).timestamp() // 86_400)


def date_of(day: int) -> date:
    """The calendar day of a number that `day_of` gave."""
    return datetime.fromtimestamp(day * 86_400, UTC).date()


def number_of(day: date) -> int:
    """What `day_of` gives on that day."""
    return (day - date(1970, 1, 1)).days


def first_day(period: BudgetPeriod, day: int) -> int:
    """The first day of the period that a day is in."""
    return day if period is BudgetPeriod.DAY else number_of(date_of(day).replace(day=1))


def line(key: SpendingKey, amount: Amount) -> CostLine:
    """The published form."""
    return CostLine(
        day=date_of(key.day),
        source=key.source,
        calls=amount.calls,
        labels=amount.labels,
        prompt_tokens=amount.prompt_tokens,
        completion_tokens=amount.completion_tokens,
        cost=amount.nanodollars / NANO,
        compute_time_ms=amount.compute_us / 1e3,
    )


def totals(amounts: Iterable[Amount], labels: int) -> CostTotals:
    """The sum of amounts, with its price for each thousand of `labels`."""
    total = Amount()
    for amount in amounts:
        total += amount
    cost = total.nanodollars / NANO
    return CostTotals(
        calls=total.calls,
        labels=total.labels,
        prompt_tokens=total.prompt_tokens,
        completion_tokens=total.completion_tokens,
        cost=cost,
        compute_time_ms=total.compute_us / 1e3,
        cost_per_thousand_labels=cost * 1_000 / labels if labels else None,
    )
