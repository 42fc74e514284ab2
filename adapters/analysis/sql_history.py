"""The history of findings in a relational database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import text

from llama_mapper.adapters.analysis.tables import FINDING_HISTORY
from llama_mapper.adapters.platform.columns import to_microseconds
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.group_writer import GroupWriter
from llama_mapper.adapters.platform.new_rows import NewRows
from llama_mapper.domain.analysis.ports import HistoryEntry, HistoryWindow

_HOUR = 3_600_000_000  # microseconds
_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: `dumps` makes one a call

_WINDOW = """
WITH grouped AS MATERIALIZED (
  SELECT at / {hour} AS hour, counts, count(*) AS times
  FROM finding_history WHERE tenant_id = :tenant AND at >= :since AND at < :until GROUP BY 1, 2
), kinds AS (
  SELECT counts, sum(times) AS times FROM grouped GROUP BY 1
)
SELECT 'assessments', CAST(hour AS BIGINT), '', '', CAST(sum(times) AS BIGINT) FROM grouped GROUP BY 2
UNION ALL
SELECT 'findings', hour, each.key, '', CAST(sum(times * {value}) AS BIGINT)
FROM grouped, {each} GROUP BY 2, 3
UNION ALL
SELECT 'together', 0, first.key, second.key, CAST(sum(times) AS BIGINT)
FROM kinds, {first}, {second} WHERE first.key <= second.key GROUP BY 3, 4
"""
"""Equal hours with equal counts are counted once, then opened up: the work after the first pass does not grow with
the number of assessments, only with the variety of what they found. A category pairs with itself to be counted."""

_SQLITE_WINDOW = _WINDOW.format(
    hour=_HOUR,
    each="json_each(counts) AS each",
    value="each.value",
    first="json_each(counts) AS first",
    second="json_each(counts) AS second",
)
_POSTGRES_WINDOW = _WINDOW.format(
    hour=_HOUR,
    each="jsonb_each_text(CAST(counts AS jsonb)) AS each",
    value="CAST(each.value AS BIGINT)",
    first="jsonb_object_keys(CAST(counts AS jsonb)) AS first(key)",
    second="jsonb_object_keys(CAST(counts AS jsonb)) AS second(key)",
)


class SqlFindingHistory:
    """Keeps `FindingHistory`'s promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new_rows = NewRows(database, FINDING_HISTORY)
        self._writer: GroupWriter[Sequence[tuple[Any, ...]], None] = GroupWriter(self._write)
        self._window = text(_SQLITE_WINDOW if database.is_sqlite else _POSTGRES_WINDOW)

    async def record(self, entries: Sequence[HistoryEntry]) -> None:
        """Add entries; all or none. The same tenant and `request_id` again changes nothing."""
        if not entries:
            return
        rows = [(entry.tenant_id, entry.request_id, entry.at, _spell(entry)) for entry in entries]
        # Side by side for each tenant on PostgreSQL; SQLite has one writer.
        await self._writer.submit("" if self._database.is_sqlite else entries[0].tenant_id, rows)

    async def window(self, tenant_id: str, since: datetime, until: datetime) -> HistoryWindow:
        """The tenant's history with `since <= at < until`."""
        bounds = {"tenant": tenant_id, "since": to_microseconds(since), "until": to_microseconds(until)}
        async with self._database.reading(tenant_id) as connection:
            rows = await connection.execute(self._window, bounds)
            return _window(since, until, rows.all())

    async def _write(self, batches: Sequence[Sequence[tuple[Any, ...]]]) -> Sequence[None]:
        await self._new_rows.add([row for batch in batches for row in batch])
        return [None] * len(batches)


def _spell(entry: HistoryEntry) -> str:
    counts = {category: count for category, count in sorted(entry.counts.items()) if count}
    return _encode(counts)


def _window(since: datetime, until: datetime, rows: Iterable[Sequence[Any]]) -> HistoryWindow:
    assessments_daily: defaultdict[date, int] = defaultdict(int)
    daily: defaultdict[str, defaultdict[date, int]] = defaultdict(lambda: defaultdict(int))
    hourly: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 24)
    present: dict[str, int] = {}
    together: dict[tuple[str, str], int] = {}
    days: dict[int, date] = {}
    for kind, hour, first, second, count in rows:
        if kind == "together":
            if first == second:
                present[first] = count
            else:
                together[(first, second) if first < second else (second, first)] = count
            continue
        day_number, hour_of_day = divmod(hour, 24)
        if day_number not in days:
            days[day_number] = datetime.fromtimestamp(day_number * 86_400, UTC).date()
        if kind == "assessments":
            assessments_daily[days[day_number]] += count
        else:
            daily[first][days[day_number]] += count
            hourly[first][hour_of_day] += count
    return HistoryWindow(
        since=since,
        until=until,
        assessments=sum(assessments_daily.values()),
        assessments_daily=dict(assessments_daily),
        daily={category: dict(counts) for category, counts in daily.items()},
        hourly={category: tuple(counts) for category, counts in hourly.items()},
        present=present,
        together=together,
    )
