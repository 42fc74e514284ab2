"""What somebody changed, from the histories that the mapping context keeps anyway."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from llama_mapper.adapters.mapping.tables import (
    CATALOGUE_DOCUMENTS,
    CROSSWALK_DEPLOYMENTS,
    MODEL_EVENTS,
    MONITORING_MARKS,
    RELEASE_EVENTS,
    REVIEW_DECISIONS,
)
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.monitoring import ChangeEvent, ChangeKind
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.monitoring.windows import Span

_MARK = MONITORING_MARKS.c
_COLUMNS = frozenset(("tenant_id", "at", "step", "kind", "name", "version", "percent", "canonical", "settles", "value"))
_LENGTH = 256
_DOCUMENTS = {
    "vocabulary": ChangeKind.VOCABULARY,
    "framework": ChangeKind.FRAMEWORK,
    "crosswalk": ChangeKind.CROSSWALK,
    "settings": ChangeKind.SETTINGS,
}
"""Kinds of documents that decide how labels are mapped. Templates do not."""
_MARKS = {
    "service": ChangeKind.SERVICE,
    "schema": ChangeKind.SCHEMA,
    "catalogue": ChangeKind.CATALOGUE,
    "settings": ChangeKind.SETTINGS,
}
"""The beginning of a mark's name, up to a dot."""


class SqlChanges:
    """Keeps `ChangeEvents`' promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def between(self, tenant_id: str, span: Span, limit: int) -> Sequence[ChangeEvent]:
        """Changes that hold for a tenant, newest first: its own, and those that hold for everyone."""
        both = (tenant_id, EVERYONE)
        found: list[ChangeEvent] = []
        async with self._database.reading(tenant_id) as connection:
            for table, told in _TOLD:
                at = table.c.at
                wanted: list[ColumnElement[bool]] = [at >= span.since, at < span.until]
                if table is not RELEASE_EVENTS:
                    wanted.append(table.c.tenant_id.in_(both))
                if table is CATALOGUE_DOCUMENTS:
                    wanted.append(table.c.kind.in_(_DOCUMENTS))
                if table is MONITORING_MARKS:
                    wanted.append(_MARK.is_first.is_(False))
                # Never whole rows: a document's content may be long.
                columns = [column for column in table.c if column.name in _COLUMNS]
                chosen = select(*columns).where(*wanted).order_by(at.desc()).limit(limit)
                rows = (await connection.execute(chosen)).mappings()
                found += [told(row) for row in rows]
        found.sort(key=lambda one: (one.at, one.kind, one.subject), reverse=True)
        return found[:limit]

    async def note(self, marks: Mapping[str, str], at: datetime) -> None:
        """Keep what runs here since now, where that differs from what was noted last."""
        newest = select(_MARK.name, func.max(_MARK.at).label("at")).group_by(_MARK.name).subquery()
        last = select(_MARK.name, _MARK.value).join(newest, (_MARK.name == newest.c.name) & (_MARK.at == newest.c.at))
        insert: Any = (sqlite.insert if self._database.is_sqlite else postgresql.insert)(MONITORING_MARKS)
        async with self._database.writing(EVERYONE) as connection:
            known = {row.name: row.value for row in (await connection.execute(last)).all()}
            rows = [
                {"tenant_id": EVERYONE, "name": name, "at": at, "value": value, "is_first": name not in known}
                for name, value in sorted(marks.items())
                if known.get(name) != value
            ]
            if rows:
                await connection.execute(insert.on_conflict_do_nothing(), rows)


def _deployment(row: RowMapping) -> ChangeEvent:
    share = "" if row["percent"] is None else f" {row['percent']} %"
    return _event(row, ChangeKind.CROSSWALK, f"{row['version'] or 'shipped'}{share}", row["step"])


def _document(row: RowMapping) -> ChangeEvent:
    return _event(row, _DOCUMENTS[row["kind"]], row["name"], row["step"])


def _review(row: RowMapping) -> ChangeEvent:
    return _event(row, ChangeKind.REVIEW, row["canonical"] or "no canonical id", row["step"])


def _model(row: RowMapping) -> ChangeEvent:
    return _event(row, ChangeKind.MODEL, f"{row['name']}@{row['version']}", row["step"])


def _release(row: RowMapping) -> ChangeEvent:
    settled = "" if row["settles"] is None else f": {row['settles']}"
    return _event(row, ChangeKind.RELEASE, f"{row['kind']}{settled}", row["step"])


def _mark(row: RowMapping) -> ChangeEvent:
    kind, _, name = row["name"].partition(".")
    is_digest = kind == "settings"
    return _event(row, _MARKS[kind], name or row["value"], "changed" if is_digest else f"now {row['value']}")


def _event(row: RowMapping, kind: ChangeKind, subject: str, step: str) -> ChangeEvent:
    return ChangeEvent(
        at=row["at"],
        kind=kind,
        subject=subject[:_LENGTH],
        step=step[:_LENGTH],
        everyone=row.get("tenant_id", EVERYONE) == EVERYONE,
    )


_TOLD: tuple[tuple[Table, Callable[[RowMapping], ChangeEvent]], ...] = (
    (CROSSWALK_DEPLOYMENTS, _deployment),
    (CATALOGUE_DOCUMENTS, _document),
    (REVIEW_DECISIONS, _review),
    (MODEL_EVENTS, _model),
    (RELEASE_EVENTS, _release),
    (MONITORING_MARKS, _mark),
)
