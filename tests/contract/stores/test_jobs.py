"""`JobStore`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, rule
from sqlalchemy import text

from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments
from llama_mapper.adapters.assessment.sql_jobs import SqlJobs
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.assessment.jobs.model import ACTIVE, JobKey, final_status
from llama_mapper.domain.assessment.jobs.ports import ItemOutcome, JobStore, NewItem, NewJob
from llama_mapper.domain.assessment.ports import AssessmentRow
from llama_mapper.domain.contracts.jobs import Job, JobError, JobKind, JobStatus, WebhookDelivery, WebhookStatus
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.ids import new_id
from tests.support.loops import LoopThread
from tests.support.store_machines import TENANTS, StoreMachine, run_machine
from tests.support.store_places import PostgresPlace, StorePlace

Fresh = Callable[[str], Awaitable[Database]]

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
BROKEN = JobError(code="ALL_DETECTORS_UNAVAILABLE", message="nobody answered", retryable=True)
HOOK = "https://hooks.example.com/x"


def a_job(tenant: str = "acme", items: int = 3, *, webhook: str | None = None, at: datetime = NOON) -> NewJob:
    new = tuple(NewItem(f"ref-{number}", new_id("asm")) for number in range(items))
    return NewJob(JobKey(tenant, new_id("job")), JobKind.BATCH, at, new, webhook)


def a_record(job: NewJob, index: int) -> AssessmentRow:
    return AssessmentRow(job.items[index].assessment_id, job.key.tenant_id, NOON, "allow", "LOW", 1.0, b"{}")


@pytest.fixture
async def database(fresh: Fresh) -> Database:
    return await fresh("assessment")


@pytest.fixture
def store(database: Database) -> JobStore:
    return SqlJobs(database)


async def added(store: JobStore, job: NewJob, owner: str = "one") -> JobKey:
    await store.add(job, owner, NOON + 30 * SECOND)
    return job.key


async def found(store: JobStore, key: JobKey, now: datetime = NOON) -> Job:
    job = await store.get(key, now)
    assert job is not None
    return job


async def test_a_new_job_is_queued_with_its_items_in_order_and_without_records(store: JobStore) -> None:
    new = a_job(items=12, webhook=HOOK)
    job = await found(store, await added(store, new))
    assert (job.id, job.tenant_id, job.kind, job.status) == (new.key.id, "acme", JobKind.BATCH, JobStatus.QUEUED)
    assert (job.created_at, job.started_at, job.ended_at, job.expires_at) == (NOON, None, None, None)
    assert [(item.index, item.ref) for item in job.items] == [(n, f"ref-{n}") for n in range(12)]
    assert all(item.assessment_id is None and item.error is None for item in job.items)
    assert job.progress.model_dump() == {"done": 0, "failed": 0, "total": 12}
    assert job.webhook == WebhookDelivery(url=HOOK)


async def test_a_taken_id_is_a_conflict(store: JobStore) -> None:
    job = a_job()
    await added(store, job)
    with pytest.raises(ServiceError) as caught:
        await added(store, NewJob(job.key, JobKind.ASSESSMENT, NOON, (NewItem(None, "asm_x"),)))
    assert caught.value.error_code is ErrorCode.CONFLICT
    assert (await found(store, job.key)).kind is JobKind.BATCH


async def test_reports_add_up_and_an_outcome_stays_as_it_was_first_told(store: JobStore) -> None:
    new = a_job()
    key = await added(store, new)
    await store.report(key, NOON, [])
    assert (await found(store, key)).status is JobStatus.RUNNING
    await store.report(key, NOON + SECOND, [ItemOutcome(2, BROKEN)])
    await store.report(key, NOON + SECOND, [ItemOutcome(0), ItemOutcome(2)])
    job = await found(store, key)
    assert job.started_at == NOON
    assert [item.assessment_id for item in job.items] == [new.items[0].assessment_id, None, None]
    assert [item.error for item in job.items] == [None, None, BROKEN]
    assert job.progress.model_dump() == {"done": 1, "failed": 1, "total": 3}


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([ItemOutcome(0), ItemOutcome(1)], JobStatus.SUCCEEDED),
        ([ItemOutcome(0), ItemOutcome(1, BROKEN)], JobStatus.FAILED),
        ([ItemOutcome(0)], JobStatus.CANCELLED),
        ([], JobStatus.CANCELLED),
    ],
)
async def test_how_a_job_ends_follows_from_its_items(
    store: JobStore, outcomes: list[ItemOutcome], status: JobStatus
) -> None:
    key = await added(store, a_job(items=2))
    await store.report(key, NOON, outcomes)
    ended = await store.end(key, JobStatus.CANCELLED, NOON + SECOND, NOON + DAY)
    assert ended is not None
    assert (ended.status, ended.ended_at, ended.expires_at) == (status, NOON + SECOND, NOON + DAY)
    assert ended.error == (BROKEN if status is JobStatus.FAILED else None)
    job = await found(store, key)
    assert job.model_dump(exclude={"items"}) == ended.model_dump()


async def test_a_job_ends_once(store: JobStore) -> None:
    key = await added(store, a_job())
    ends = await asyncio.gather(
        *(store.end(key, JobStatus.CANCELLED, NOON + number * SECOND, NOON + DAY) for number in range(8))
    )
    [first] = [end for end in ends if end is not None]
    assert await store.end(key, JobStatus.INTERRUPTED, NOON + DAY, NOON + DAY) is None
    assert (await found(store, key)).ended_at == first.ended_at


async def test_at_the_end_a_stored_record_counts_whatever_was_reported(database: Database, store: JobStore) -> None:
    new = a_job(items=4)
    key = await added(store, new)
    records = SqlAssessments(database)
    for index in (0, 1):
        await records.save(a_record(new, index))
    await store.report(key, NOON, [ItemOutcome(1, BROKEN), ItemOutcome(2, BROKEN)])
    ended = await store.end(key, JobStatus.INTERRUPTED, NOON, NOON + DAY)
    assert ended is not None
    assert ended.status is JobStatus.INTERRUPTED
    assert ended.error is not None
    assert (ended.error.code, ended.error.retryable) == ("JOB_INTERRUPTED", True)
    items = (await found(store, key)).items
    assert [item.assessment_id for item in items] == [*(item.assessment_id for item in new.items[:2]), None, None]
    assert [item.error for item in items] == [None, None, BROKEN, None]


async def test_another_tenants_record_makes_no_item_done(database: Database, store: JobStore) -> None:
    new = a_job(items=1)
    key = await added(store, new)
    theirs = AssessmentRow(new.items[0].assessment_id, "globex", NOON, "allow", "LOW", 1.0, b"{}")
    await SqlAssessments(database).save(theirs)
    ended = await store.end(key, JobStatus.INTERRUPTED, NOON, NOON + DAY)
    assert ended is not None
    assert ended.progress.done == 0


async def test_an_outcome_that_comes_after_the_end_is_kept_and_changes_no_status(store: JobStore) -> None:
    key = await added(store, a_job(items=1))
    await store.end(key, JobStatus.INTERRUPTED, NOON, NOON + DAY)
    await store.report(key, NOON, [ItemOutcome(0)])
    job = await found(store, key)
    assert (job.status, job.started_at, job.progress.done) == (JobStatus.INTERRUPTED, None, 1)
    assert job.items[0].assessment_id is not None


async def test_another_tenants_job_is_as_absent_as_none(store: JobStore) -> None:
    key = await added(store, a_job("acme"))
    theirs = JobKey("globex", key.id)
    assert await store.get(theirs, NOON) is None
    assert await store.page("globex", NOON, limit=10) == []
    assert not await store.request_cancel(theirs, NOON)
    assert await store.end(theirs, JobStatus.CANCELLED, NOON, NOON + DAY) is None
    await store.report(theirs, NOON, [ItemOutcome(0)])
    assert (await found(store, key)).progress.done == 0
    [held] = await store.renew("one", NOON + 60 * SECOND)
    assert not held.cancel_requested


async def test_jobs_are_listed_newest_first_and_page_by_page(store: JobStore) -> None:
    keys = [await added(store, a_job()) for _ in range(5)]
    await added(store, a_job("globex"))
    first = await store.page("acme", NOON, limit=3)
    rest = await store.page("acme", NOON, limit=3, before=first[-1].id)
    assert [job.id for job in first + rest] == sorted((key.id for key in keys), reverse=True)


async def test_a_cancellation_is_seen_by_the_holder_and_harmless_after_the_end(store: JobStore) -> None:
    key = await added(store, a_job())
    assert await store.request_cancel(key, NOON)
    assert await store.request_cancel(key, NOON)
    assert (await found(store, key)).cancel_requested
    assert [held.cancel_requested for held in await store.renew("one", NOON + 60 * SECOND)] == [True]
    done = await added(store, a_job(items=1))
    await store.report(done, NOON, [ItemOutcome(0)])
    await store.end(done, JobStatus.CANCELLED, NOON, NOON + DAY)
    assert await store.request_cancel(done, NOON)
    assert (await found(store, done)).status is JobStatus.SUCCEEDED
    assert not (await found(store, done)).cancel_requested
    assert not await store.request_cancel(JobKey("acme", "job_none"), NOON)


async def test_only_the_jobs_of_those_not_heard_of_are_taken(store: JobStore) -> None:
    dead = await added(store, a_job("acme"), "dead")
    other = await added(store, a_job("globex"), "dead")
    alive = await added(store, a_job("acme"), "alive")
    later = NOON + 31 * SECOND
    assert [held.key for held in await store.renew("alive", later + 30 * SECOND)] == [alive]
    taken = await asyncio.gather(
        *(store.take_lapsed(f"taker-{number}", later, later + 30 * SECOND, 10) for number in range(4))
    )
    assert sorted(held.key.id for some in taken for held in some) == sorted([dead.id, other.id])
    assert await store.renew("dead", later + 60 * SECOND) == []
    assert await store.take_lapsed("late", later, later + 30 * SECOND, 10) == []


async def test_an_ended_job_is_held_by_nobody(store: JobStore) -> None:
    key = await added(store, a_job())
    await store.end(key, JobStatus.CANCELLED, NOON, NOON + DAY)
    assert await store.renew("one", NOON + 60 * SECOND) == []
    assert await store.take_lapsed("two", NOON + DAY, NOON + DAY, 10) == []


async def test_a_webhook_is_due_from_the_end_until_it_is_settled_and_goes_to_one_process(store: JobStore) -> None:
    key = await added(store, a_job(webhook=HOOK))
    quiet = await added(store, a_job())
    assert await store.take_due_webhooks(NOON + DAY, NOON + DAY, 10) == []
    for ending in (key, quiet):
        await store.end(ending, JobStatus.CANCELLED, NOON, NOON + DAY)
    taken = await asyncio.gather(*(store.take_due_webhooks(NOON, NOON + 60 * SECOND, 10) for _ in range(4)))
    assert [key for some in taken for key in some] == [key]
    assert await store.take_due_webhooks(NOON + 59 * SECOND, NOON + DAY, 10) == []
    assert await store.take_due_webhooks(NOON + 60 * SECOND, NOON + 90 * SECOND, 10) == [key], "the taker has died"
    again = WebhookDelivery(url=HOOK, attempts=1, next_attempt_at=NOON + 70 * SECOND, last_status=500)
    await store.record_delivery(key, again)
    assert (await found(store, key)).webhook == again
    assert await store.take_due_webhooks(NOON + 70 * SECOND, NOON + DAY, 10) == [key]
    told = WebhookDelivery(
        url=HOOK, status=WebhookStatus.DELIVERED, attempts=2, delivered_at=NOON + 71 * SECOND, last_status=204
    )
    await store.record_delivery(key, told)
    assert (await found(store, key)).webhook == told
    assert await store.take_due_webhooks(NOON + DAY, NOON + DAY, 10) == []


async def test_an_expired_job_is_absent_at_once_and_its_records_stay(database: Database, store: JobStore) -> None:
    new = a_job(items=1, webhook=HOOK)
    key = await added(store, new)
    staying = await added(store, a_job())
    records = SqlAssessments(database)
    await records.save(a_record(new, 0))
    await store.end(key, JobStatus.INTERRUPTED, NOON, NOON + DAY)
    assert await store.get(key, NOON + DAY - SECOND) is not None
    assert await store.get(key, NOON + DAY) is None
    assert not await store.request_cancel(key, NOON + DAY)
    assert [job.id for job in await store.page("acme", NOON + DAY, limit=10)] == [staying.id]
    assert await store.remove_expired(NOON + DAY - SECOND, 10) == 0
    assert await store.remove_expired(NOON + DAY, 10) == 1
    assert await store.remove_expired(NOON + DAY, 10) == 0
    assert await store.get(key, NOON) is None
    assert await store.take_due_webhooks(NOON + DAY, NOON + DAY, 10) == []
    assert await records.get("acme", new.items[0].assessment_id) == b"{}"
    async with database.reading("acme") as connection:
        left = await connection.scalar(text("SELECT count(*) FROM job_items"))
    assert left == 3


async def test_jobs_are_there_after_reopening(database: Database, place: StorePlace) -> None:
    new = a_job()
    await added(SqlJobs(database), new)
    again = await place.reopen(database)
    try:
        assert (await found(SqlJobs(again), new.key)).items[2].ref == "ref-2"
        assert [held.key for held in await SqlJobs(again).renew("one", NOON + DAY)] == [new.key]
    finally:
        await again.close()


async def test_raw_sql_sees_only_the_jobs_of_the_tenant_that_is_set(postgres_place: PostgresPlace) -> None:
    database = await postgres_place.fresh("assessment")
    try:
        await added(SqlJobs(database), a_job("acme"))
        for table, rows in (("jobs", 1), ("job_items", 3)):
            for tenant, visible in (("acme", rows), ("globex", 0), (None, 0)):
                async with database.reading(tenant) as connection:
                    assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == visible, (table, tenant)
    finally:
        await database.close()


class JobMachine(StoreMachine):
    """Owners come and go, time passes, items are judged, jobs end: against a model in plain Python."""

    context = "assessment"
    jobs: Bundle[NewJob] = Bundle("jobs")
    owners = st.sampled_from(["one", "two"])

    def __init__(self) -> None:
        super().__init__()
        self.store: JobStore = SqlJobs(self.database)
        self.records = SqlAssessments(self.database)
        self.now = NOON
        self.known: dict[JobKey, NewJob] = {}
        self.status: dict[JobKey, JobStatus] = {}
        self.outcomes: dict[JobKey, dict[int, JobError | None]] = {}
        self.stored: set[tuple[JobKey, int]] = set()
        self.leases: dict[JobKey, tuple[str, datetime]] = {}
        self.expiry: dict[JobKey, datetime] = {}
        self.due: dict[JobKey, datetime] = {}

    @initialize(target=jobs)
    def begin(self) -> NewJob:
        return self._add("acme", "one", 2, HOOK)

    @rule(target=jobs, tenant=TENANTS, owner=owners, items=st.integers(1, 3), webhook=st.sampled_from([None, HOOK]))
    def add(self, tenant: str, owner: str, items: int, webhook: str | None) -> NewJob:
        return self._add(tenant, owner, items, webhook)

    def _add(self, tenant: str, owner: str, items: int, webhook: str | None) -> NewJob:
        job = a_job(tenant, items, webhook=webhook, at=self.now)
        until = self.now + 30 * SECOND
        self.do(self.store.add(job, owner, until))
        self.known[job.key], self.status[job.key], self.outcomes[job.key] = job, JobStatus.QUEUED, {}
        self.leases[job.key] = (owner, until)
        return job

    @rule(job=jobs, index=st.integers(0, 2))
    def store_record(self, job: NewJob, index: int) -> None:
        if index < len(job.items) and (job.key, index) not in self.stored:
            self.do(self.records.save(a_record(job, index)))
            self.stored.add((job.key, index))

    @rule(job=jobs, index=st.integers(0, 2), failed=st.booleans())
    def report(self, job: NewJob, index: int, failed: bool) -> None:
        outcomes = [ItemOutcome(index, BROKEN if failed else None)] if index < len(job.items) else []
        self.do(self.store.report(job.key, self.now, outcomes))
        if job.key in self.known:
            if self.status[job.key] is JobStatus.QUEUED:
                self.status[job.key] = JobStatus.RUNNING
            for outcome in outcomes:
                self.outcomes[job.key].setdefault(outcome.index, outcome.error)

    @rule(job=jobs, incomplete=st.sampled_from([JobStatus.CANCELLED, JobStatus.INTERRUPTED]))
    def end(self, job: NewJob, incomplete: JobStatus) -> None:
        ended = self.do(self.store.end(job.key, incomplete, self.now, self.now + 300 * SECOND))
        if self.status.get(job.key) not in ACTIVE:
            assert ended is None
            return
        outcomes = self.outcomes[job.key]
        outcomes.update({index: None for key, index in self.stored if key == job.key})
        failed = sum(error is not None for error in outcomes.values())
        self.status[job.key] = final_status(len(outcomes) - failed, failed, len(job.items), incomplete)
        self.expiry[job.key] = self.now + 300 * SECOND
        del self.leases[job.key]
        if job.webhook_url:
            self.due[job.key] = self.now
        assert ended is not None
        assert ended.status is self.status[job.key]

    @rule(seconds=st.sampled_from([1, 20, 40, 200]))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(owner=owners)
    def renew(self, owner: str) -> None:
        until = self.now + 30 * SECOND
        held = {held.key for held in self.do(self.store.renew(owner, until))}
        assert held == {key for key, (holder, _) in self.leases.items() if holder == owner}
        self.leases.update(dict.fromkeys(held, (owner, until)))

    @rule(owner=owners)
    def take_lapsed(self, owner: str) -> None:
        until = self.now + 30 * SECOND
        taken = {held.key for held in self.do(self.store.take_lapsed(owner, self.now, until, 100))}
        assert taken == {key for key, (_, ends) in self.leases.items() if ends < self.now}
        self.leases.update(dict.fromkeys(taken, (owner, until)))

    @rule()
    def take_webhooks(self) -> None:
        until = self.now + 60 * SECOND
        taken = self.do(self.store.take_due_webhooks(self.now, until, 100))
        assert len(taken) == len(set(taken))
        assert set(taken) == {key for key, at in self.due.items() if at <= self.now}
        self.due.update(dict.fromkeys(taken, until))
        assert self.do(self.store.take_due_webhooks(self.now, until, 100)) == []

    @rule()
    def remove_expired(self) -> None:
        gone = {key for key, at in self.expiry.items() if at <= self.now}
        assert self.do(self.store.remove_expired(self.now, 100)) == len(gone)
        for key in gone:
            for kept in (self.known, self.status, self.outcomes, self.expiry, self.due):
                kept.pop(key, None)

    @invariant()
    def every_job_is_shown_as_it_is(self) -> None:
        for key, job in self.known.items():
            shown = self.do(self.store.get(key, self.now))
            if self.expiry.get(key, self.now + SECOND) <= self.now:
                assert shown is None
                continue
            assert shown is not None
            outcomes = self.outcomes[key]
            assert shown.status is self.status[key]
            assert shown.progress.done + shown.progress.failed == len(outcomes)
            for item in shown.items:
                done = outcomes.get(item.index, BROKEN) is None
                assert item.error == outcomes.get(item.index)
                assert item.assessment_id == (job.items[item.index].assessment_id if done else None)

    @invariant()
    def every_tenant_sees_its_own(self) -> None:
        for tenant in ("acme", "globex", "a"):
            shown = {job.id for job in self.do(self.store.page(tenant, self.now, limit=100))}
            assert shown == {
                key.id
                for key in self.known
                if key.tenant_id == tenant and self.expiry.get(key, self.now + SECOND) > self.now
            }


def test_no_sequence_of_calls_makes_the_store_differ_from_its_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(JobMachine, place, loop_thread)
