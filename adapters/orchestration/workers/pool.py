"""Detectors whose scanners run in worker processes, so that a scan never holds up the event loop.

    pool = WorkerPool(["package.module:scanner_factory", …], workers=2)
    await pool.start()                       # returns at once; scanners load in the background
    await pool.detectors["name"].inspect("text")
    await pool.close()

A pool belongs to the event loop that started it. Why it does not use the standard library's pools: ADR 17.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from llama_mapper.adapters.orchestration.workers.handle import Job, WorkerHandle
from llama_mapper.adapters.orchestration.workers.process import build_scanner
from llama_mapper.adapters.orchestration.workers.schedule import restart_wait_s, spread
from llama_mapper.adapters.orchestration.workers.status import PoolStatus, WorkerStatus, resident_bytes
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.ports import (
    DetectorDescriptor,
    DetectorFailed,
    DetectorUnavailable,
    Inquiry,
    Inspection,
)

LOADING = "loading"
NOT_STARTED = "not started"
OVERLOADED = "overloaded"
CLOSED = "closed"
SWITCHED_OFF = "switched off: no worker processes are configured"

_LOAD_DEATHS = 2
_END_GRACE_S = 0.5


@dataclass(slots=True, eq=False)
class _Batch:
    """Jobs over one text that were not yet sent."""

    jobs: list[Job]


@dataclass(slots=True, eq=False)
class _Slot:
    """A place for one worker process, and its history."""

    handle: WorkerHandle | None = None
    restarts: int = 0
    reason: str | None = None
    keeper: asyncio.Task[None] | None = None


class PooledDetector:
    """A scanner in the pool, as a `Detector`."""

    __slots__ = ("_descriptor", "_index", "_pool")

    def __init__(self, pool: WorkerPool, index: int, descriptor: DetectorDescriptor) -> None:
        self._pool = pool
        self._index = index
        self._descriptor = descriptor

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What the scanner declares."""
        return self._descriptor

    @property
    def readiness(self) -> str | None:
        """None if a worker has it loaded; else `loading`, `not installed: …`, `failed to load (…)` and the like."""
        return self._pool.readiness(self._index)

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """Have a worker scan the text. Detectors asked for the same string object at once share its transport."""
        return await self._pool.inspect(self._index, inquiry.text)


class WorkerPool:
    """Worker processes that each hold every scanner.

    `factories` are import strings, `package.module:callable`, each giving a `TextScanner`; they are loaded in this
    order. `hard_limit_s` is the age at which a scan is given up and its process replaced. `max_pending` bounds the
    callers that wait at one time. With `workers=0` every detector says that it is switched off.
    """

    def __init__(
        self,
        factories: Sequence[str],
        *,
        workers: int = 1,
        hard_limit_s: float = 20.0,
        max_pending: int = 1024,
    ) -> None:
        self._factories = tuple(factories)
        descriptors = [describe(factory) for factory in self._factories]
        self._costs = tuple(descriptor.cost_ms_per_kchar / 1000.0 for descriptor in descriptors)
        self._hard_limit_s = hard_limit_s
        self._max_pending = max_pending
        self._slots = tuple(_Slot() for _ in range(workers))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: OrderedDict[_Batch, None] = OrderedDict()
        self._open: dict[int, _Batch] = {}
        self._flushing = False
        self._waiting = 0
        self._load_deaths: dict[int, int] = {}
        self._settled = asyncio.Event()
        self._drained = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._reasons: list[str | None] = [NOT_STARTED] * len(self._factories)
        detectors = {
            descriptor.name: PooledDetector(self, index, descriptor) for index, descriptor in enumerate(descriptors)
        }
        if len(detectors) < len(descriptors):
            raise ConfigurationError("two detectors have the same name")
        self.detectors: Mapping[str, PooledDetector] = MappingProxyType(detectors)
        """Every detector, by name."""
        self._names = tuple(detectors)

    async def start(self) -> None:
        """Begin to start the workers, and return. A pool starts once."""
        if self._loop is not None or self._closing is not None:
            raise RuntimeError("a pool starts once")
        self._loop = asyncio.get_running_loop()
        for slot in self._slots:
            slot.keeper = self._loop.create_task(self._keep(slot), name="detector-worker")
        self._refresh()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait until every worker has loaded every scanner or knows why not; False if `timeout_s` passes first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
        except TimeoutError:
            return False
        return True

    async def close(self, grace_s: float = 2.0) -> None:
        """Refuse new work, give running work `grace_s` to finish, end the workers. May be called again."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(grace_s), name="detector-pool-close")
            self._refresh()
        await asyncio.shield(self._closing)

    def readiness(self, index: int) -> str | None:
        """Why scanner `index` cannot be asked now; None if it can."""
        return self._reasons[index]

    def status(self) -> PoolStatus:
        """How the pool is doing, for metrics and readiness checks."""
        return PoolStatus(
            workers=tuple(self._worker_status(slot) for slot in self._slots),
            waiting=self._waiting,
            queued=sum(len(batch.jobs) for batch in self._queue)
            + sum(len(batch.jobs) for batch in self._open.values()),
            readiness={name: self._reasons[index] for index, name in enumerate(self._names)},
        )

    async def inspect(self, index: int, content: str) -> Inspection:
        """Have a worker run scanner `index` over `content`; raise what `Detector.inspect` promises."""
        reason = self._reasons[index]
        if reason is not None or self._loop is None:
            raise DetectorUnavailable(reason or NOT_STARTED)
        if self._waiting >= self._max_pending:
            raise DetectorUnavailable(OVERLOADED, "DETECTOR_OVERLOADED")
        job = Job(index, content, self._loop.create_future(), self._costs[index] * len(content))
        # Detectors of one request ask in one tick with one string object; they leave together at the end of the tick.
        batch = self._open.get(id(content))
        if batch is None:
            self._open[id(content)] = batch = _Batch([])
        batch.jobs.append(job)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        self._waiting += 1
        try:
            return await job.waiter
        except asyncio.CancelledError:
            self._abandon(job, batch)
            raise
        finally:
            self._waiting -= 1
            if self._closing is not None and not self._waiting:
                self._drained.set()

    def _abandon(self, job: Job, batch: _Batch) -> None:
        if job.handle is not None:
            job.handle.cancel(job)
        elif job in batch.jobs:
            batch.jobs.remove(job)
            if not batch.jobs:
                self._queue.pop(batch, None)

    def _flush(self) -> None:
        self._flushing = False
        for batch in self._open.values():
            self._queue[batch] = None
        self._open.clear()
        self._dispatch()

    def _dispatch(self) -> None:
        """Send what can be sent; fail what no live worker can do."""
        while self._queue:
            batch = next(iter(self._queue))
            jobs = [job for job in batch.jobs if self._possible(job)]
            free = [slot.handle for slot in self._slots if slot.handle is not None and slot.handle.idle]
            while free and jobs:
                jobs = _send_some(jobs, free)
            batch.jobs = jobs
            if jobs:
                return
            self._queue.pop(batch, None)

    def _possible(self, job: Job) -> bool:
        if job.waiter.done():
            return False
        reason = self._reasons[job.index]
        if reason is None:
            return True
        job.waiter.set_exception(DetectorUnavailable(reason))
        return False

    async def _keep(self, slot: _Slot) -> None:
        """Keep one worker process alive, until cancelled."""
        failures = 0
        while True:
            failures += 1
            try:
                if await self._run_worker(slot):
                    # It worked until a scan ended it. A long pause would let one hostile text, sent again and again,
                    # switch off every detector; loading anew is pause enough.
                    failures = 1
            except OSError as error:
                slot.reason = f"restarting: no worker process could be started ({type(error).__name__})"
            self._changed()
            await asyncio.sleep(restart_wait_s(failures))
            slot.restarts += 1

    async def _run_worker(self, slot: _Slot) -> bool:
        """Start a worker and see it to its end; tell whether it ever got through its loading."""
        skip = [index for index, deaths in self._load_deaths.items() if deaths >= _LOAD_DEATHS]
        handle = await WorkerHandle.start(
            self._factories, skip, self._hard_limit_s, on_free=self._dispatch, on_loaded=self._changed
        )
        grace_s = _END_GRACE_S
        try:
            handle.not_loaded.update((index, "its loading ended the worker process") for index in skip)
            slot.handle = handle
            self._changed()
            await handle.lost
            grace_s = 0.0
        finally:
            slot.handle = None
            slot.reason = "restarting"
            self._refresh()
            await handle.end(grace_s)
        self._bury(slot, handle)
        return self._has_settled(handle)

    def _has_settled(self, handle: WorkerHandle) -> bool:
        return len(handle.ready) + len(handle.not_loaded) == len(self._factories)

    def _bury(self, slot: _Slot, handle: WorkerHandle) -> None:
        """Settle what a lost worker owed: the scan that it was in has failed, the others may go to another worker."""
        how = handle.how_it_ended()
        slot.reason = f"restarting: {how}"
        self._refresh()
        if not handle.running:
            if handle.loading is not None and handle.ended_because is None:
                self._load_deaths[handle.loading] = self._load_deaths.get(handle.loading, 0) + 1
            return
        broken = handle.running.popleft()
        if not broken.waiter.done():
            broken.waiter.set_exception(DetectorFailed(how))
        others = _Batch(list(handle.running))
        for job in others.jobs:
            job.handle = None
        handle.running.clear()
        self._queue[others] = None
        self._queue.move_to_end(others, last=False)

    def _changed(self) -> None:
        self._refresh()
        self._dispatch()

    def _refresh(self) -> None:
        """Say anew why each scanner cannot be asked, and whether every worker knows."""
        self._reasons = [self._reason(index) for index in range(len(self._factories))]
        if all(slot.handle is not None and self._has_settled(slot.handle) for slot in self._slots):
            self._settled.set()
        else:
            self._settled.clear()

    def _reason(self, index: int) -> str | None:
        if self._closing is not None:
            return CLOSED
        if not self._slots:
            return SWITCHED_OFF
        reason = NOT_STARTED
        for slot in self._slots:
            if slot.handle is None:
                reason = slot.reason or LOADING
            elif index in slot.handle.ready:
                return None
            else:
                reason = slot.handle.not_loaded.get(index, LOADING)
        return reason

    async def _close(self, grace_s: float) -> None:
        if self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._drained.wait()
        owed = [job for batch in (*self._queue, *self._open.values()) for job in batch.jobs]
        for slot in self._slots:
            if slot.handle is not None:
                owed += slot.handle.running
        for job in owed:
            if not job.waiter.done():
                job.waiter.set_exception(DetectorUnavailable(CLOSED))
        self._queue.clear()
        keepers = [slot.keeper for slot in self._slots if slot.keeper is not None]
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)

    def _worker_status(self, slot: _Slot) -> WorkerStatus:
        handle = slot.handle
        if handle is None:
            return WorkerStatus(None, (), None, 0, slot.restarts, slot.reason, None)
        return WorkerStatus(
            pid=handle.pid,
            ready=tuple(self._names[index] for index in sorted(handle.ready)),
            loading=None if handle.loading is None else self._names[handle.loading],
            running=len(handle.running),
            restarts=slot.restarts,
            reason=None,
            memory_bytes=resident_bytes(handle.pid),
        )


def _send_some(jobs: list[Job], free: list[WorkerHandle]) -> list[Job]:
    """Send those of `jobs` that the first of `free` has loaded, spread over all that have; return the others."""
    first = free.pop(0)
    mine = [job for job in jobs if job.index in first.ready]
    if not mine:
        return jobs
    able = [handle for handle in free if all(job.index in handle.ready for job in mine)]
    for handle, share in zip([first, *able], spread([job.cost_ms for job in mine], 1 + len(able)), strict=False):
        handle.send([mine[position] for position in share])
        if handle is not first:
            free.remove(handle)
    return [job for job in jobs if job.index not in first.ready]


def describe(factory: str) -> DetectorDescriptor:
    """What the scanner of a factory declares; raise `CONFIGURATION_INVALID` where it cannot be imported."""
    try:
        return build_scanner(factory).descriptor
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"the detector '{factory}' cannot be imported ({type(error).__name__})") from error
