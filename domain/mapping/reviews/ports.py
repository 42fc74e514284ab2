"""What deciding on labels needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.contracts.mapping import ReviewItem
from llama_mapper.domain.contracts.reviews import ReviewDecision, ReviewedLabel, ReviewStep
from llama_mapper.domain.mapping.ports import ReviewQueue


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about the item as it was at `revision`."""

    review_id: str
    revision: int
    step: ReviewStep
    canonical: str | None
    suggested: float | None
    taxonomy_version: str
    curator: Curator
    at: datetime
    note: str


class ReviewDecisions(ReviewQueue, Protocol):
    """The queue, and what was decided. Decisions are never changed and never deleted."""

    async def get(self, tenant_id: str, review_id: str) -> ReviewItem | None:
        """The tenant's item with this id, or None."""
        ...

    async def decisions(self, tenant_id: str, review_id: str) -> Sequence[ReviewDecision]:
        """Every decision about it, oldest first, at most the last 1,000."""
        ...

    async def decide(self, tenant_id: str, decided: Decided) -> bool:
        """Record the decision and put it in force, both or neither; False if the item has another revision by now."""
        ...

    async def training_labels(self, tenant_id: str, *, after: int, limit: int) -> Sequence[ReviewedLabel]:
        """Labels that are decided, by position, those after `after`."""
        ...
