"""The use cases of deciding on labels."""

from __future__ import annotations

from collections.abc import Callable, Collection

from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.contracts.mapping import ReviewItem, ReviewPage, ReviewStatus
from llama_mapper.domain.contracts.reviews import (
    EXPORT_LIMIT,
    ReviewAcceptance,
    ReviewCorrection,
    ReviewDecisionNote,
    ReviewDetail,
    ReviewedLabel,
    ReviewStep,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, NotFoundError, StoreError, ValidationError
from llama_mapper.domain.mapping.reviews.ports import Decided, ReviewDecisions

_PAGE_LIMIT = 1_000

Choice = Callable[[ReviewItem], tuple[str | None, float | None]]
"""What is chosen for an item: the canonical id, and the confidence of the suggestion with it."""


class ReviewDesk:
    """Keeps `ReviewDeskApi`. What is decided reaches the overlay through the store, which every process follows."""

    def __init__(
        self, decisions: ReviewDecisions, labels: Collection[str], taxonomy_version: str, clock: Clock
    ) -> None:
        """`labels` are the ids of the taxonomy, which has this version."""
        self._decisions = decisions
        self._labels = labels
        self._taxonomy_version = taxonomy_version
        self._clock = clock

    async def page(
        self, tenant_id: str, *, limit: int, cursor: str | None, status: ReviewStatus | None, vendor: str | None
    ) -> ReviewPage:
        """See `ReviewDeskApi.page`."""
        if not 1 <= limit <= _PAGE_LIMIT:
            raise ValidationError("limit must be from 1 to 1,000")
        return await self._decisions.page(tenant_id, limit=limit, cursor=cursor, status=status, vendor=vendor)

    async def detail(self, tenant_id: str, review_id: str) -> ReviewDetail:
        """See `ReviewDeskApi.detail`."""
        item = await self._item(tenant_id, review_id)
        return ReviewDetail(item=item, decisions=tuple(await self._decisions.decisions(tenant_id, review_id)))

    async def accept(
        self, tenant_id: str, review_id: str, decision: ReviewAcceptance, curator: Curator
    ) -> ReviewDetail:
        """See `ReviewDeskApi.accept`."""

        def choose(item: ReviewItem) -> tuple[str, float]:
            for suggestion in item.suggestions:
                if decision.canonical in (None, suggestion.canonical):
                    self._require_known(suggestion.canonical)
                    return suggestion.canonical, suggestion.confidence
            raise ValidationError(
                "there is no suggestion to accept; correct it with an id of your own"
                if decision.canonical is None
                else "this id is not among the suggestions; correct it with an id of your own"
            )

        return await self._decide(
            tenant_id, review_id, ReviewStep.ACCEPTED, choose, decision.revision, decision.note, curator
        )

    async def correct(
        self, tenant_id: str, review_id: str, decision: ReviewCorrection, curator: Curator
    ) -> ReviewDetail:
        """See `ReviewDeskApi.correct`."""
        self._require_known(decision.canonical)

        def choose(item: ReviewItem) -> tuple[str, float | None]:
            suggested = {each.canonical: each.confidence for each in item.suggestions}
            return decision.canonical, suggested.get(decision.canonical)

        return await self._decide(
            tenant_id, review_id, ReviewStep.CORRECTED, choose, decision.revision, decision.note, curator
        )

    async def dismiss(
        self, tenant_id: str, review_id: str, decision: ReviewDecisionNote, curator: Curator
    ) -> ReviewDetail:
        """See `ReviewDeskApi.dismiss`."""
        return await self._decide(
            tenant_id, review_id, ReviewStep.DISMISSED, _nothing, decision.revision, decision.note, curator
        )

    async def reopen(
        self, tenant_id: str, review_id: str, decision: ReviewDecisionNote, curator: Curator
    ) -> ReviewDetail:
        """See `ReviewDeskApi.reopen`."""
        return await self._decide(
            tenant_id, review_id, ReviewStep.REOPENED, _nothing, decision.revision, decision.note, curator
        )

    async def export(self, tenant_id: str, *, after: int, limit: int) -> tuple[ReviewedLabel, ...]:
        """See `ReviewDeskApi.export`."""
        if after < 0 or not 1 <= limit <= EXPORT_LIMIT:
            raise ValidationError(f"after is 0 or more, and limit from 1 to {EXPORT_LIMIT}")
        return tuple(await self._decisions.training_labels(tenant_id, after=after, limit=limit))

    async def _decide(
        self,
        tenant_id: str,
        review_id: str,
        step: ReviewStep,
        choose: Choice,
        revision: int | None,
        note: str,
        curator: Curator,
    ) -> ReviewDetail:
        item = await self._item(tenant_id, review_id)
        if revision is not None and item.revision != revision:
            raise _conflict(f"the label has revision {item.revision} by now: somebody else has decided on it")
        if (item.status is ReviewStatus.OPEN) is (step is ReviewStep.REOPENED):
            raise _conflict(
                "the label is open already" if step is ReviewStep.REOPENED else f"the label is {item.status} already"
            )
        canonical, suggested = choose(item)
        decided = Decided(
            review_id=review_id,
            revision=item.revision,
            step=step,
            canonical=canonical,
            suggested=suggested,
            taxonomy_version=self._taxonomy_version,
            curator=curator,
            at=self._clock(),
            note=note,
        )
        if not await self._decisions.decide(tenant_id, decided):
            raise _conflict("somebody else has just decided on the label")
        return await self.detail(tenant_id, review_id)

    async def _item(self, tenant_id: str, review_id: str) -> ReviewItem:
        item = await self._decisions.get(tenant_id, review_id)
        if item is None:
            raise NotFoundError("there is no such label in the review queue")
        return item

    def _require_known(self, canonical: str) -> None:
        if canonical not in self._labels:
            raise ValidationError(f"'{canonical}' is not in the taxonomy")


def _nothing(_: ReviewItem) -> tuple[None, None]:
    return None, None


def _conflict(message: str) -> StoreError:
    return StoreError(message, ErrorCode.CONFLICT, retryable=False)
