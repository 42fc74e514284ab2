"""`TrainingJobs`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, rule
from sqlalchemy import text

from llama_mapper.adapters.mapping.sql_training_jobs import SqlTrainingJobs
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.training import (
    ReviewedLabel,
    TrainingError,
    TrainingHyperparameters,
    TrainingJob,
    TrainingKind,
    TrainingProgress,
    TrainingRequest,
    TrainingStatus,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.training.ports import TrainingEnd, TrainingJobs, TrainingKey
from tests.support.loops import LoopThread
from tests.support.store_machines import TENANTS, StoreMachine, run_machine
from tests.support.store_places import PostgresPlace, StorePlace

Fresh = Callable[[str], Awaitable[Database]]

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = 30 * SECOND
REQUEST = TrainingRequest(
    kind=TrainingKind.MAPPER,
    base_model="small",
    hyperparameters=TrainingHyperparameters(steps=40),
    reviewed_labels=(ReviewedLabel(vendor="v", label="L", canonical="pii.names"),),
)
HALF = TrainingProgress(stage="training", step=20, steps=40, loss=1.5, notes=("one",))
DONE = TrainingEnd(
    TrainingStatus.REGISTERED,
    model="acme/mapper/1",
    data_digest="sha256:" + "0" * 64,
    metrics={"level2_accuracy": 0.5},
)
FAILED = TrainingEnd(
    TrainingStatus.FAILED, error=TrainingError(code="TRAINING_FAILED", message="disk_full: no room", retryable=True)
)


@pytest.fixture
async def database(fresh: Fresh) -> Database:
    return await fresh("mapping")


@pytest.fixture
def jobs(database: Database) -> TrainingJobs:
    return SqlTrainingJobs(database)


async def added(jobs: TrainingJobs, tenant: str = "acme") -> TrainingKey:
    key = TrainingKey(tenant, new_id("train"))
    await jobs.add(key, REQUEST, NOON)
    return key


async def found(jobs: TrainingJobs, key: TrainingKey) -> TrainingJob:
    job = await jobs.get(key)
    assert job is not None
    return job


async def test_a_new_job_waits_and_is_shown_as_asked(jobs: TrainingJobs) -> None:
    key = TrainingKey("acme", new_id("train"))
    job = await jobs.add(key, REQUEST, NOON)
    assert job == await jobs.get(key)
    assert (job.status, job.kind, job.base_model, job.attempts) == (TrainingStatus.QUEUED, REQUEST.kind, "small", 0)
    assert (job.created_at, job.started_at, job.ended_at) == (NOON, None, None)
    assert (job.progress.stage, job.progress.step, job.progress.steps) == ("waiting", 0, 40)


async def test_a_taken_id_is_a_conflict(jobs: TrainingJobs) -> None:
    key = await added(jobs)
    with pytest.raises(ServiceError) as caught:
        await jobs.add(key, REQUEST, NOON + SECOND)
    assert caught.value.error_code is ErrorCode.CONFLICT
    assert (await found(jobs, key)).created_at == NOON


async def test_the_oldest_job_is_taken_first_with_what_was_asked(jobs: TrainingJobs) -> None:
    keys = [await added(jobs, tenant) for tenant in ("acme", "globex", "acme")]
    first = await jobs.take("one", NOON, NOON + LEASE, 2)
    assert [held.key for held in first] == keys[:2]
    assert [(held.request, held.attempts) for held in first] == [(REQUEST, 1)] * 2
    assert [held.key for held in await jobs.take("two", NOON, NOON + LEASE, 2)] == keys[2:]
    assert await jobs.take("two", NOON, NOON + LEASE, 2) == []


async def test_a_job_goes_to_one_owner_however_many_ask(jobs: TrainingJobs) -> None:
    keys = {await added(jobs) for _ in range(5)}
    taken = await asyncio.gather(*(jobs.take(f"owner-{n}", NOON, NOON + LEASE, 2) for n in range(6)))
    held = [each.key for some in taken for each in some]
    assert len(held) == len(set(held))
    assert set(held) <= keys
    assert {(await found(jobs, key)).attempts for key in held} == {1}


async def test_a_lapsed_job_is_taken_over_and_its_holder_can_change_it_no_more(jobs: TrainingJobs) -> None:
    key = await added(jobs)
    await jobs.take("dead", NOON, NOON + LEASE, 1)
    later = NOON + LEASE + SECOND
    assert await jobs.take("two", NOON + LEASE, NOON + 2 * LEASE, 1) == [], "the lease has not ended yet"
    [held] = await jobs.take("two", later, later + LEASE, 1)
    assert (held.key, held.attempts) == (key, 2)
    assert not await jobs.report(key, "dead", TrainingStatus.RUNNING, HALF, later)
    assert not await jobs.release(key, "dead")
    assert not await jobs.end(key, "dead", DONE, later)
    assert await jobs.renew("dead", later + LEASE) == {}
    assert (await found(jobs, key)).progress.step == 0
    assert await jobs.end(key, "two", DONE, later)


async def test_renewing_keeps_a_job_and_tells_of_cancellations(jobs: TrainingJobs) -> None:
    keys = [await added(jobs) for _ in range(2)]
    await jobs.take("one", NOON, NOON + LEASE, 2)
    assert await jobs.request_cancel(keys[1], NOON)
    assert await jobs.renew("one", NOON + 3 * LEASE) == {keys[0]: False, keys[1]: True}
    assert await jobs.take("two", NOON + 2 * LEASE, NOON + 3 * LEASE, 2) == []


async def test_progress_is_shown_and_the_start_is_the_first_report(jobs: TrainingJobs) -> None:
    key = await added(jobs)
    await jobs.take("one", NOON, NOON + LEASE, 1)
    assert await jobs.report(key, "one", TrainingStatus.RUNNING, HALF, NOON + SECOND)
    evaluating = HALF.model_copy(update={"stage": "evaluating", "evaluated": 3})
    assert await jobs.report(key, "one", TrainingStatus.EVALUATING, evaluating, NOON + 2 * SECOND)
    job = await found(jobs, key)
    assert (job.status, job.progress, job.started_at) == (TrainingStatus.EVALUATING, evaluating, NOON + SECOND)


async def test_a_released_job_is_taken_at_once_and_keeps_its_progress(jobs: TrainingJobs) -> None:
    key = await added(jobs)
    await jobs.take("one", NOON, NOON + LEASE, 1)
    await jobs.report(key, "one", TrainingStatus.RUNNING, HALF, NOON)
    assert await jobs.release(key, "one")
    job = await found(jobs, key)
    assert (job.status, job.progress) == (TrainingStatus.INTERRUPTED, HALF)
    assert await jobs.unended("acme") == 1
    [held] = await jobs.take("two", NOON, NOON + LEASE, 1)
    assert held.attempts == 2


@pytest.mark.parametrize("how", [DONE, FAILED, TrainingEnd(TrainingStatus.CANCELLED)])
async def test_a_job_ends_once_and_is_held_by_nobody(jobs: TrainingJobs, how: TrainingEnd) -> None:
    key = await added(jobs)
    await jobs.take("one", NOON, NOON + LEASE, 1)
    await jobs.report(key, "one", TrainingStatus.RUNNING, HALF, NOON)
    assert await jobs.end(key, "one", how, NOON + SECOND)
    assert not await jobs.end(key, "one", TrainingEnd(TrainingStatus.CANCELLED), NOON + 2 * SECOND)
    job = await found(jobs, key)
    assert (job.status, job.model, job.metrics, job.error) == (how.status, how.model, dict(how.metrics), how.error)
    assert (job.ended_at, job.data_digest) == (NOON + SECOND, how.data_digest)
    assert (job.progress.stage, job.progress.step) == ("ended", 20)
    assert await jobs.renew("one", NOON + LEASE) == {}
    assert await jobs.take("two", NOON + 9 * LEASE, NOON + 9 * LEASE, 9) == []
    assert await jobs.unended("acme") == 0


async def test_a_job_that_nobody_holds_is_cancelled_at_once(jobs: TrainingJobs) -> None:
    waiting, lapsed = await added(jobs), await added(jobs)
    assert await jobs.request_cancel(waiting, NOON)
    assert (await found(jobs, waiting)).status is TrainingStatus.CANCELLED
    assert [held.key for held in await jobs.take("dead", NOON, NOON + LEASE, 9)] == [lapsed]
    assert await jobs.request_cancel(lapsed, NOON + LEASE + SECOND)
    assert (await found(jobs, lapsed)).status is TrainingStatus.CANCELLED


async def test_a_job_that_is_held_is_cancelled_by_its_holder(jobs: TrainingJobs) -> None:
    key = await added(jobs)
    await jobs.take("one", NOON, NOON + LEASE, 1)
    assert await jobs.request_cancel(key, NOON)
    job = await found(jobs, key)
    assert job.cancel_requested
    assert job.ended_at is None
    assert await jobs.end(key, "one", DONE, NOON)
    assert await jobs.request_cancel(key, NOON), "harmless"
    assert (await found(jobs, key)).status is TrainingStatus.REGISTERED


async def test_another_tenants_job_is_as_absent_as_none(jobs: TrainingJobs) -> None:
    key = await added(jobs)
    theirs = TrainingKey("globex", key.id)
    assert await jobs.get(theirs) is None
    assert await jobs.page("globex", limit=10) == []
    assert await jobs.unended("globex") == 0
    assert not await jobs.request_cancel(theirs, NOON)
    await jobs.take("one", NOON, NOON + LEASE, 1)
    assert not await jobs.report(theirs, "one", TrainingStatus.RUNNING, HALF, NOON)
    assert not await jobs.end(theirs, "one", DONE, NOON)
    assert (await found(jobs, key)).progress.step == 0


async def test_jobs_are_listed_newest_first_and_page_by_page(jobs: TrainingJobs) -> None:
    keys = [await added(jobs) for _ in range(5)]
    await added(jobs, "globex")
    first = await jobs.page("acme", limit=3)
    rest = await jobs.page("acme", limit=3, before=first[-1].id)
    assert [job.id for job in first + rest] == sorted((key.id for key in keys), reverse=True)


async def test_jobs_are_there_after_reopening(database: Database, place: StorePlace) -> None:
    key = await added(SqlTrainingJobs(database))
    again = await place.reopen(database)
    try:
        assert (await found(SqlTrainingJobs(again), key)).status is TrainingStatus.QUEUED
        assert [held.key for held in await SqlTrainingJobs(again).take("one", NOON, NOON + LEASE, 1)] == [key]
    finally:
        await again.close()


async def test_raw_sql_sees_only_the_jobs_of_the_tenant_that_is_set(postgres_place: PostgresPlace) -> None:
    database = await postgres_place.fresh("mapping")
    try:
        await added(SqlTrainingJobs(database))
        for tenant, visible in (("acme", 1), ("globex", 0), (None, 0)):
            async with database.reading(tenant) as connection:
                assert await connection.scalar(text("SELECT count(*) FROM training_jobs")) == visible, tenant
    finally:
        await database.close()


class TrainingJobMachine(StoreMachine):
    """Owners come and go and time passes, against a model in plain Python."""

    context = "mapping"
    keys: Bundle[TrainingKey] = Bundle("keys")
    owners = st.sampled_from(["one", "two"])

    def __init__(self) -> None:
        super().__init__()
        self.jobs: TrainingJobs = SqlTrainingJobs(self.database)
        self.now = NOON
        self.status: dict[TrainingKey, TrainingStatus] = {}
        self.attempts: dict[TrainingKey, int] = {}
        self.leases: dict[TrainingKey, tuple[str, datetime] | None] = {}
        self.asked: set[TrainingKey] = set()

    @initialize(target=keys)
    def begin(self) -> TrainingKey:
        return self._add("acme")

    @rule(target=keys, tenant=TENANTS)
    def add(self, tenant: str) -> TrainingKey:
        return self._add(tenant)

    def _add(self, tenant: str) -> TrainingKey:
        key = TrainingKey(tenant, new_id("train"))
        self.do(self.jobs.add(key, REQUEST, self.now))
        self.status[key], self.attempts[key], self.leases[key] = TrainingStatus.QUEUED, 0, None
        return key

    @rule(owner=owners, limit=st.integers(1, 3))
    def take(self, owner: str, limit: int) -> None:
        until = self.now + LEASE
        free = sorted(
            (key for key, lease in self.leases.items() if lease is None or lease[1] < self.now), key=lambda key: key.id
        )[:limit]
        taken = self.do(self.jobs.take(owner, self.now, until, limit))
        assert [held.key for held in taken] == free
        for held in taken:
            self.leases[held.key] = (owner, until)
            self.attempts[held.key] += 1
            assert held.attempts == self.attempts[held.key]

    @rule(owner=owners)
    def renew(self, owner: str) -> None:
        until = self.now + LEASE
        held = self.do(self.jobs.renew(owner, until))
        own = {key for key, lease in self.leases.items() if lease is not None and lease[0] == owner}
        assert held == {key: key in self.asked for key in own}
        self.leases.update(dict.fromkeys(own, (owner, until)))

    @rule(key=keys, owner=owners)
    def report(self, key: TrainingKey, owner: str) -> None:
        done = self.do(self.jobs.report(key, owner, TrainingStatus.RUNNING, HALF, self.now))
        assert done is self._holds(key, owner)
        if done:
            self.status[key] = TrainingStatus.RUNNING

    @rule(key=keys, owner=owners)
    def release(self, key: TrainingKey, owner: str) -> None:
        done = self.do(self.jobs.release(key, owner))
        assert done is self._holds(key, owner)
        if done:
            self.status[key], self.leases[key] = TrainingStatus.INTERRUPTED, None

    @rule(key=keys, owner=owners, how=st.sampled_from([DONE, FAILED]))
    def end(self, key: TrainingKey, owner: str, how: TrainingEnd) -> None:
        done = self.do(self.jobs.end(key, owner, how, self.now))
        assert done is self._holds(key, owner)
        if done:
            self.status[key] = how.status
            del self.leases[key]

    @rule(key=keys)
    def cancel(self, key: TrainingKey) -> None:
        assert self.do(self.jobs.request_cancel(key, self.now))
        if key not in self.leases:
            return
        lease = self.leases[key]
        self.asked.add(key)
        if lease is None or lease[1] < self.now:
            self.status[key] = TrainingStatus.CANCELLED
            del self.leases[key]

    @rule(seconds=st.sampled_from([1, 20, 40]))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds * SECOND

    def _holds(self, key: TrainingKey, owner: str) -> bool:
        lease = self.leases.get(key)
        return lease is not None and lease[0] == owner

    @invariant()
    def every_job_is_shown_as_it_is(self) -> None:
        for key, status in self.status.items():
            job = self.do(self.jobs.get(key))
            assert job is not None
            assert (job.status, job.attempts, job.cancel_requested) == (status, self.attempts[key], key in self.asked)
            assert (job.ended_at is None) is (key in self.leases)


def test_no_sequence_of_calls_makes_the_store_differ_from_its_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(TrainingJobMachine, place, loop_thread)
