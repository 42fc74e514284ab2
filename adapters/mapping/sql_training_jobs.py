"""Training jobs in a relational database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from llama_mapper.adapters.mapping.tables import TRAINING_AGENDA, TRAINING_JOBS
from llama_mapper.adapters.platform.columns import Moment
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.training import (
    TrainingError,
    TrainingJob,
    TrainingProgress,
    TrainingRequest,
    TrainingStatus,
)
from llama_mapper.domain.mapping.training.ports import HeldTraining, TrainingEnd, TrainingKey

_UNENDED = tuple(
    status.value
    for status in (
        TrainingStatus.QUEUED,
        TrainingStatus.RUNNING,
        TrainingStatus.EVALUATING,
        TrainingStatus.INTERRUPTED,
    )
)
_JOB, _AGENDA = TRAINING_JOBS.c, TRAINING_AGENDA.c


class SqlTrainingJobs:
    """Keeps `TrainingJobs`' promise on SQLite and PostgreSQL.

    What concerns one tenant is under row-level security; what processes look for across tenants is in the agenda. Who
    changes a held job first locks its agenda row as its owner, so that whoever lost it changes nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: TrainingKey, request: TrainingRequest, at: datetime) -> TrainingJob:
        """See `TrainingJobs.add`."""
        waiting = TrainingProgress(stage="waiting", steps=request.hyperparameters.steps)
        row = {
            "tenant_id": key.tenant_id,
            "id": key.id,
            "status": TrainingStatus.QUEUED.value,
            "attempts": 0,
            "cancel_requested": False,
            "created_at": at,
            "request": request.model_dump_json(),
            "progress": waiting.model_dump_json(),
            "metrics": "{}",
        }
        async with self._database.writing(key.tenant_id) as connection:
            await connection.execute(insert(TRAINING_JOBS).values(row))
            agenda = {"job_id": key.id, "tenant_id": key.tenant_id, "cancel_requested": False}
            await connection.execute(insert(TRAINING_AGENDA).values(agenda))
            return _job((await connection.execute(select(TRAINING_JOBS).where(_is(key)))).one())

    async def get(self, key: TrainingKey) -> TrainingJob | None:
        """See `TrainingJobs.get`."""
        async with self._database.reading(key.tenant_id) as connection:
            row = (await connection.execute(select(TRAINING_JOBS).where(_is(key)))).one_or_none()
        return None if row is None else _job(row)

    async def page(self, tenant_id: str, *, limit: int, before: str | None = None) -> list[TrainingJob]:
        """See `TrainingJobs.page`."""
        own = select(TRAINING_JOBS).where(_JOB.tenant_id == tenant_id)
        if before is not None:
            own = own.where(_JOB.id < before)
        async with self._database.reading(tenant_id) as connection:
            return [_job(row) for row in await connection.execute(own.order_by(_JOB.id.desc()).limit(limit))]

    async def unended(self, tenant_id: str) -> int:
        """See `TrainingJobs.unended`."""
        own = (_JOB.tenant_id == tenant_id) & _JOB.status.in_(_UNENDED)
        async with self._database.reading(tenant_id) as connection:
            return await connection.scalar(select(func.count()).select_from(TRAINING_JOBS).where(own)) or 0

    async def take(self, owner: str, now: datetime, lease_until: datetime, limit: int) -> list[HeldTraining]:
        """See `TrainingJobs.take`."""
        free = or_(_AGENDA.lease_until.is_(None), _AGENDA.lease_until < now)
        oldest = select(_AGENDA.job_id).where(free).order_by(_AGENDA.job_id).limit(limit)
        async with self._database.reading() as connection:
            if not (await connection.execute(oldest.limit(1))).first():
                return []
        async with self._database.writing() as connection:
            # The condition again: PostgreSQL checks it anew on a row that another process changed meanwhile.
            rows = await connection.execute(
                update(TRAINING_AGENDA)
                .where(_AGENDA.job_id.in_(oldest.scalar_subquery()), free)
                .values(owner=owner, lease_until=lease_until)
                .returning(_AGENDA.tenant_id, _AGENDA.job_id)
            )
            keys = sorted((TrainingKey(*row) for row in rows), key=lambda key: key.id)
            return [await self._begun(connection, key) for key in keys]

    async def renew(self, owner: str, lease_until: datetime) -> dict[TrainingKey, bool]:
        """See `TrainingJobs.renew`."""
        async with self._database.writing() as connection:
            rows = await connection.execute(
                update(TRAINING_AGENDA)
                .where(_AGENDA.owner == owner)
                .values(lease_until=lease_until)
                .returning(_AGENDA.tenant_id, _AGENDA.job_id, _AGENDA.cancel_requested)
            )
            return {TrainingKey(row.tenant_id, row.job_id): row.cancel_requested for row in rows}

    async def report(
        self, key: TrainingKey, owner: str, status: TrainingStatus, progress: TrainingProgress, at: datetime
    ) -> bool:
        """See `TrainingJobs.report`."""
        values = {
            "status": status.value,
            "progress": progress.model_dump_json(),
            "started_at": func.coalesce(_JOB.started_at, literal(at, Moment)),
        }
        async with self._database.writing(key.tenant_id) as connection:
            if not await _hold(connection, key, owner):
                return False
            await connection.execute(update(TRAINING_JOBS).where(_is(key)).values(values))
            return True

    async def release(self, key: TrainingKey, owner: str) -> bool:
        """See `TrainingJobs.release`."""
        async with self._database.writing(key.tenant_id) as connection:
            if not await _hold(connection, key, owner):
                return False
            free = update(TRAINING_AGENDA).where(_AGENDA.job_id == key.id)
            await connection.execute(free.values(owner=None, lease_until=None))
            status = TrainingStatus.INTERRUPTED.value
            await connection.execute(update(TRAINING_JOBS).where(_is(key)).values(status=status))
            return True

    async def end(self, key: TrainingKey, owner: str, how: TrainingEnd, at: datetime) -> bool:
        """See `TrainingJobs.end`."""
        async with self._database.writing(key.tenant_id) as connection:
            if not await _hold(connection, key, owner):
                return False
            await _end(connection, key, how, at)
            return True

    async def request_cancel(self, key: TrainingKey, at: datetime) -> bool:
        """See `TrainingJobs.request_cancel`."""
        own = and_(_AGENDA.job_id == key.id, _AGENDA.tenant_id == key.tenant_id)
        async with self._database.writing(key.tenant_id) as connection:
            # Locks the row first, so that nobody takes the job while it is decided whether somebody holds it.
            asked = await connection.execute(update(TRAINING_AGENDA).where(own).values(cancel_requested=True))
            if not asked.rowcount:
                return (await connection.execute(select(_JOB.id).where(_is(key)))).first() is not None
            await connection.execute(update(TRAINING_JOBS).where(_is(key)).values(cancel_requested=True))
            held = own & _AGENDA.lease_until.is_not(None) & (_AGENDA.lease_until >= at)
            if not (await connection.execute(select(_AGENDA.job_id).where(held))).first():
                await _end(connection, key, TrainingEnd(TrainingStatus.CANCELLED), at)
            return True

    async def _begun(self, connection: AsyncConnection, key: TrainingKey) -> HeldTraining:
        await self._database.act_for(connection, key.tenant_id)
        begun = update(TRAINING_JOBS).where(_is(key)).values(attempts=_JOB.attempts + 1)
        row = (await connection.execute(begun.returning(_JOB.request, _JOB.attempts))).one()
        return HeldTraining(key, TrainingRequest.model_validate_json(row.request), row.attempts)


async def _hold(connection: AsyncConnection, key: TrainingKey, owner: str) -> bool:
    """Lock the job's agenda row for the rest of the transaction; False if `owner` does not hold the job."""
    held = and_(_AGENDA.job_id == key.id, _AGENDA.tenant_id == key.tenant_id, _AGENDA.owner == owner)
    return bool((await connection.execute(update(TRAINING_AGENDA).where(held).values(owner=owner))).rowcount)


async def _end(connection: AsyncConnection, key: TrainingKey, how: TrainingEnd, at: datetime) -> None:
    row = (await connection.execute(select(_JOB.progress).where(_is(key)))).one()
    progress = TrainingProgress.model_validate_json(row.progress).model_copy(update={"stage": "ended"})
    await connection.execute(
        update(TRAINING_JOBS)
        .where(_is(key))
        .values(
            status=how.status.value,
            ended_at=at,
            progress=progress.model_dump_json(),
            data_digest=how.data_digest,
            metrics=orjson.dumps(dict(how.metrics)).decode(),
            model=how.model,
            error=None if how.error is None else how.error.model_dump_json(),
        )
    )
    await connection.execute(delete(TRAINING_AGENDA).where(_AGENDA.job_id == key.id))


def _is(key: TrainingKey) -> ColumnElement[bool]:
    return and_(_JOB.tenant_id == key.tenant_id, _JOB.id == key.id)


def _job(row: Row[Any]) -> TrainingJob:
    request = TrainingRequest.model_validate_json(row.request)
    return TrainingJob(
        id=row.id,
        tenant_id=row.tenant_id,
        kind=request.kind,
        base_model=request.base_model,
        status=TrainingStatus(row.status),
        attempts=row.attempts,
        cancel_requested=row.cancel_requested,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        progress=TrainingProgress.model_validate_json(row.progress),
        data_digest=row.data_digest,
        metrics=orjson.loads(row.metrics),
        model=row.model,
        error=None if row.error is None else TrainingError.model_validate_json(row.error),
    )
