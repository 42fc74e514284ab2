"""Labels that wait for a person, in a relational database."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, case, select
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.mapping.tables import REVIEW_LABELS
from llama_mapper.adapters.platform.columns import from_microseconds, to_microseconds
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.mapping import ReviewItem, ReviewPage, ReviewStatus
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.ports import UnknownLabel

_PAGE_LIMIT = 1_000
_CURSOR = re.compile(r"1:([0-9]{1,18}):(review_[0-9a-z]{26})", re.ASCII)


class SqlReviewQueue:
    """Keeps `ReviewQueue`'s promise on SQLite and PostgreSQL.

    A cursor names the last item of its page: labels queued later do not shift what follows. A label that is seen again
    while somebody pages moves to the front, which a new first page shows.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert(REVIEW_LABELS) if database.is_sqlite else postgresql.insert(REVIEW_LABELS)
        old, new = REVIEW_LABELS.c, insert.excluded
        self._upsert = insert.on_conflict_do_update(
            index_elements=[old.tenant_id, old.vendor, old.vendor_version, old.label],
            set_={
                "occurrences": old.occurrences + new.occurrences,
                "last_seen": case((new.last_seen > old.last_seen, new.last_seen), else_=old.last_seen),
            },
        )

    async def add(self, tenant_id: str, labels: Sequence[UnknownLabel], at: datetime) -> None:
        """Queue labels; one already queued for the tenant gains occurrences and a later `last_seen`. All or none."""
        seen = Counter[tuple[str, str, str]]()
        for label in labels:
            seen[label.vendor, label.vendor_version or "", label.label] += label.occurrences
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
            }
            # In one order for everybody, so that two transactions cannot wait for each other's rows.
            for (vendor, vendor_version, label), occurrences in sorted(seen.items())
        ]
        async with self._database.writing(tenant_id) as connection:
            await connection.execute(self._upsert, rows)

    async def page(self, tenant_id: str, *, limit: int, cursor: str | None) -> ReviewPage:
        """A page, most recently seen first, then by id; raise `INVALID_REQUEST` for a cursor that is not ours."""
        if not 1 <= limit <= _PAGE_LIMIT:
            raise ValidationError(f"limit must be between 1 and {_PAGE_LIMIT}")
        own = select(REVIEW_LABELS).where(REVIEW_LABELS.c.tenant_id == tenant_id)
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


def _item(row: Row[tuple[object, ...]]) -> ReviewItem:
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
