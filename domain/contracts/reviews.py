"""The contract of deciding on labels that nobody could map."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import (
    CanonicalId,
    Contract,
    Count,
    Identifier,
    Label,
    Score,
    ShortText,
    VersionText,
)
from llama_mapper.domain.contracts.curation import Curator, Role
from llama_mapper.domain.contracts.mapping import ReviewItem, ReviewPage, ReviewStatus
from llama_mapper.domain.contracts.policies import Door, Note

EXPORT_LIMIT = 10_000


class ReviewStep(StrEnum):
    """What a person did with a label."""

    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    DISMISSED = "dismissed"
    REOPENED = "reopened"


class ReviewAcceptance(Contract):
    """Take a suggestion."""

    canonical: CanonicalId | None = None
    """Which of the suggestions; null: the first."""
    revision: Count | None = None
    """The revision that the person saw; the decision is refused if there is another by now."""
    note: Note = ""


class ReviewCorrection(Contract):
    """Give the canonical id."""

    canonical: CanonicalId
    revision: Count | None = None
    """The revision that the person saw; the decision is refused if there is another by now."""
    note: Note = ""


class ReviewDecisionNote(Contract):
    """Say that the label is none of a risk, or take a decision back."""

    revision: Count | None = None
    """The revision that the person saw; the decision is refused if there is another by now."""
    note: Note = ""


class ReviewDecision(Contract):
    """One decision about a label; never changed and never deleted."""

    number: Count
    """The item's revision after it, from 1."""
    step: ReviewStep
    canonical: CanonicalId | None
    """What the label means from now on; null where it was dismissed or reopened."""
    suggested: Score | None = None
    """The confidence of the suggestion with this id, where there was one."""
    who: ShortText
    role: Role
    door: Door
    keyless: bool
    at: datetime
    note: ShortText = ""


class ReviewDetail(Contract):
    """A label, and every decision about it, oldest first."""

    item: ReviewItem
    decisions: Annotated[tuple[ReviewDecision, ...], Field(max_length=1000)]


class ReviewedLabel(Contract):
    """One decided label as training data. It names a role, and nobody."""

    vendor: Identifier
    vendor_version: VersionText | None
    label: Label
    canonical: CanonicalId | None
    """Null: no label of a risk."""
    decision: ReviewStatus
    suggestions: Annotated[tuple[CanonicalId, ...], Field(max_length=3)] = ()
    decided_at: datetime
    reviewer: Role
    taxonomy_version: VersionText
    position: Count
    """Grows with each decision of the tenant; ask for labels after it to read on."""


class ReviewDeskApi(Protocol):
    """Decisions on a tenant's review queue.

    Raises `NOT_FOUND` for an item that the tenant does not have, `CONFLICT` if it is not open (or, to be reopened, is)
    or has another revision than the one named, `INVALID_REQUEST` for an id that is not in the taxonomy or not among
    the suggestions. What is decided counts in every process within two seconds.
    """

    async def page(
        self, tenant_id: str, *, limit: int, cursor: str | None, status: ReviewStatus | None, vendor: str | None
    ) -> ReviewPage:
        """See `MappingApi.reviews`."""
        ...

    async def detail(self, tenant_id: str, review_id: str) -> ReviewDetail:
        """One item with its decisions."""
        ...

    async def accept(
        self, tenant_id: str, review_id: str, decision: ReviewAcceptance, curator: Curator
    ) -> ReviewDetail:
        """Take one of the suggestions: the label joins the tenant's overlay."""
        ...

    async def correct(
        self, tenant_id: str, review_id: str, decision: ReviewCorrection, curator: Curator
    ) -> ReviewDetail:
        """Give the canonical id: the label joins the tenant's overlay."""
        ...

    async def dismiss(
        self, tenant_id: str, review_id: str, decision: ReviewDecisionNote, curator: Curator
    ) -> ReviewDetail:
        """Say that it is no label of a risk: it goes on abstaining, and waits for nobody."""
        ...

    async def reopen(
        self, tenant_id: str, review_id: str, decision: ReviewDecisionNote, curator: Curator
    ) -> ReviewDetail:
        """Take the decision back: the label leaves the overlay and waits again."""
        ...

    async def export(self, tenant_id: str, *, after: int, limit: int) -> tuple[ReviewedLabel, ...]:
        """Decided labels by position, those after `after`; `limit` is 1 to 10,000."""
        ...
