"""Running training jobs in this process: one after the other, each held under a lease, none by two."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from llama_mapper.domain.contracts.training import TrainingError, TrainingProgress, TrainingStatus
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.training.orders import order_of
from llama_mapper.domain.mapping.training.ports import (
    HeldTraining,
    ModelRegistration,
    TrainedModel,
    Training,
    TrainingEnd,
    TrainingJobs,
    TrainingKey,
    TrainingStoppedError,
)

_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class TrainingLimits:
    """Times in seconds: `lease_s` after which a process that was not heard of counts as dead, `report_s` between two
    reports, `grace_s` for a checkpoint when the process stops. `attempts`: how often a job may be begun with.
    """

    lease_s: float = 30.0
    report_s: float = 1.0
    grace_s: float = 10.0
    attempts: int = 10
    concurrency: int = 1

    def __post_init__(self) -> None:
        if min(self.lease_s, self.report_s) <= 0 or self.grace_s < 0 or min(self.attempts, self.concurrency) < 1:
            raise ValueError("times are positive, counts 1 or more")


@dataclass(slots=True, eq=False)
class _Live:
    """A job that this process holds. `lost` says that another process may hold it now: nothing is written any more.

    `ending` says that its outcome is certain and only to be written.
    """

    held: HeldTraining
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    progress: TrainingProgress | None = None
    reported: TrainingProgress | None = None
    cancelled: bool = False
    lost: bool = False
    ending: bool = False
    task: asyncio.Task[None] | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class TrainingRunner:
    """Takes jobs that nobody holds, those of processes that died among them, and carries them out."""

    def __init__(
        self,
        training: Training,
        jobs: TrainingJobs,
        registration: ModelRegistration,
        clock: Clock,
        limits: TrainingLimits,
        *,
        base_models: Mapping[str, Path],
        canonicals: Container[str],
    ) -> None:
        self._training = training
        self._jobs = jobs
        self._registration = registration
        self._clock = clock
        self._limits = limits
        self._base_models = base_models
        self._canonicals = canonicals
        self._owner = new_id("trainer")
        self._live: dict[TrainingKey, _Live] = {}
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self.store_failures = 0
        """Failed reads and writes of jobs."""

    @property
    def running(self) -> int:
        """Jobs that this process holds."""
        return len(self._live)

    async def start(self) -> None:
        """Begin to take jobs."""
        self._loop = asyncio.create_task(self._look_after())

    async def stop(self) -> None:
        """Take no more, give what runs the grace to make a checkpoint, and let go of it; another process goes on."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
            self._loop = None
        live = list(self._live.values())
        for job in live:
            job.stop.set()
        tasks = [job.task for job in live if job.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self._limits.grace_s)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def wake(self) -> None:
        """Look for jobs now."""
        self._wake.set()

    async def cancel(self, key: TrainingKey) -> None:
        """Kill the job if it runs here, and return when it has ended; one that runs elsewhere is seen to there."""
        job = self._live.get(key)
        if job is not None:
            self._kill(job)
            await job.finished.wait()

    def _kill(self, job: _Live, *, lost: bool = False) -> None:
        if job.cancelled or job.lost or job.ending:
            return
        job.lost, job.cancelled = lost, not lost
        if job.task is not None:
            job.task.cancel()

    async def _look_after(self) -> None:
        renewed = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if clock() - renewed >= self._limits.lease_s / 3:
                    await self._keep()
                    renewed = clock()
                for job in list(self._live.values()):
                    await self._report(job)
                await self._take()
            except Exception:  # whatever a store raises, the runner must live on
                self.store_failures += 1
            self._wake.clear()
            try:
                idle_s = self._limits.lease_s / 3
                async with asyncio.timeout(min(self._limits.report_s, idle_s) if self._live else idle_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _keep(self) -> None:
        """Keep the leases, and hear of cancellations and of jobs that were taken from us."""
        before = set(self._live)
        held = await self._jobs.renew(self._owner, self._lease())
        for key in before:
            job = self._live.get(key)
            if job is None:
                continue
            if key not in held:
                self._kill(job, lost=True)
            elif held[key]:
                self._kill(job)
        for key in held.keys() - self._live.keys():  # its end could not be written; somebody may go on
            await self._jobs.release(key, self._owner)

    async def _report(self, job: _Live) -> None:
        progress = job.progress
        if progress is None or progress is job.reported or job.lost:
            return
        status = TrainingStatus.EVALUATING if progress.stage == "evaluating" else TrainingStatus.RUNNING
        if await self._jobs.report(job.held.key, self._owner, status, progress, self._clock()):
            job.reported = progress
        elif job.held.key in self._live:
            self._kill(job, lost=True)

    async def _take(self) -> None:
        room = self._limits.concurrency - len(self._live)
        if room < 1:
            return
        for held in await self._jobs.take(self._owner, self._clock(), self._lease(), room):
            job = self._live[held.key] = _Live(held)
            job.task = asyncio.create_task(self._carry_out(job))

    async def _carry_out(self, job: _Live) -> None:
        try:
            end = await self._outcome(job)
            job.ending = True
            if not job.lost:
                await self._finish(job, end)
        finally:
            del self._live[job.held.key]
            job.finished.set()
            self._wake.set()

    async def _outcome(self, job: _Live) -> TrainingEnd | None:
        """How the job ends; None if it is to be gone on with by another process."""
        held = job.held
        if held.attempts > self._limits.attempts:
            error = TrainingError(
                code=ErrorCode.JOB_INTERRUPTED.value,
                message=f"{self._limits.attempts} processes went away while they trained",
                retryable=True,
            )
            return TrainingEnd(TrainingStatus.FAILED, error=error)

        def tell(progress: TrainingProgress) -> None:
            job.progress = progress

        try:
            order = order_of(held.key, held.request, self._base_models, self._canonicals)
            trained = await self._training.carry_out(order, tell, job.stop)
            return _registered(await self._registration.register(trained), trained)
        except TrainingStoppedError:
            return None
        except asyncio.CancelledError:
            return TrainingEnd(TrainingStatus.CANCELLED) if job.cancelled else None
        except ServiceError as error:
            return TrainingEnd(TrainingStatus.FAILED, error=_error(error.error_code, error.message, error.retryable))
        except Exception as error:
            # Its text may hold anything; its kind is enough to look for it in the log.
            message = f"an unexpected error ({type(error).__name__})"
            return TrainingEnd(TrainingStatus.FAILED, error=_error(ErrorCode.INTERNAL_ERROR, message, False))

    async def _finish(self, job: _Live, end: TrainingEnd | None) -> None:
        """Write the end, however long the store is away; if that is longer than the lease, another process goes on."""
        key = job.held.key
        while True:
            try:
                if end is None:
                    await self._jobs.release(key, self._owner)
                else:
                    if job.progress is not None and job.progress is not job.reported:
                        status = TrainingStatus.RUNNING
                        await self._jobs.report(key, self._owner, status, job.progress, self._clock())
                    await self._jobs.end(key, self._owner, end, self._clock())
            except ServiceError:
                self.store_failures += 1
                await asyncio.sleep(_RETRY_S)
            else:
                return

    def _lease(self) -> datetime:
        return self._clock() + timedelta(seconds=self._limits.lease_s)


def _registered(reference: str, trained: TrainedModel) -> TrainingEnd:
    return TrainingEnd(
        TrainingStatus.REGISTERED, model=reference, data_digest=trained.data_digest, metrics=trained.metrics
    )


def _error(code: ErrorCode, message: str, retryable: bool) -> TrainingError:
    return TrainingError(code=code.value, message=message[:4096], retryable=retryable)
