"""A small review queue that keeps the port's promise, for the mapping service's tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from llama_mapper.domain.contracts.mapping import ReviewItem, ReviewPage, ReviewStatus
from llama_mapper.domain.kernel.errors import StoreError, ValidationError
from llama_mapper.domain.mapping.ports import UnknownLabel


class ListReviewQueue:
    """Keeps labels in a dict by tenant, vendor, version and label. `calls` counts what `add` was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[UnknownLabel, ...]]] = []
        self._items: dict[tuple[str, str, str | None, str], tuple[UnknownLabel, datetime, datetime]] = {}

    async def add(self, tenant_id: str, labels: Sequence[UnknownLabel], at: datetime) -> None:
        """Queue labels."""
        self.calls.append((tenant_id, tuple(labels)))
        for label in labels:
            key = (tenant_id, label.vendor, label.vendor_version, label.label)
            known, first, last = self._items.get(key, (replace(label, occurrences=0), at, at))
            total = known.occurrences + label.occurrences
            self._items[key] = (replace(label, occurrences=total), first, max(at, last))

    async def page(
        self,
        tenant_id: str,
        *,
        limit: int,
        cursor: str | None,
        status: ReviewStatus | None = None,
        vendor: str | None = None,
    ) -> ReviewPage:
        """A page; the cursor is a position. Every label is open."""
        if cursor is not None and not cursor.isdigit():
            raise ValidationError("the cursor is not ours")
        start = int(cursor or 0)
        items = [
            ReviewItem(
                id=f"rev_{position}",
                tenant_id=tenant_id,
                vendor=label.vendor,
                vendor_version=label.vendor_version,
                label=label.label,
                occurrences=label.occurrences,
                first_seen=first,
                last_seen=last,
                status=ReviewStatus.OPEN,
            )
            for position, ((owner, *_), (label, first, last)) in enumerate(self._items.items())
            if owner == tenant_id and vendor in (None, label.vendor) and status in (None, ReviewStatus.OPEN)
        ]
        items.sort(key=lambda item: (-item.last_seen.timestamp(), item.id))
        after = start + limit
        return ReviewPage(items=tuple(items[start:after]), next_cursor=str(after) if after < len(items) else None)


class FullReviewQueue(ListReviewQueue):
    """A queue whose store is down."""

    async def add(self, tenant_id: str, labels: Sequence[UnknownLabel], at: datetime) -> None:
        """Refuse."""
        raise StoreError("the review queue is down")
