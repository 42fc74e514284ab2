"""Budgets: what is reached, and whether models may still be asked. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from llama_mapper.domain.contracts.costs import BudgetRequest, CostAlert, OverBudget
from llama_mapper.domain.mapping.costs.spending import NANO, Amount, date_of, day_of, first_day


def spent(amounts: Iterable[Amount]) -> float:
    """US dollars."""
    return sum(amount.nanodollars for amount in amounts) / NANO


def reached(terms: BudgetRequest, dollars: float, at: datetime) -> tuple[CostAlert, ...]:
    """An alert for each share of the budget that `dollars` reach, least first; the whole budget is share 1."""
    began = first_day(terms.period, day_of(at))
    return tuple(
        CostAlert(
            at=at, period=terms.period, period_began=date_of(began), share=share, spent=dollars, limit=terms.limit
        )
        for share in sorted({*terms.warn_at, 1.0})
        if dollars >= share * terms.limit
    )


def stops_models(terms: BudgetRequest, dollars: float) -> bool:
    """Whether models that cost money are not to be asked."""
    return terms.when_used_up is OverBudget.STOP_MODELS and dollars >= terms.limit
