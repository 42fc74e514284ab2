"""Releases and experiments in a relational database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from llama_mapper.adapters.mapping.release_rows import logs_of, row_of
from llama_mapper.adapters.mapping.tables import (
    RELEASE_EVENTS,
    RELEASE_LEASES,
    RELEASE_POINTS,
    RELEASE_SLOTS,
    RELEASE_TALLIES,
)
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.releases import SeriesPoint, VariantKind
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError
from llama_mapper.domain.mapping.releases.events import Event, Log, subject_of
from llama_mapper.domain.mapping.releases.ports import Standing
from llama_mapper.domain.mapping.releases.tally import Tally

_EVENT, _SLOT, _TALLY, _POINT, _LEASE = (
    table.c for table in (RELEASE_EVENTS, RELEASE_SLOTS, RELEASE_TALLIES, RELEASE_POINTS, RELEASE_LEASES)
)
_COUNT = select(func.count()).select_from(RELEASE_EVENTS)
# A count and not the highest position: of two transactions the later position may be committed first.
_COUNT_SQLITE = "SELECT count(*) FROM release_events"
_LEADER = "controller"


class SqlReleases:
    """Keeps `ReleaseRecords`' promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def mark(self) -> int:
        """See `ReleaseRecords.mark`."""
        if self._database.is_sqlite:
            return int((await self._database.sqlite_rows(_COUNT_SQLITE))[0][0])
        async with self._database.reading() as connection:
            return int(await connection.scalar(_COUNT) or 0)

    async def standing(self) -> Standing:
        """See `ReleaseRecords.standing`. The mark is read first, so that it never promises what was not read."""
        holding = select(_SLOT.release_id)
        logs = select(RELEASE_EVENTS).where(_EVENT.release_id.in_(holding)).order_by(_EVENT.release_id, _EVENT.number)
        async with self._database.reading() as connection:
            mark = int(await connection.scalar(_COUNT) or 0)
            live = logs_of((await connection.execute(logs)).all())
            settled = await self._settled(connection)
        return Standing(mark, tuple(live), settled)

    async def log(self, release_id: str) -> Log:
        """See `ReleaseRecords.log`."""
        own = select(RELEASE_EVENTS).where(_EVENT.release_id == release_id).order_by(_EVENT.number)
        async with self._database.reading() as connection:
            found = logs_of((await connection.execute(own)).all())
        return found[0] if found else ()

    async def page(self, experiments: bool, limit: int) -> Sequence[Log]:
        """See `ReleaseRecords.page`."""
        newest = (
            select(_EVENT.release_id)
            .where(_EVENT.number == 1, _EVENT.is_experiment.is_(experiments))
            .order_by(_EVENT.at.desc(), _EVENT.release_id.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            ids = (await connection.scalars(newest)).all()
            own = select(RELEASE_EVENTS).where(_EVENT.release_id.in_(ids))
            rows = (await connection.execute(own.order_by(_EVENT.release_id, _EVENT.number))).all()
        by_id = {log[0].release_id: log for log in logs_of(rows)}
        return [by_id[release_id] for release_id in ids]

    async def append(self, event: Event, slot: str) -> bool:
        """See `ReleaseRecords.append`."""
        row = row_of(event)
        async with self._database.writing() as connection:
            if event.plan is not None:
                await self._take_slot(connection, event, slot)
            if event.settles is not None:
                own = select(func.count()).where(_EVENT.kind == event.kind.value, _EVENT.settles.is_not(None))
                row["settled_after"] = await connection.scalar(own)
            insert = self._insert(RELEASE_EVENTS).on_conflict_do_nothing()
            if (await connection.execute(insert.returning(_EVENT.number), row)).first() is None:
                return False
            if not event.holds:
                mine = (_SLOT.slot == slot) & (_SLOT.release_id == event.release_id)
                await connection.execute(delete(RELEASE_SLOTS).where(mine))
        return True

    async def count(self, writer: str, sequence: int, tallies: Mapping[tuple[str, str], Tally]) -> None:
        """See `ReleaseRecords.count`."""
        if not tallies:
            return
        insert = self._insert(RELEASE_TALLIES)
        upsert = insert.on_conflict_do_update(
            index_elements=[_TALLY.release_id, _TALLY.arm, _TALLY.writer],
            set_={"sequence": insert.excluded.sequence, "counts": insert.excluded.counts},
            where=insert.excluded.sequence > _TALLY.sequence,
        )
        rows = [
            {
                "release_id": release_id,
                "arm": arm,
                "writer": writer,
                "sequence": sequence,
                "counts": json.dumps(tally.plain()),
            }
            # In one order for everybody, so that two transactions cannot wait for each other's rows.
            for (release_id, arm), tally in sorted(tallies.items(), key=lambda entry: entry[0])
        ]
        async with self._database.writing() as connection:
            await connection.execute(upsert, rows)

    async def tallies(self, release_id: str) -> Mapping[str, Tally]:
        """See `ReleaseRecords.tallies`."""
        own = select(_TALLY.arm, _TALLY.counts).where(_TALLY.release_id == release_id)
        found: dict[str, Tally] = {}
        async with self._database.reading() as connection:
            rows = (await connection.execute(own.order_by(_TALLY.arm, _TALLY.writer))).all()
        for row in rows:
            found.setdefault(row.arm, Tally()).absorb(Tally.read(json.loads(row.counts)))
        return found

    async def add_point(self, release_id: str, number: int, point: SeriesPoint) -> None:
        """See `ReleaseRecords.add_point`."""
        row = {
            "release_id": release_id,
            "number": number,
            "requests": point.requests,
            "point": point.model_dump_json(),
        }
        async with self._database.writing() as connection:
            await connection.execute(self._insert(RELEASE_POINTS).on_conflict_do_nothing(), row)

    async def points(self, release_id: str) -> Sequence[SeriesPoint]:
        """See `ReleaseRecords.points`."""
        own = select(_POINT.point).where(_POINT.release_id == release_id).order_by(_POINT.number)
        async with self._database.reading() as connection:
            return [SeriesPoint.model_validate_json(text) for text in (await connection.scalars(own)).all()]

    async def last_point(self, release_id: str) -> tuple[int, int]:
        """See `ReleaseRecords.last_point`."""
        newest = select(_POINT.number, _POINT.requests).where(_POINT.release_id == release_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(newest.order_by(_POINT.number.desc()).limit(1))).first()
        return (0, 0) if row is None else (row.number, row.requests)

    async def lead(self, owner: str, now: datetime, until: datetime) -> bool:
        """See `ReleaseRecords.lead`."""
        insert = self._insert(RELEASE_LEASES)
        taken = insert.on_conflict_do_update(
            index_elements=[_LEASE.name],
            set_={"owner": insert.excluded.owner, "until": insert.excluded.until},
            where=(_LEASE.owner == owner) | (_LEASE.until < now),
        )
        row = {"name": _LEADER, "owner": owner, "until": until}
        async with self._database.writing() as connection:
            return (await connection.execute(taken.returning(_LEASE.owner), row)).first() is not None

    def _insert(self, table: Any) -> Any:
        return sqlite.insert(table) if self._database.is_sqlite else postgresql.insert(table)

    async def _take_slot(self, connection: AsyncConnection, event: Event, slot: str) -> None:
        insert = self._insert(RELEASE_SLOTS).on_conflict_do_nothing().returning(_SLOT.slot)
        row = {"slot": slot, "release_id": event.release_id}
        if (await connection.execute(insert, row)).first() is None:
            holder = await connection.scalar(select(_SLOT.release_id).where(_SLOT.slot == slot))
            raise MappingError(f"{holder} is under way for this kind: end it first", ErrorCode.RELEASE_STATE)
        if event.plan is None:
            return
        settled = (await self._settled(connection)).get(subject_of(event.kind, event.plan.baseline))
        if settled is not None and event.plan.baseline != settled:
            message = f"the {event.kind} in force is {settled}, not {event.plan.baseline}"
            raise MappingError(message, ErrorCode.RELEASE_STATE)

    async def _settled(self, connection: AsyncConnection) -> dict[str, str]:
        newest = (
            select(_EVENT.kind, func.max(_EVENT.settled_after).label("last"))
            .where(_EVENT.settles.is_not(None))
            .group_by(_EVENT.kind)
            .subquery()
        )
        is_newest = (_EVENT.kind == newest.c.kind) & (_EVENT.settled_after == newest.c.last)
        # Of schemas each has a version in force of its own: all that ever settled one are read, in their order.
        is_schema = _EVENT.kind == VariantKind.SCHEMA.value
        settling = select(_EVENT.kind, _EVENT.settles).join(
            newest, is_newest | (is_schema & (newest.c.kind == _EVENT.kind))
        )
        rows = await connection.execute(
            settling.where(_EVENT.settles.is_not(None)).order_by(_EVENT.kind, _EVENT.settled_after)
        )
        return {subject_of(VariantKind(row.kind), row.settles): row.settles for row in rows}
