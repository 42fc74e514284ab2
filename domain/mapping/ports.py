"""What mapping needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.contracts.mapping import ReviewPage


@dataclass(frozen=True, slots=True)
class UnknownLabel:
    """A label that nobody could map, and how often it was seen just now.

    `suggestions` are (canonical label, probability) pairs that might be right, likeliest first.
    """

    vendor: str
    vendor_version: str | None
    label: str
    occurrences: int
    suggestions: tuple[tuple[str, float], ...] = ()


class ReviewQueue(Protocol):
    """Labels that wait for a person, by tenant."""

    async def add(self, tenant_id: str, labels: Sequence[UnknownLabel], at: datetime) -> None:
        """Queue labels; one already queued for the tenant gains occurrences and a later `last_seen`. All or none."""
        ...

    async def page(self, tenant_id: str, *, limit: int, cursor: str | None) -> ReviewPage:
        """A page, most recently seen first, then by id; raise `INVALID_REQUEST` for a cursor that is not ours."""
        ...
