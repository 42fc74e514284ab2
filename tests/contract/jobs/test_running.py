"""`JobRunner` over the real store: every item once, bounded, fair, and put in order after a death."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.adapters.assessment.http_webhooks import HttpWebhooks
from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments
from llama_mapper.adapters.assessment.sql_jobs import SqlJobs
from llama_mapper.adapters.assessment.webhook_addresses import WebhookHosts
from llama_mapper.adapters.assessment.webhook_signatures import StandardWebhookSigner
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import migrate
from llama_mapper.domain.assessment.jobs.model import ACTIVE, JobKey, JobLimits
from llama_mapper.domain.assessment.jobs.ports import NewJob
from llama_mapper.domain.assessment.jobs.runner import JobRunner
from llama_mapper.domain.assessment.jobs.service import JobService
from llama_mapper.domain.assessment.ports import AssessmentRow
from llama_mapper.domain.contracts.assessment import AssessmentRecord, AssessmentRequest
from llama_mapper.domain.contracts.jobs import BatchRequest, Job, JobStatus, JobSummary
from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError, ServiceError, StoreError
from llama_mapper.domain.kernel.tenancy import CURRENT_PRINCIPAL, Principal, Scope

LIMITS = JobLimits(concurrency=2, lease_s=300.0, grace_s=5.0)


class Chain:
    """Stores a record for each text; what else it does, the text says."""

    def __init__(self, records: SqlAssessments) -> None:
        self.records = records
        self.order: list[str] = []
        self.callers: list[str | None] = []
        self.gate = asyncio.Event()
        self.held = 0
        self.most = 0
        self.tries = 0

    async def assess(self, request: AssessmentRequest, *, assessment_id: str | None = None) -> AssessmentRecord:
        assert request.tenant_id is not None
        assert assessment_id is not None
        self.order.append(request.tenant_id)
        caller = CURRENT_PRINCIPAL.get()
        self.callers.append(None if caller is None else caller.name)
        self.held += 1
        self.most = max(self.most, self.held)
        try:
            await self._as_told(request, assessment_id)
        finally:
            self.held -= 1
        await self._save(request, assessment_id)
        unused: Any = None
        return AssessmentRecord(unused, b"{}")

    async def _save(self, request: AssessmentRequest, assessment_id: str) -> None:
        at = datetime.now(UTC)
        await self.records.save(AssessmentRow(assessment_id, str(request.tenant_id), at, "allow", "LOW", 1.0, b"{}"))

    async def _as_told(self, request: AssessmentRequest, assessment_id: str) -> None:
        match request.content:
            case "wait":
                await self.gate.wait()
            case "refuse":
                raise OrchestrationError("no such policy", ErrorCode.POLICY_NOT_FOUND, False)
            case "surprise":
                raise KeyError("a surprise that quotes the text")
            case "overloaded once":
                self.tries += 1
                if self.tries == 1:
                    raise OrchestrationError("later", ErrorCode.DETECTOR_OVERLOADED, True, retry_after_s=0.01)
            case "stored but not told":
                self.tries += 1
                if self.tries == 1:
                    await self._save(request, assessment_id)
                    raise StoreError("the connection was lost")
            case _:
                await asyncio.sleep(0)


class Process:
    """One server's part in jobs; several can share a database."""

    def __init__(
        self,
        database: Database,
        limits: JobLimits = LIMITS,
        ahead: timedelta = timedelta(),
        store: SqlJobs | None = None,
    ) -> None:
        self.ahead = ahead
        self.store = store or SqlJobs(database)
        self.chain = Chain(SqlAssessments(database))
        self.ended: list[JobSummary] = []
        self.runner = JobRunner(self.chain, self.store, self.now, limits, self.ended.append)
        signer = StandardWebhookSigner(b"k" * 32)
        self.jobs = JobService(self.runner, self.store, HttpWebhooks(WebhookHosts([])), signer, self.now, limits)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        await self.runner.start()
        try:
            yield self
        finally:
            await self.runner.stop()

    async def submit(self, *texts: str, tenant: str = "acme", **more: object) -> str:
        batch = {"items": [{"content": text} for text in texts], "tenant_id": tenant, **more}
        return (await self.jobs.submit_batch(BatchRequest.model_validate(batch, strict=False))).id

    async def get(self, job_id: str, tenant: str = "acme") -> Job:
        return await self.jobs.get(tenant, job_id)

    async def until(self, job_id: str, good: Callable[[Job], bool], tenant: str = "acme") -> Job:
        async with asyncio.timeout(30):
            while not good(job := await self.get(job_id, tenant)):
                await asyncio.sleep(0.01)
        return job

    async def until_ended(self, job_id: str, tenant: str = "acme") -> Job:
        return await self.until(job_id, lambda job: job.ended_at is not None, tenant)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Database]]]:
    databases: list[Database] = []

    async def open_another() -> Database:
        database = Database(tmp_path, "assessment")
        databases.append(database)
        await database.open()
        await migrate(database)
        return database

    yield open_another
    for database in databases:
        await database.close()


@pytest.fixture
async def database(opened: Callable[[], Awaitable[Database]]) -> Database:
    return await opened()


async def test_every_item_gets_one_record_and_the_job_names_it(database: Database) -> None:
    async with Process(database).running() as process:
        job = await process.until_ended(await process.submit(*["x"] * 250))
    assert job.status is JobStatus.SUCCEEDED
    assert job.progress.done == 250
    named = [item.assessment_id for item in job.items]
    stored = [row.id for row in await process.chain.records.list("acme", limit=1000)]
    assert sorted(map(str, named)) == sorted(stored)
    assert len(process.chain.order) == 250
    assert process.chain.most == LIMITS.concurrency
    assert [ended.id for ended in process.ended] == [job.id]
    assert process.runner.waiting == process.runner.running == 0


async def test_an_item_runs_for_the_caller_who_sent_it(database: Database) -> None:
    async with Process(database).running() as process:
        jobs = []
        for name in ("anna", "ben"):
            token = CURRENT_PRINCIPAL.set(Principal(name, "acme", frozenset({Scope.ASSESS})))
            jobs.append(await process.submit("x"))
            CURRENT_PRINCIPAL.reset(token)
        for job in jobs:
            await process.until_ended(job)
    assert sorted(map(str, process.chain.callers)) == ["anna", "ben"]


async def test_one_bad_item_fails_alone_and_says_why_without_its_text(database: Database) -> None:
    async with Process(database).running() as process:
        job = await process.until_ended(await process.submit("x", "refuse", "surprise", "x"))
    assert job.status is JobStatus.FAILED
    assert [item.error.code if item.error else None for item in job.items] == [
        None,
        "POLICY_NOT_FOUND",
        "INTERNAL_ERROR",
        None,
    ]
    assert job.error == job.items[1].error
    assert "quotes" not in job.model_dump_json()
    assert job.progress.model_dump() == {"done": 2, "failed": 2, "total": 4}


@pytest.mark.parametrize("text", ["overloaded once", "stored but not told"])
async def test_a_passing_fault_is_tried_again_and_doubles_nothing(database: Database, text: str) -> None:
    async with Process(database).running() as process:
        job = await process.until_ended(await process.submit(text))
    assert job.status is JobStatus.SUCCEEDED
    assert process.chain.tries == 2 or text == "stored but not told"
    assert len(await process.chain.records.list("acme", limit=10)) == 1


async def test_an_item_beyond_its_deadline_fails_and_the_next_one_runs(database: Database) -> None:
    async with Process(database, replace(LIMITS, deadline_s=0.05)).running() as process:
        job = await process.until_ended(await process.submit("wait", "x"))
    first = job.items[0].error
    assert first is not None
    assert (first.code, first.retryable) == ("REQUEST_TIMEOUT", True)
    assert job.items[1].assessment_id is not None


async def test_cancelling_in_the_middle_keeps_what_was_done_and_runs_no_more(database: Database) -> None:
    async with Process(database).running() as process:
        key = await process.submit("x", "x", "x", "wait", "wait", *["x"] * 50)
        await process.until(key, lambda job: job.progress.done == 3)
        job = await process.jobs.cancel("acme", key)
        assert job.status is JobStatus.CANCELLED
        assert job.cancel_requested
        assert [item.assessment_id is not None for item in job.items[:5]] == [True, True, True, False, False]
        assert len(await process.chain.records.list("acme", limit=100)) == 3
        assert process.runner.waiting == process.runner.running == 0
        again = await process.jobs.cancel("acme", key)
        assert again == job
        after = await process.until_ended(await process.submit("x"))
        assert after.status is JobStatus.SUCCEEDED
    assert len(process.chain.order) == 6


async def test_a_queued_job_can_be_cancelled_before_it_runs(database: Database) -> None:
    async with Process(database, replace(LIMITS, concurrency=1)).running() as process:
        blocking = await process.submit("wait")
        queued = await process.submit("x", "x")
        job = await process.jobs.cancel("acme", queued)
        assert (job.status, job.started_at) == (JobStatus.CANCELLED, None)
        process.chain.gate.set()
        await process.until_ended(blocking)
    assert len(process.chain.order) == 1


async def test_a_job_of_another_tenant_cannot_be_cancelled(database: Database) -> None:
    async with Process(database).running() as process:
        key = await process.submit("wait")
        with pytest.raises(ServiceError) as caught:
            await process.jobs.cancel("globex", key)
        assert caught.value.error_code is ErrorCode.NOT_FOUND
        process.chain.gate.set()
        assert (await process.until_ended(key)).status is JobStatus.SUCCEEDED


async def test_another_server_can_cancel(opened: Callable[[], Awaitable[Database]]) -> None:
    limits = replace(LIMITS, lease_s=0.3)
    async with Process(await opened(), limits).running() as holder:
        other = Process(await opened(), limits)
        key = await holder.submit("wait", "x")
        assert (await other.jobs.cancel("acme", key)).cancel_requested
        assert (await other.until_ended(key)).status is JobStatus.CANCELLED


async def test_tenants_take_turns(database: Database) -> None:
    async with Process(database, replace(LIMITS, concurrency=1)).running() as process:
        big = await process.submit("wait", *["x"] * 40, tenant="big")
        await process.until(big, lambda job: job.status is JobStatus.RUNNING, "big")
        small = await process.submit("x", tenant="small")
        process.chain.gate.set()
        await process.until_ended(small, "small")
        await process.until_ended(big, "big")
    assert process.chain.order.index("small") <= 2


async def test_a_full_queue_refuses_and_nothing_of_the_job_is_kept(database: Database) -> None:
    async with Process(database, replace(LIMITS, batch_items=10, queue_items=20)).running() as process:
        first = await process.submit(*["wait"] * 10)
        await process.until(first, lambda _: process.runner.running == 2)
        await process.submit("wait", "wait")
        with pytest.raises(ServiceError) as caught:
            await process.submit("x")
        assert caught.value.error_code is ErrorCode.JOB_QUEUE_FULL
        assert caught.value.retry_after_s
        assert len((await process.jobs.page("acme", limit=10)).items) == 2
        other = await process.submit("x", tenant="globex")
        process.chain.gate.set()
        await process.until_ended(other, "globex")
        assert (await process.until_ended(await process.submit("x"))).status is JobStatus.SUCCEEDED


async def test_too_many_items_are_refused(database: Database) -> None:
    async with Process(database, replace(LIMITS, batch_items=2)).running() as process:
        with pytest.raises(ServiceError) as caught:
            await process.submit("x", "x", "x")
    assert caught.value.error_code is ErrorCode.INVALID_REQUEST


async def test_a_stop_lets_jobs_end_within_the_grace(database: Database) -> None:
    async with Process(database).running() as process:
        key = await process.submit(*["x"] * 100)
    assert (await process.get(key)).status is JobStatus.SUCCEEDED
    with pytest.raises(ServiceError) as caught:
        await process.submit("x")
    assert (caught.value.error_code, caught.value.retryable) == (ErrorCode.SERVICE_UNAVAILABLE, True)


async def test_what_does_not_end_within_the_grace_is_interrupted(database: Database) -> None:
    async with Process(database, replace(LIMITS, grace_s=0.2)).running() as process:
        key = await process.submit("x", "wait", "wait", "x")
        await process.until(key, lambda job: job.progress.done == 1)
    job = await process.get(key)
    assert job.status is JobStatus.INTERRUPTED
    assert job.error is not None
    assert (job.error.code, job.error.retryable) == ("JOB_INTERRUPTED", True)
    assert job.progress.model_dump() == {"done": 1, "failed": 0, "total": 4}


async def died(process: Process) -> None:
    """End a process as if it had been killed: it writes nothing any more."""
    tasks: list[asyncio.Task[Any]] = [*process.runner._tasks]
    for job in process.runner._live.values():
        tasks += job.running
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_dead_servers_jobs_are_ended_by_another_and_a_living_ones_are_not(
    opened: Callable[[], Awaitable[Database]],
) -> None:
    dead, alive = Process(await opened()), Process(await opened())
    await dead.runner.start()
    lost = await dead.submit("x", "wait", "x", "wait", "x")
    await dead.until(lost, lambda job: job.progress.done == 2)  # and both workers wait
    async with alive.running():
        kept = await alive.submit("wait")
        await died(dead)
        later = Process(await opened(), ahead=timedelta(seconds=LIMITS.lease_s * 1.5))
        alive.ahead = later.ahead
        await alive.runner._keep()
        async with later.running():
            job = await later.until_ended(lost)
            assert (await later.get(kept)).status in ACTIVE
            alive.chain.gate.set()
            assert (await alive.until_ended(kept)).status is JobStatus.SUCCEEDED
    assert job.status is JobStatus.INTERRUPTED
    named = {item.assessment_id for item in job.items if item.assessment_id}
    stored = {row.id for row in await dead.chain.records.list("acme", limit=10)}
    assert named == stored - {str(item.assessment_id) for item in (await alive.get(kept)).items}
    assert [ended.id for ended in later.ended + alive.ended].count(lost) == 1


async def test_a_server_that_was_thought_dead_adds_what_it_did_and_stops(
    opened: Callable[[], Awaitable[Database]],
) -> None:
    async with Process(await opened()).running() as slow:
        key = await slow.submit("wait", "wait", *["x"] * 50)
        await slow.until(key, lambda job: job.status is JobStatus.RUNNING)
        async with Process(await opened(), ahead=timedelta(seconds=LIMITS.lease_s * 2)).running() as other:
            assert (await other.until_ended(key)).status is JobStatus.INTERRUPTED
        await slow.runner._keep()
        await slow.until(key, lambda _: slow.runner.waiting == 0 and slow.runner.running == 0)
        job = await slow.get(key)
    assert slow.ended == []
    assert job.status is JobStatus.INTERRUPTED
    stored = {row.id for row in await slow.chain.records.list("acme", limit=100)}
    assert {item.assessment_id for item in job.items if item.assessment_id} == stored


async def test_a_leap_of_the_clock_ends_no_job_of_our_own(database: Database) -> None:
    async with Process(database).running() as process:
        key = await process.submit("wait")
        process.ahead = timedelta(seconds=LIMITS.lease_s * 2)
        await process.runner._take_over()
        assert (await process.get(key)).status in ACTIVE
        process.chain.gate.set()
        assert (await process.until_ended(key)).status is JobStatus.SUCCEEDED


class LosesTheAnswer(SqlJobs):
    """Stores the job, and cannot say so."""

    async def add(self, job: NewJob, owner: str, lease_until: datetime) -> None:
        await super().add(job, owner, lease_until)
        raise StoreError("the connection was lost")


async def test_a_job_that_was_stored_and_never_begun_is_interrupted(database: Database) -> None:
    process = Process(database, store=LosesTheAnswer(database))
    await process.runner.start()
    with pytest.raises(StoreError):
        await process.submit("x")
    [job] = (await process.jobs.page("acme", limit=10)).items
    assert job.status is JobStatus.QUEUED
    await process.runner._keep()
    assert (await process.get(job.id)).status is JobStatus.INTERRUPTED
    assert process.runner.waiting == 0
    await process.runner.stop()


async def test_an_ended_job_is_forgotten_when_its_time_is_over_and_its_records_stay(database: Database) -> None:
    limits = replace(LIMITS, ttl_s=60.0)
    async with Process(database, limits).running() as process:
        job = await process.until_ended(await process.submit("x"))
        assert job.ended_at is not None
        assert job.expires_at == job.ended_at + timedelta(seconds=60)
        process.ahead = timedelta(seconds=61)
        with pytest.raises(ServiceError) as caught:
            await process.get(job.id)
        assert caught.value.error_code is ErrorCode.NOT_FOUND
    async with Process(database, limits, ahead=timedelta(seconds=61)).running():
        async with asyncio.timeout(30):
            while (
                await _rows(database, "jobs") + await _rows(database, "job_items") + await _rows(database, "job_agenda")
            ):
                await asyncio.sleep(0.01)
    assert len(await process.chain.records.list("acme", limit=10)) == 1


async def _rows(database: Database, table: str) -> int:
    return int((await database.sqlite_rows(f"SELECT count(*) FROM {table}"))[0][0])


class AwayTwice(SqlJobs):
    """Cannot be reached the first two times that a job ends."""

    away = 2

    async def end(self, key: JobKey, incomplete: JobStatus, at: datetime, expires_at: datetime) -> JobSummary | None:
        if self.away:
            self.away -= 1
            raise StoreError("away")
        return await super().end(key, incomplete, at, expires_at)


async def test_a_store_that_is_away_at_the_end_is_waited_for(database: Database) -> None:
    async with Process(database, store=AwayTwice(database)).running() as process:
        job = await process.until_ended(await process.submit("x"))
    assert job.status is JobStatus.SUCCEEDED
    assert process.runner.store_failures == 2


async def test_a_single_text_is_a_job_of_one_item(database: Database) -> None:
    async with Process(database).running() as process:
        accepted = await process.jobs.submit(AssessmentRequest(content="x", tenant_id="acme"))
        job = await process.until_ended(accepted.id)
    assert (accepted.kind.value, accepted.status, accepted.webhook_secret) == ("assessment", JobStatus.QUEUED, None)
    assert [item.assessment_id is not None for item in job.items] == [True]


async def test_a_webhook_that_may_not_be_called_is_refused_before_anything_is_kept(database: Database) -> None:
    async with Process(database).running() as process:
        with pytest.raises(ServiceError) as caught:
            await process.submit("x", webhook={"url": "https://127.0.0.1/x"})
        assert caught.value.error_code is ErrorCode.INVALID_REQUEST
        assert (await process.jobs.page("acme", limit=10)).items == ()


async def test_jobs_are_paged_newest_first(database: Database) -> None:
    async with Process(database).running() as process:
        keys = [await process.submit("x") for _ in range(5)]
        first = await process.jobs.page("acme", limit=2)
        second = await process.jobs.page("acme", limit=2, cursor=first.next_cursor)
        third = await process.jobs.page("acme", limit=2, cursor=second.next_cursor)
    assert [job.id for page in (first, second, third) for job in page.items] == sorted(keys, reverse=True)
    assert third.next_cursor is None
