"""Running jobs in this process: fair, bounded, and so that another process can take over the books of a dead one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from random import random

from llama_mapper.domain.assessment.jobs.live import LiveItem, LiveJob
from llama_mapper.domain.assessment.jobs.model import TRANSIENT, JobKey, JobLimits, characters_of
from llama_mapper.domain.assessment.jobs.ports import Assessing, HeldJob, ItemOutcome, JobStore, NewJob
from llama_mapper.domain.assessment.jobs.queue import FairQueue
from llama_mapper.domain.assessment.jobs.room import WaitingRoom
from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.jobs import JobError, JobStatus, JobSummary
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.kernel.tenancy import CURRENT_PRINCIPAL
from llama_mapper.domain.kernel.trace import CURRENT_TRACE

REPORT_S = 0.2
RETRY_S = 0.5
SWEEP = 100
LAST_WORDS_S = 3.0


class JobRunner:
    """Holds jobs, runs their items and writes down what becomes of them.

    Content is in memory only: a job whose process is gone cannot be resumed, so that another process ends it as
    `interrupted`. Every item's record gets an id that was stored with the job, so that what was done is known
    whenever the process died. `on_ended` is told of each job that this process ended; it must be quick.
    """

    def __init__(
        self,
        chain: Assessing,
        store: JobStore,
        clock: Clock,
        limits: JobLimits,
        on_ended: Callable[[JobSummary], None],
    ) -> None:
        self._chain = chain
        self._store = store
        self._clock = clock
        self._limits = limits
        self._on_ended = on_ended
        self._owner = new_id("proc")
        self._room = WaitingRoom(limits.queue_items, limits.queue_characters)
        self._queue: FairQueue[LiveJob] = FairQueue()
        self._live: dict[JobKey, LiveJob] = {}
        self._known: set[JobKey] = set()  # being stored, live or being ended
        self._work = asyncio.Condition()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._finishing: dict[LiveJob, asyncio.Task[None]] = {}
        self.store_failures = 0

    @property
    def waiting(self) -> int:
        """Items that wait in memory."""
        return self._room.items

    @property
    def running(self) -> int:
        """Items that run now."""
        return sum(len(job.running) for job in self._live.values())

    async def start(self) -> None:
        """Begin to run what is submitted, to keep the leases, and to look after dead processes' jobs."""
        workers = [self._run_items() for _ in range(self._limits.concurrency)]
        self._tasks = [asyncio.create_task(work) for work in (*workers, self._report(), self._look_after())]

    async def stop(self) -> None:
        """Take no more jobs, give those that are held their grace, and end the rest as interrupted."""
        self._stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.grace_s):
                await self._until_ended()
        for job in list(self._live.values()):
            self._let_go(job, JobStatus.INTERRUPTED)
        with suppress(TimeoutError):  # a store that is away now: the leases lapse, and another process ends the jobs
            async with asyncio.timeout(LAST_WORDS_S):
                await self._until_ended()
        tasks = [*self._tasks, *self._finishing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def submit(self, job: NewJob, requests: Sequence[AssessmentRequest]) -> None:
        """Store the job and queue its items; raise `JOB_QUEUE_FULL`, `SERVICE_UNAVAILABLE` or what the store raises."""
        if self._stopping:
            raise ServiceError("the server is stopping", ErrorCode.SERVICE_UNAVAILABLE, True)
        characters = sum(map(characters_of, requests))
        self._room.admit(job.key.tenant_id, len(requests), characters)
        self._known.add(job.key)
        try:
            await self._store.add(job, self._owner, self._lease())
        except BaseException:
            # It may be stored all the same: then it is held and not known, which `_look_after` puts in order.
            self._known.discard(job.key)
            self._room.leave(job.key.tenant_id, len(requests), characters)
            raise
        items = [
            LiveItem(index, item.assessment_id, request)
            for index, (item, request) in enumerate(zip(job.items, requests, strict=True))
        ]
        live = LiveJob(job.key, items, CURRENT_TRACE.get(), CURRENT_PRINCIPAL.get())
        self._live[job.key] = live
        self._queue.add(live)
        async with self._work:
            self._work.notify_all()

    async def cancel(self, key: JobKey) -> None:
        """End a job that this process holds, and return when that is stored; harmless for any other."""
        job = self._live.get(key)
        if job is not None:
            self._let_go(job, JobStatus.CANCELLED)
            await job.ended.wait()

    async def _run_items(self) -> None:
        while True:
            async with self._work:
                while (job := self._queue.next()) is None:
                    await self._work.wait()
            item = job.take(self._clock())
            self._room.leave(job.tenant_id, 1, characters_of(item.request))
            task = asyncio.create_task(self._run_item(job, item))
            job.running.add(task)
            await asyncio.wait([task])
            job.running.discard(task)
            if not task.cancelled() and (outcome := task.result()) is not None:
                job.settled(outcome)
            if job.idle:
                self._finish_soon(job, job.ending or JobStatus.INTERRUPTED)

    async def _run_item(self, job: LiveJob, item: LiveItem) -> ItemOutcome | None:
        """What became of the item; None if its job was ended meanwhile."""
        CURRENT_TRACE.set(job.trace)
        CURRENT_PRINCIPAL.set(job.principal)  # policies may be activated for one API key
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                return await self._assess(item, asyncio.get_running_loop().time() + self._limits.deadline_s)
        except TimeoutError:
            return ItemOutcome(item.index, _error(ErrorCode.REQUEST_TIMEOUT, "the item took too long", True))
        except asyncio.CancelledError:
            if job.ending is None:
                raise
            return None
        except ServiceError as error:
            return ItemOutcome(item.index, _error(error.error_code, error.message, error.retryable))
        except Exception as error:  # one item's surprise is not the next one's; its text could quote content
            kind = type(error).__name__
            return ItemOutcome(item.index, _error(ErrorCode.INTERNAL_ERROR, f"an unexpected error ({kind})", False))

    async def _assess(self, item: LiveItem, until: float) -> ItemOutcome:
        now, wait = asyncio.get_running_loop().time, RETRY_S
        while True:
            try:
                await self._chain.assess(item.request, assessment_id=item.assessment_id)
            except ServiceError as error:
                if error.error_code is ErrorCode.CONFLICT:  # an earlier try stored it and could not say so
                    return ItemOutcome(item.index)
                pause = max(error.retry_after_s or 0.0, wait * random())  # noqa: S311  # not a secret
                if not (error.retryable and error.error_code in TRANSIENT) or now() + pause >= until:
                    raise
                await asyncio.sleep(pause)
                wait *= 2
            else:
                return ItemOutcome(item.index)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            for job in [job for job in self._live.values() if job.dirty]:
                await self._write(job)

    async def _write(self, job: LiveJob) -> bool:
        """Write what is not written yet; False, and all of it is kept, if the store refused."""
        if not job.dirty or job.started_at is None:
            return True
        outcomes, job.unwritten, job.dirty = job.unwritten, [], False
        try:
            await self._store.report(job.key, job.started_at, outcomes)
        except BaseException as error:
            job.unwritten[:0], job.dirty = outcomes, True
            if not isinstance(error, Exception):
                raise
            self.store_failures += 1  # whatever a store raises, the runner must live on
            return False
        return True

    def _let_go(self, job: LiveJob, ending: JobStatus) -> None:
        """End a job before its end: what waits is dropped, what runs is stopped."""
        if job.ended.is_set():
            return
        waiting = job.waiting
        self._queue.remove(job)
        self._room.leave(job.tenant_id, waiting, job.drop(ending))
        if not job.running:
            self._finish_soon(job, ending)

    def _finish_soon(self, job: LiveJob, incomplete: JobStatus) -> None:
        if self._live.pop(job.key, None) is not None:
            self._finishing[job] = asyncio.create_task(self._finish(job, incomplete))

    async def _finish(self, job: LiveJob, incomplete: JobStatus) -> None:
        """Write the end, however long the store is away; if that is longer than the lease, another process may."""
        wait = RETRY_S
        while not (await self._write(job) and await self._end(job.key, incomplete)):
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._limits.lease_s)
        self._known.discard(job.key)
        del self._finishing[job]
        job.ended.set()

    async def _end(self, key: JobKey, incomplete: JobStatus) -> bool:
        now = self._clock()
        try:
            ended = await self._store.end(key, incomplete, now, now + timedelta(seconds=self._limits.ttl_s))
        except Exception:  # whatever a store raises, the runner must live on
            self.store_failures += 1
            return False
        if ended is not None:
            self._on_ended(ended)
        return True

    async def _until_ended(self) -> None:
        for job in [*self._live.values(), *self._finishing]:
            await job.ended.wait()

    async def _look_after(self) -> None:
        """Keep the leases, hear of cancellations, end what dead processes held, forget what has expired."""
        while True:
            try:
                await self._keep()
                await self._take_over()
                await self._store.remove_expired(self._clock(), SWEEP)
            except Exception:  # whatever a store raises, the runner must live on
                self.store_failures += 1
            await asyncio.sleep(self._limits.lease_s / 3)

    async def _keep(self) -> None:
        jobs = list(self._live.values())
        held = {job.key: job for job in await self._store.renew(self._owner, self._lease())}
        for job in jobs:
            if job.key not in held:  # we were not heard of for so long that another process has ended it
                self._let_go(job, JobStatus.INTERRUPTED)
            elif held[job.key].cancel_requested:
                self._let_go(job, JobStatus.CANCELLED)
        for key in held.keys() - self._known:
            await self._end(key, _ending_of(held[key]))

    async def _take_over(self) -> None:
        for held in await self._store.take_lapsed(self._owner, self._clock(), self._lease(), SWEEP):
            if held.key not in self._known:  # our own, if the clock leapt since they were renewed
                await self._end(held.key, _ending_of(held))

    def _lease(self) -> datetime:
        return self._clock() + timedelta(seconds=self._limits.lease_s)


def _ending_of(held: HeldJob) -> JobStatus:
    """What the caller asked for comes before what happened to the process."""
    return JobStatus.CANCELLED if held.cancel_requested else JobStatus.INTERRUPTED


def _error(code: ErrorCode, message: str, retryable: bool) -> JobError:
    return JobError(code=code.value, message=message[:512], retryable=retryable)
