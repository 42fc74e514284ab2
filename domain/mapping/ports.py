"""What mapping needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.contracts.mapping import MappingStage, MappingStrategy, ReviewPage, ReviewStatus
from llama_mapper.domain.mapping.cascade.cascade import CascadeAnswers, CascadeTerms
from llama_mapper.domain.mapping.labels import LabelKey


@dataclass(frozen=True, slots=True)
class UnknownLabel:
    """A label that nobody could map, and how often it was seen just now."""

    vendor: str
    vendor_version: str | None
    label: str
    occurrences: int
    suggestions: tuple[tuple[str, float], ...] = ()
    """Canonical ids that it may mean and the confidence of each, best first; at most three are kept."""


class ReviewQueue(Protocol):
    """Labels that wait for a person, by tenant."""

    async def add(self, tenant_id: str, labels: Sequence[UnknownLabel], at: datetime) -> None:
        """Queue labels; one already queued for the tenant gains occurrences and a later `last_seen`. All or none.

        Its suggestions become those of the call, where that has any. A label that was decided stays decided.
        """
        ...

    async def page(
        self,
        tenant_id: str,
        *,
        limit: int,
        cursor: str | None,
        status: ReviewStatus | None = None,
        vendor: str | None = None,
    ) -> ReviewPage:
        """A page, most recently seen first, then by id; raise `INVALID_REQUEST` for a cursor that is not ours.

        Only items of this status and of this vendor, where they are named.
        """
        ...


class UnknownLabels(Protocol):
    """Answers for labels that the catalogue does not know: a cascade, or one that releases share out."""

    @property
    def terms(self) -> CascadeTerms:
        """How labels are asked about where a call says nothing else."""
        ...

    async def answer(
        self,
        labels: Sequence[LabelKey],
        *,
        strategy: MappingStrategy | None = None,
        min_confidence: float | None = None,
        thresholds: Mapping[MappingStage, float] | None = None,
        ask_models: bool = True,
        offline: bool = False,
    ) -> CascadeAnswers:
        """See `Cascade.answer`."""
        ...
