"""Jobs in a relational database, beside the records that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, delete, exists, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from llama_mapper.adapters.assessment.job_rows import item_of, summary_of, with_items
from llama_mapper.adapters.assessment.tables import ASSESSMENTS, JOB_AGENDA, JOB_ITEMS, JOBS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.assessment.jobs.model import ACTIVE, JobKey, final_status
from llama_mapper.domain.assessment.jobs.ports import HeldJob, ItemOutcome, NewJob
from llama_mapper.domain.contracts.jobs import Job, JobError, JobStatus, JobSummary, WebhookDelivery, WebhookStatus
from llama_mapper.domain.kernel.errors import ErrorCode

_ACTIVE = sorted(ACTIVE)
_INTERRUPTED = JobError(
    code=ErrorCode.JOB_INTERRUPTED.value,
    message="the server that held the job stopped; items without a record can safely be sent again",
    retryable=True,
)


class SqlJobs:
    """Keeps `JobStore`'s promise on SQLite and PostgreSQL.

    What concerns one tenant is under row-level security. What servers look for across tenants is in the agenda, which
    holds ids and times only. On PostgreSQL the rows of a job are locked in the order job, items, agenda.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: NewJob, owner: str, lease_until: datetime) -> None:
        """See `JobStore.add`."""
        tenant_id, job_id = job.key.tenant_id, job.key.id
        row = {
            "tenant_id": tenant_id,
            "id": job_id,
            "kind": job.kind.value,
            "status": JobStatus.QUEUED.value,
            "created_at": job.created_at,
            "cancel_requested": False,
            "done": 0,
            "failed": 0,
            "total": len(job.items),
            "webhook_url": job.webhook_url,
            "webhook_status": WebhookStatus.PENDING.value if job.webhook_url else None,
            "webhook_attempts": 0,
        }
        items = [
            {"tenant_id": tenant_id, "job_id": job_id, "position": position, "done": False, **asdict(item)}
            for position, item in enumerate(job.items)
        ]
        agenda = {
            "job_id": job_id,
            "tenant_id": tenant_id,
            "owner": owner,
            "lease_until": lease_until,
            "cancel_requested": False,
        }
        async with self._database.writing(tenant_id) as connection:
            await connection.execute(insert(JOBS).values(row))
            await connection.execute(insert(JOB_ITEMS), items)
            await connection.execute(insert(JOB_AGENDA).values(agenda))

    async def get(self, key: JobKey, now: datetime) -> Job | None:
        """See `JobStore.get`."""
        async with self._database.reading(key.tenant_id) as connection:
            row = (await connection.execute(select(JOBS).where(_is(key), _kept(now)))).one_or_none()
            if row is None:
                return None
            items = select(JOB_ITEMS).where(_of(key)).order_by(JOB_ITEMS.c.position)
            return with_items(row, [item_of(item) for item in await connection.execute(items)])

    async def page(self, tenant_id: str, now: datetime, *, limit: int, before: str | None = None) -> list[JobSummary]:
        """See `JobStore.page`."""
        own = select(JOBS).where(JOBS.c.tenant_id == tenant_id, _kept(now))
        if before is not None:
            own = own.where(JOBS.c.id < before)
        async with self._database.reading(tenant_id) as connection:
            rows = await connection.execute(own.order_by(JOBS.c.id.desc()).limit(limit))
            return [summary_of(row) for row in rows]

    async def report(self, key: JobKey, started_at: datetime, outcomes: Sequence[ItemOutcome]) -> None:
        """See `JobStore.report`."""
        running = {"status": JobStatus.RUNNING.value, "started_at": started_at}
        async with self._database.writing(key.tenant_id) as connection:
            # A change that changes nothing, so that the job's row is locked first by everybody.
            await connection.execute(update(JOBS).where(_is(key)).values(done=JOBS.c.done))
            queued = _is(key) & (JOBS.c.status == JobStatus.QUEUED.value)
            await connection.execute(update(JOBS).where(queued).values(running))
            if outcomes:
                await connection.execute(_set_outcome(key), [_outcome(outcome) for outcome in outcomes])
                await self._count(connection, key)

    async def end(self, key: JobKey, incomplete: JobStatus, at: datetime, expires_at: datetime) -> JobSummary | None:
        """See `JobStore.end`."""
        async with self._database.writing(key.tenant_id) as connection:
            # The first to change the row is the one who ends the job; whoever waits for it finds it ended.
            active = _is(key) & JOBS.c.status.in_(_ACTIVE)
            if not (await connection.execute(update(JOBS).where(active).values(ended_at=at))).rowcount:
                return None
            await connection.execute(_believe_records(key))
            done, failed, total = await self._count(connection, key)
            status = final_status(done, failed, total, incomplete)
            error = await self._error(connection, key, status)
            webhook_at = at if await connection.scalar(select(JOBS.c.webhook_url).where(_is(key))) else None
            await connection.execute(
                update(JOBS)
                .where(_is(key))
                .values(
                    status=status.value,
                    expires_at=expires_at,
                    error_code=error and error.code,
                    error_message=error and error.message,
                    error_retryable=error and error.retryable,
                    webhook_next_at=webhook_at,
                )
            )
            row = (await connection.execute(select(JOBS).where(_is(key)))).one()
            await connection.execute(
                update(JOB_AGENDA)
                .where(JOB_AGENDA.c.job_id == key.id)
                .values(lease_until=None, expires_at=expires_at, webhook_at=webhook_at)
            )
        return summary_of(row)

    async def request_cancel(self, key: JobKey, now: datetime) -> bool:
        """See `JobStore.request_cancel`."""
        async with self._database.writing(key.tenant_id) as connection:
            active = _is(key) & JOBS.c.status.in_(_ACTIVE)
            asked = await connection.execute(update(JOBS).where(active).values(cancel_requested=True))
            if asked.rowcount:
                agenda = update(JOB_AGENDA).where(JOB_AGENDA.c.job_id == key.id)
                await connection.execute(agenda.values(cancel_requested=True))
                return True
            return bool(await connection.scalar(select(func.count()).select_from(JOBS).where(_is(key), _kept(now))))

    async def renew(self, owner: str, lease_until: datetime) -> list[HeldJob]:
        """See `JobStore.renew`."""
        held = (JOB_AGENDA.c.owner == owner) & JOB_AGENDA.c.lease_until.is_not(None)
        async with self._database.writing() as connection:
            rows = await connection.execute(
                update(JOB_AGENDA).where(held).values(lease_until=lease_until).returning(*_HELD)
            )
            return [_held(row) for row in rows]

    async def take_lapsed(self, owner: str, now: datetime, lease_until: datetime, limit: int) -> list[HeldJob]:
        """See `JobStore.take_lapsed`."""
        lapsed = JOB_AGENDA.c.lease_until < now
        oldest = select(JOB_AGENDA.c.job_id).where(lapsed).order_by(JOB_AGENDA.c.lease_until).limit(limit)
        async with self._database.reading() as connection:
            if not (await connection.execute(oldest.limit(1))).first():
                return []
        async with self._database.writing() as connection:
            # The condition again: PostgreSQL checks it anew on a row that another process changed meanwhile.
            rows = await connection.execute(
                update(JOB_AGENDA)
                .where(JOB_AGENDA.c.job_id.in_(oldest.scalar_subquery()), lapsed)
                .values(owner=owner, lease_until=lease_until)
                .returning(*_HELD)
            )
            return [_held(row) for row in rows]

    async def take_due_webhooks(self, now: datetime, until: datetime, limit: int) -> list[JobKey]:
        """See `JobStore.take_due_webhooks`."""
        due = JOB_AGENDA.c.webhook_at <= now
        first = select(JOB_AGENDA.c.job_id).where(due).order_by(JOB_AGENDA.c.webhook_at).limit(limit)
        async with self._database.reading() as connection:
            if not (await connection.execute(first.limit(1))).first():
                return []
        async with self._database.writing() as connection:
            rows = await connection.execute(
                update(JOB_AGENDA)
                .where(JOB_AGENDA.c.job_id.in_(first.scalar_subquery()), due)
                .values(webhook_at=until)
                .returning(JOB_AGENDA.c.tenant_id, JOB_AGENDA.c.job_id)
            )
            return [JobKey(row.tenant_id, row.job_id) for row in rows]

    async def record_delivery(self, key: JobKey, delivery: WebhookDelivery) -> None:
        """See `JobStore.record_delivery`."""
        values = {
            "webhook_status": delivery.status.value,
            "webhook_attempts": delivery.attempts,
            "webhook_next_at": delivery.next_attempt_at,
            "webhook_delivered_at": delivery.delivered_at,
            "webhook_last_status": delivery.last_status,
            "webhook_last_fault": delivery.last_fault,
        }
        async with self._database.writing(key.tenant_id) as connection:
            await connection.execute(update(JOBS).where(_is(key)).values(values))
            agenda = update(JOB_AGENDA).where(JOB_AGENDA.c.job_id == key.id)
            await connection.execute(agenda.values(webhook_at=delivery.next_attempt_at))

    async def remove_expired(self, now: datetime, limit: int) -> int:
        """See `JobStore.remove_expired`."""
        expired = select(JOB_AGENDA.c.tenant_id, JOB_AGENDA.c.job_id).where(JOB_AGENDA.c.expires_at <= now)
        async with self._database.reading() as connection:
            keys = [JobKey(*row) for row in await connection.execute(expired.limit(limit))]
        removed = 0
        for key in keys:
            async with self._database.writing(key.tenant_id) as connection:
                removed += (await connection.execute(delete(JOBS).where(_is(key)))).rowcount
                await connection.execute(delete(JOB_ITEMS).where(_of(key)))
                await connection.execute(delete(JOB_AGENDA).where(JOB_AGENDA.c.job_id == key.id))
        return removed

    async def _count(self, connection: AsyncConnection, key: JobKey) -> tuple[int, int, int]:
        """Count the items anew, write that down and return done, failed and total."""
        item = JOB_ITEMS.c
        counted = select(func.count(case((item.done, 1))), func.count(item.error_code), func.count()).where(_of(key))
        done, failed, total = (await connection.execute(counted)).one()
        await connection.execute(update(JOBS).where(_is(key)).values(done=done, failed=failed))
        return done, failed, total

    async def _error(self, connection: AsyncConnection, key: JobKey, status: JobStatus) -> JobError | None:
        if status is JobStatus.INTERRUPTED:
            return _INTERRUPTED
        if status is not JobStatus.FAILED:
            return None
        failed = select(JOB_ITEMS).where(_of(key), JOB_ITEMS.c.error_code.is_not(None))
        return item_of((await connection.execute(failed.order_by(JOB_ITEMS.c.position).limit(1))).one()).error


_HELD = (JOB_AGENDA.c.tenant_id, JOB_AGENDA.c.job_id, JOB_AGENDA.c.cancel_requested)


def _held(row: Any) -> HeldJob:
    return HeldJob(JobKey(row.tenant_id, row.job_id), row.cancel_requested)


def _is(key: JobKey) -> ColumnElement[bool]:
    return and_(JOBS.c.tenant_id == key.tenant_id, JOBS.c.id == key.id)


def _of(key: JobKey) -> ColumnElement[bool]:
    return and_(JOB_ITEMS.c.tenant_id == key.tenant_id, JOB_ITEMS.c.job_id == key.id)


def _kept(now: datetime) -> ColumnElement[bool]:
    return JOBS.c.expires_at.is_(None) | (JOBS.c.expires_at > now)


def _set_outcome(key: JobKey) -> Any:
    open_item = _of(key) & (JOB_ITEMS.c.position == bindparam("at")) & _UNDECIDED
    return (
        update(JOB_ITEMS)
        .where(open_item)
        .values(
            done=bindparam("is_done"),
            error_code=bindparam("code"),
            error_message=bindparam("message"),
            error_retryable=bindparam("retryable"),
        )
    )


_UNDECIDED = JOB_ITEMS.c.done.is_not(true()) & JOB_ITEMS.c.error_code.is_(None)


def _outcome(outcome: ItemOutcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "at": outcome.index,
        "is_done": error is None,
        "code": error and error.code,
        "message": error and error.message,
        "retryable": error and error.retryable,
    }


def _believe_records(key: JobKey) -> Any:
    """An item whose record is stored is done, whoever thought that it failed or never told."""
    stored = exists().where(ASSESSMENTS.c.tenant_id == key.tenant_id, ASSESSMENTS.c.id == JOB_ITEMS.c.assessment_id)
    return (
        update(JOB_ITEMS)
        .where(_of(key), JOB_ITEMS.c.done.is_not(true()), stored)
        .values(done=True, error_code=None, error_message=None, error_retryable=None)
    )
