"""What analysis needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What one assessment adds to a tenant's history: how many upheld findings of each risk category.

    `counts` is empty for an assessment that found nothing; it still counts as an assessment.
    """

    tenant_id: str
    request_id: str
    at: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class HistoryWindow:
    """A tenant's history between two moments, aggregated by the store.

    Days and hours are UTC. `daily` is category → day → findings; `hourly` is category → findings in each of the 24
    hours of the day; `present` is category → assessments that have it; `together` is an alphabetically ordered pair
    of categories → assessments that have both; `assessments_daily` is day → assessments.
    """

    since: datetime
    until: datetime
    assessments: int = 0
    assessments_daily: Mapping[date, int] = field(default_factory=dict)
    daily: Mapping[str, Mapping[date, int]] = field(default_factory=dict)
    hourly: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    present: Mapping[str, int] = field(default_factory=dict)
    together: Mapping[tuple[str, str], int] = field(default_factory=dict)


class FindingHistory(Protocol):
    """Labels and times of past findings, by tenant; never text."""

    async def record(self, entries: Sequence[HistoryEntry]) -> None:
        """Add entries; all or none. The same tenant and `request_id` again changes nothing."""
        ...

    async def window(self, tenant_id: str, since: datetime, until: datetime) -> HistoryWindow:
        """The tenant's history with `since <= at < until`."""
        ...
