"""`TrainingRunner` over the real store: each job by one process, ended once, gone on with after a death."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.sql_training_jobs import SqlTrainingJobs
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import migrate
from llama_mapper.domain.contracts.training import (
    ReviewedLabel,
    TrainingJob,
    TrainingKind,
    TrainingProgress,
    TrainingRequest,
    TrainingStatus,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError, ServiceError, StoreError
from llama_mapper.domain.mapping.training.ports import (
    TrainedModel,
    TrainingEnd,
    TrainingKey,
    TrainingOrder,
    TrainingStoppedError,
)
from llama_mapper.domain.mapping.training.runner import TrainingLimits, TrainingRunner
from llama_mapper.domain.mapping.training.service import UNENDED_LIMIT, TrainingService

LIMITS = TrainingLimits(lease_s=60.0, report_s=0.02, grace_s=5.0)
MODELS = {"small": Path("/models/small")}
CANONICALS = frozenset({"pii.names"})
REQUEST = TrainingRequest(kind=TrainingKind.MAPPER, base_model="small", tenant_id="acme")


class Training:
    """Trains nothing; a run ends when told to. `steps` are what is left of a run when its process goes away."""

    def __init__(self) -> None:
        self.orders: list[TrainingOrder] = []
        self.killed: list[str] = []
        self.running: dict[str, int] = {}
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.ignores_stop = False

    async def carry_out(
        self, order: TrainingOrder, tell: Callable[[TrainingProgress], None], stop: asyncio.Event
    ) -> TrainedModel:
        self.orders.append(order)
        run = order.key.id
        self.running[run] = self.running.get(run, 0) + 1
        assert self.running[run] == 1, "two processes for one run"
        try:
            tell(TrainingProgress(stage="training", step=len(self.orders), steps=9))
            waits = [asyncio.create_task(self.gate.wait())]
            if not self.ignores_stop:
                waits.append(asyncio.create_task(stop.wait()))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            if self.error is not None:
                raise self.error
            if not self.gate.is_set():
                raise TrainingStoppedError("stopped")
        except asyncio.CancelledError:
            self.killed.append(run)
            raise
        finally:
            self.running[run] -= 1
        return TrainedModel(
            key=order.key,
            task=order.task,
            base_model="small",
            folder=Path("/nowhere"),
            steps=9,
            metrics={"level2_accuracy": 0.5},
            card={},
            data_digest="sha256:" + "1" * 64,
            spec_digest="sha256:" + "2" * 64,
            trained_at=datetime.now(UTC),
        )

    async def log(self, key: TrainingKey, lines: int) -> tuple[list[str], bool]:
        return [f"{key.id} {number}" for number in range(lines)], True


class Registration:
    def __init__(self) -> None:
        self.registered: list[str] = []

    async def register(self, trained: TrainedModel) -> str:
        self.registered.append(trained.key.id)
        return f"models/{trained.key.id}"


class Cast:
    """One process: a runner, a service, and what they use."""

    def __init__(self, database: Database, training: Training, clock: Clock, limits: TrainingLimits) -> None:
        self.jobs = SqlTrainingJobs(database)
        self.training = training
        self.registration = Registration()
        self.runner = TrainingRunner(
            training, self.jobs, self.registration, clock, limits, base_models=MODELS, canonicals=CANONICALS
        )
        self.service = TrainingService(
            self.runner, self.jobs, training, clock, base_models=MODELS, canonicals=CANONICALS
        )

    async def until(self, job_id: str, met: Callable[[TrainingJob], bool]) -> TrainingJob:
        async with asyncio.timeout(30):
            while not met(job := await self.service.get("acme", job_id)):
                await asyncio.sleep(0.01)
            return job


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(tmp_path, "mapping")
    await opened.open()
    await migrate(opened)
    yield opened
    await opened.close()


class Time:
    """The present, moved by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@asynccontextmanager
async def a_process(
    database: Database, training: Training, limits: TrainingLimits = LIMITS, time: Time | None = None
) -> AsyncIterator[Cast]:
    cast = Cast(database, training, time or Time(), limits)
    await cast.runner.start()
    try:
        yield cast
    finally:
        await cast.runner.stop()


def is_running(job: TrainingJob) -> bool:
    return job.status is TrainingStatus.RUNNING


def is_ended(job: TrainingJob) -> bool:
    return job.ended_at is not None


async def test_a_job_runs_is_registered_and_shows_its_figures(database: Database) -> None:
    async with a_process(database, Training()) as cast:
        queued = await cast.service.submit(REQUEST)
        assert queued.status is TrainingStatus.QUEUED
        job = await cast.until(queued.id, is_running)
        assert job.progress.step == 1
        cast.training.gate.set()
        job = await cast.until(queued.id, is_ended)
        assert (job.status, job.model) == (TrainingStatus.REGISTERED, f"models/{queued.id}")
        assert job.metrics == {"level2_accuracy": 0.5}
        assert cast.registration.registered == [queued.id]
        assert cast.training.orders[0].base_model == MODELS["small"]


async def test_jobs_run_one_after_the_other_in_the_order_asked(database: Database) -> None:
    async with a_process(database, Training()) as cast:
        asked = [await cast.service.submit(REQUEST) for _ in range(3)]
        await cast.until(asked[0].id, is_running)
        assert cast.runner.running == 1
        cast.training.gate.set()
        for job in asked:
            await cast.until(job.id, is_ended)
        assert [order.key.id for order in cast.training.orders] == [job.id for job in asked]


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (MappingError("disk_full: no room", ErrorCode.TRAINING_FAILED, True), "TRAINING_FAILED", True),
        (StoreError("away"), "STORE_UNAVAILABLE", True),
        (ZeroDivisionError("SECRET"), "INTERNAL_ERROR", False),
    ],
)
async def test_a_failed_job_says_why(database: Database, error: Exception, code: str, retryable: bool) -> None:
    async with a_process(database, Training()) as cast:
        cast.training.error = error
        cast.training.gate.set()
        job = await cast.until((await cast.service.submit(REQUEST)).id, is_ended)
        assert job.status is TrainingStatus.FAILED
        assert job.error is not None
        assert (job.error.code, job.error.retryable) == (code, retryable)
        assert "SECRET" not in job.error.message
        assert cast.registration.registered == []


async def test_a_cancelled_job_is_killed_and_the_next_one_runs(database: Database) -> None:
    async with a_process(database, Training()) as cast:
        first, second, third = [await cast.service.submit(REQUEST) for _ in range(3)]
        await cast.until(first.id, is_running)
        assert (await cast.service.cancel("acme", third.id)).status is TrainingStatus.CANCELLED, "it waited"
        assert (await cast.service.cancel("acme", first.id)).status is TrainingStatus.CANCELLED
        assert cast.training.killed == [first.id]
        await cast.until(second.id, is_running)
        assert (await cast.service.cancel("acme", first.id)).status is TrainingStatus.CANCELLED, "harmless"
        assert [order.key.id for order in cast.training.orders] == [first.id, second.id]


async def test_a_job_that_another_process_holds_is_cancelled_there(database: Database) -> None:
    training = Training()
    quick = TrainingLimits(lease_s=0.3, report_s=0.02)
    async with a_process(database, training, quick) as holder:
        job = await holder.service.submit(REQUEST)
        await holder.until(job.id, is_running)
        other = Cast(database, training, Time(), quick)
        await other.service.cancel("acme", job.id)
        assert (await other.until(job.id, is_ended)).status is TrainingStatus.CANCELLED
        assert training.killed == [job.id]


async def test_a_process_that_stops_lets_go_and_the_next_one_goes_on(database: Database) -> None:
    first = Training()
    async with a_process(database, first) as cast:
        job = await cast.service.submit(REQUEST)
        await cast.until(job.id, is_running)
    assert first.killed == [], "it made its checkpoint"
    shown = await SqlTrainingJobs(database).get(TrainingKey("acme", job.id))
    assert shown is not None
    assert shown.status is TrainingStatus.INTERRUPTED
    second = Training()
    second.gate.set()
    async with a_process(database, second) as cast:
        ended = await cast.until(job.id, is_ended)
    assert (ended.status, ended.attempts) == (TrainingStatus.REGISTERED, 2)


async def test_a_run_that_does_not_stop_within_the_grace_is_killed(database: Database) -> None:
    training = Training()
    training.ignores_stop = True
    async with a_process(database, training, TrainingLimits(lease_s=60.0, report_s=0.02, grace_s=0.1)) as cast:
        job = await cast.service.submit(REQUEST)
        await cast.until(job.id, is_running)
    assert training.killed == [job.id]
    shown = await SqlTrainingJobs(database).get(TrainingKey("acme", job.id))
    assert shown is not None
    assert shown.status is TrainingStatus.INTERRUPTED


async def test_a_job_of_a_process_that_died_is_taken_when_its_lease_has_ended(database: Database) -> None:
    jobs, time = SqlTrainingJobs(database), Time()
    key = TrainingKey("acme", "train_1")
    await jobs.add(key, REQUEST, time())
    await jobs.take("dead", time(), time() + timedelta(seconds=60), 1)
    training = Training()
    training.gate.set()
    async with a_process(database, training, TrainingLimits(lease_s=0.3, report_s=0.02), time) as cast:
        await asyncio.sleep(0.3)
        assert training.orders == []
        time.ahead = timedelta(seconds=61)
        job = await cast.until(key.id, is_ended)
        assert (job.status, job.attempts) == (TrainingStatus.REGISTERED, 2)


async def test_a_run_that_was_taken_from_a_process_is_killed_there_and_ended_by_the_other(database: Database) -> None:
    training, time = Training(), Time()
    async with a_process(database, training, TrainingLimits(lease_s=0.6, report_s=0.02), time) as cast:
        job = await cast.service.submit(REQUEST)
        await cast.until(job.id, is_running)
        later = time() + timedelta(seconds=1000)
        [held] = await cast.jobs.take("other", later, later + timedelta(seconds=60), 1)
        async with asyncio.timeout(30):
            while not training.killed:
                await asyncio.sleep(0.01)
        assert cast.registration.registered == []
        assert await cast.jobs.end(held.key, "other", TrainingEnd(TrainingStatus.REGISTERED, model="m"), time())
        assert (await cast.service.get("acme", job.id)).model == "m"


async def test_a_job_that_kills_every_process_is_given_up(database: Database) -> None:
    jobs, time = SqlTrainingJobs(database), Time()
    key = TrainingKey("acme", "train_1")
    await jobs.add(key, REQUEST, time())
    for attempt in range(LIMITS.attempts):
        await jobs.take(f"dead-{attempt}", time(), time() + timedelta(seconds=1), 1)
        time.ahead += timedelta(seconds=2)
    training = Training()
    async with a_process(database, training, time=time) as cast:
        job = await cast.until(key.id, is_ended)
    assert job.status is TrainingStatus.FAILED
    assert job.error is not None
    assert job.error.code == "JOB_INTERRUPTED"
    assert training.orders == []


async def test_what_cannot_be_trained_is_refused_when_it_is_asked_for(database: Database) -> None:
    async with a_process(database, Training()) as cast:
        label = ReviewedLabel(vendor="v", label="L", canonical="pii.none")
        for changes in ({"base_model": "other"}, {"reviewed_labels": (label,)}, {"tenant_id": None}):
            with pytest.raises(ServiceError) as caught:
                await cast.service.submit(REQUEST.model_copy(update=changes))
            assert caught.value.error_code is ErrorCode.INVALID_REQUEST
        assert (await cast.service.page("acme", limit=10)).items == ()


async def test_a_tenant_may_not_fill_the_queue(database: Database) -> None:
    async with a_process(database, Training()) as cast:
        for _ in range(UNENDED_LIMIT):
            await cast.service.submit(REQUEST)
        with pytest.raises(ServiceError) as caught:
            await cast.service.submit(REQUEST)
        assert caught.value.error_code is ErrorCode.JOB_QUEUE_FULL
        await cast.service.submit(REQUEST.model_copy(update={"tenant_id": "globex"}))


async def test_logs_and_pages_are_the_tenants_own(database: Database) -> None:
    async with a_process(database, Training()) as cast:
        asked = [await cast.service.submit(REQUEST) for _ in range(3)]
        log = await cast.service.logs("acme", asked[0].id, lines=2)
        assert (log.lines, log.truncated) == ((f"{asked[0].id} 0", f"{asked[0].id} 1"), True)
        first = await cast.service.page("acme", limit=2)
        rest = await cast.service.page("acme", limit=2, cursor=first.next_cursor)
        assert [job.id for job in (*first.items, *rest.items)] == [job.id for job in reversed(asked)]
        assert rest.next_cursor is None
        for call in (
            cast.service.get("globex", asked[0].id),
            cast.service.logs("globex", asked[0].id, lines=1),
            cast.service.cancel("globex", asked[0].id),
        ):
            with pytest.raises(ServiceError) as caught:
                await call
            assert caught.value.error_code is ErrorCode.NOT_FOUND


async def test_a_store_that_is_away_for_a_while_loses_no_end(database: Database) -> None:
    async with a_process(database, Training()) as cast:
        job = await cast.service.submit(REQUEST)
        await cast.until(job.id, is_running)
        await database.close()
        cast.training.gate.set()
        async with asyncio.timeout(30):
            while not cast.runner.store_failures:
                await asyncio.sleep(0.01)
        await database.open()
        assert (await cast.until(job.id, is_ended)).status is TrainingStatus.REGISTERED
        assert cast.registration.registered == [job.id]
