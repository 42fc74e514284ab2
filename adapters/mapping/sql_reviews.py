"""Labels that wait for a person, in a relational database."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, case, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.mapping.sql_catalogue_documents import curator_columns, curator_of
from llama_mapper.adapters.mapping.tables import REVIEW_DECISIONS, REVIEW_LABELS
from llama_mapper.adapters.mapping.tenant_changes import next_position
from llama_mapper.adapters.platform.columns import from_microseconds, to_microseconds
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.mapping import ReviewItem, ReviewPage, ReviewStatus, Suggestion
from llama_mapper.domain.contracts.reviews import ReviewDecision, ReviewedLabel, ReviewStep
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.ports import UnknownLabel
from llama_mapper.domain.mapping.reviews.ports import Decided

_PAGE_LIMIT = 1_000
_SUGGESTIONS = 3
NO_SUGGESTIONS = "[]"
_CURSOR = re.compile(r"1:([0-9]{1,18}):(review_[0-9a-z]{26})", re.ASCII)


class SqlReviewQueue:
    """Keeps the promises of `ReviewQueue` and `ReviewDecisions` on SQLite and PostgreSQL.

    A cursor names the last item of its page: labels queued later do not shift what follows. A label that is seen again
    while somebody pages moves to the front, which a new first page shows.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        added = sqlite.insert(REVIEW_LABELS) if database.is_sqlite else postgresql.insert(REVIEW_LABELS)
        old, new = REVIEW_LABELS.c, added.excluded
        self._upsert = added.on_conflict_do_update(
            index_elements=[old.tenant_id, old.vendor, old.vendor_version, old.label],
            set_={
                "occurrences": old.occurrences + new.occurrences,
                "last_seen": case((new.last_seen > old.last_seen, new.last_seen), else_=old.last_seen),
                "suggestions": case((new.suggestions != NO_SUGGESTIONS, new.suggestions), else_=old.suggestions),
            },
        )

    async def add(self, tenant_id: str, labels: Sequence[UnknownLabel], at: datetime) -> None:
        """Queue labels; one already queued for the tenant gains occurrences and a later `last_seen`. All or none."""
        seen = Counter[tuple[str, str, str]]()
        suggested: dict[tuple[str, str, str], str] = {}
        for label in labels:
            key = (label.vendor, label.vendor_version or "", label.label)
            seen[key] += label.occurrences
            if label.suggestions:
                suggested[key] = json.dumps(label.suggestions[:_SUGGESTIONS])
        if not seen:
            return
        rows = [
            {
                "tenant_id": tenant_id,
                "id": new_id("review"),
                "vendor": vendor,
                "vendor_version": vendor_version,
                "label": label,
                "occurrences": occurrences,
                "first_seen": at,
                "last_seen": at,
                "status": ReviewStatus.OPEN.value,
                "suggestions": suggested.get((vendor, vendor_version, label), NO_SUGGESTIONS),
            }
            # In one order for everybody, so that two transactions cannot wait for each other's rows.
            for (vendor, vendor_version, label), occurrences in sorted(seen.items())
        ]
        async with self._database.writing(tenant_id) as connection:
            await connection.execute(self._upsert, rows)

    async def page(
        self,
        tenant_id: str,
        *,
        limit: int,
        cursor: str | None,
        status: ReviewStatus | None = None,
        vendor: str | None = None,
    ) -> ReviewPage:
        """A page, most recently seen first, then by id; raise `INVALID_REQUEST` for a cursor that is not ours."""
        if not 1 <= limit <= _PAGE_LIMIT:
            raise ValidationError(f"limit must be between 1 and {_PAGE_LIMIT}")
        own = select(REVIEW_LABELS).where(REVIEW_LABELS.c.tenant_id == tenant_id)
        if status is not None:
            own = own.where(REVIEW_LABELS.c.status == status.value)
        if vendor is not None:
            own = own.where(REVIEW_LABELS.c.vendor == vendor)
        if cursor is not None:
            last_seen, last_id = _read_cursor(cursor)
            own = own.where(
                (REVIEW_LABELS.c.last_seen < last_seen)
                | ((REVIEW_LABELS.c.last_seen == last_seen) & (REVIEW_LABELS.c.id > last_id))
            )
        ordered = own.order_by(REVIEW_LABELS.c.last_seen.desc(), REVIEW_LABELS.c.id).limit(limit + 1)
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(ordered)).all()
        more = len(rows) > limit
        return ReviewPage(
            items=tuple(_item(row) for row in rows[:limit]),
            next_cursor=_write_cursor(rows[limit - 1].last_seen, rows[limit - 1].id) if more else None,
        )

    async def get(self, tenant_id: str, review_id: str) -> ReviewItem | None:
        """The tenant's item with this id, or None."""
        this = select(REVIEW_LABELS).where(_of(tenant_id, review_id))
        async with self._database.reading(tenant_id) as connection:
            row = (await connection.execute(this)).first()
        return None if row is None else _item(row)

    async def decisions(self, tenant_id: str, review_id: str) -> Sequence[ReviewDecision]:
        """Every decision about it, oldest first, at most the last 1,000."""
        made = REVIEW_DECISIONS.c
        these = select(REVIEW_DECISIONS).where((made.tenant_id == tenant_id) & (made.review_id == review_id))
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(these.order_by(made.number.desc()).limit(_PAGE_LIMIT))).all()
        return [_decision(row) for row in reversed(rows)]

    async def decide(self, tenant_id: str, decided: Decided) -> bool:
        """Record the decision and put it in force, both or neither; False if the item has another revision by now."""
        is_reopened = decided.step is ReviewStep.REOPENED
        async with self._database.writing(tenant_id) as connection:
            # First of all, and only then the label: whoever changes anything of the tenant's does it in this order.
            position = await next_position(self._database, connection, tenant_id)
            changed = await connection.execute(
                update(REVIEW_LABELS)
                .where(_of(tenant_id, decided.review_id) & (REVIEW_LABELS.c.revision == decided.revision))
                .values(
                    revision=decided.revision + 1,
                    status=ReviewStatus.OPEN.value if is_reopened else decided.step.value,
                    canonical=decided.canonical,
                    decided_at=None if is_reopened else decided.at,
                    decided_by=None if is_reopened else decided.curator.name,
                    decided_role=None if is_reopened else decided.curator.role,
                    position=None if is_reopened else position,
                    taxonomy_version=None if is_reopened else decided.taxonomy_version,
                )
            )
            if changed.rowcount != 1:
                await connection.rollback()  # the position is taken by nobody
                return False
            await connection.execute(
                insert(REVIEW_DECISIONS),
                {
                    "tenant_id": tenant_id,
                    "review_id": decided.review_id,
                    "number": decided.revision + 1,
                    "position": position,
                    "step": decided.step.value,
                    "canonical": decided.canonical,
                    "suggested": decided.suggested,
                    **curator_columns(decided.curator),
                    "at": decided.at,
                    "note": decided.note,
                },
            )
        return True

    async def training_labels(self, tenant_id: str, *, after: int, limit: int) -> Sequence[ReviewedLabel]:
        """Labels that are decided, by position, those after `after`."""
        label = REVIEW_LABELS.c
        decided = select(REVIEW_LABELS).where((label.tenant_id == tenant_id) & (label.position > after))
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(decided.order_by(label.position).limit(limit))).all()
        return [
            ReviewedLabel(
                vendor=row.vendor,
                vendor_version=row.vendor_version or None,
                label=row.label,
                canonical=row.canonical,
                decision=ReviewStatus(row.status),
                suggestions=tuple(each.canonical for each in _suggestions(row)),
                decided_at=row.decided_at,
                reviewer=row.decided_role,
                taxonomy_version=row.taxonomy_version,
                position=row.position,
            )
            for row in rows
        ]


def _of(tenant_id: str, review_id: str) -> ColumnElement[bool]:
    return (REVIEW_LABELS.c.tenant_id == tenant_id) & (REVIEW_LABELS.c.id == review_id)


def _suggestions(row: Row[Any]) -> tuple[Suggestion, ...]:
    return tuple(
        Suggestion(canonical=canonical, confidence=confidence) for canonical, confidence in json.loads(row.suggestions)
    )


def _decision(row: Row[Any]) -> ReviewDecision:
    curator = curator_of(row)
    return ReviewDecision(
        number=row.number,
        step=ReviewStep(row.step),
        canonical=row.canonical,
        suggested=row.suggested,
        who=curator.name,
        role=curator.role,
        door=curator.door,
        keyless=curator.keyless,
        at=row.at,
        note=row.note,
    )


def _item(row: Row[Any]) -> ReviewItem:
    return ReviewItem(
        id=row.id,
        tenant_id=row.tenant_id,
        vendor=row.vendor,
        vendor_version=row.vendor_version or None,
        label=row.label,
        occurrences=row.occurrences,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        status=ReviewStatus(row.status),
        suggestions=_suggestions(row),
        revision=row.revision,
        canonical=row.canonical,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
    )


def _write_cursor(last_seen: datetime, last_id: str) -> str:
    return urlsafe_b64encode(f"1:{to_microseconds(last_seen)}:{last_id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        plain = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
        if match := _CURSOR.fullmatch(plain):
            moment = from_microseconds(int(match[1]))
            if _write_cursor(moment, match[2]) == cursor:
                return moment, match[2]
    except (ValueError, OverflowError):
        pass
    raise ValidationError("the cursor is not one that this queue gave")
