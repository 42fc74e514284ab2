"""Writing the history off the critical path: a bounded buffer, flushed in batches by one task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from llama_mapper.domain.analysis.ports import FindingHistory, HistoryEntry

BATCH = 1000
CAPACITY = 10_000
INTERVAL_S = 0.2
RETRIES = 3
RETRY_S = 0.1
WRITE_S = 5.0
WAIT_S = 0.5
DOWN_S = 1.0


class HistoryRecorder:
    """Buffers history entries and writes them every 0.2 s, or as soon as 1,000 wait.

    A write that fails is tried three times, 0.1 s and 0.2 s apart; the entries stay in the buffer and are tried again
    at the next turn, which is safe since the store knows a request by its id. An entry that finds the buffer full
    waits for one write, up to 0.5 s. Only if that makes no room is the newest entry, never an older one, given up and
    counted in `lost`: an answer must not wait for a store that is down. What waits is lost if the process is killed.
    """

    def __init__(self, history: FindingHistory, monotonic: Callable[[], float], *, capacity: int = CAPACITY) -> None:
        self._history = history
        self._monotonic = monotonic
        self._capacity = capacity
        self._buffer: list[HistoryEntry] = []
        self._writing = asyncio.Lock()
        self._full_batch = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._room: asyncio.Task[bool] | None = None
        self._down_until = float("-inf")
        self.recorded = 0
        self.failures = 0
        self.lost = 0
        self.last_failure = ""

    @property
    def waiting(self) -> int:
        """Entries that are not written yet."""
        return len(self._buffer)

    async def add(self, entry: HistoryEntry) -> None:
        """Remember to write `entry`; returns at once unless the buffer is full."""
        if len(self._buffer) >= self._capacity:
            await self._make_room()
            if len(self._buffer) >= self._capacity:
                self.lost += 1
                return
        self._buffer.append(entry)
        if len(self._buffer) >= BATCH:
            self._full_batch.set()

    async def start(self) -> None:
        """Begin to flush in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="finding-history-flush")

    async def stop(self) -> None:
        """Stop the task and write what waits; what three tries cannot write is counted in `lost`."""
        tasks = [task for task in (self._task, self._room) if task is not None]
        self._task = self._room = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._buffer:
            if not await self._write_with_retries():
                self.lost += len(self._buffer)
                self._buffer.clear()

    async def flush(self) -> bool:
        """Write all that waits now; False if the store refused."""
        while self._buffer:
            if not await self._write():
                return False
        return True

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):  # the interval is over: write what there is
                async with asyncio.timeout(INTERVAL_S):
                    await self._full_batch.wait()
            self._full_batch.clear()
            while self._buffer and await self._write_with_retries():
                pass

    async def _make_room(self) -> None:
        """Wait for one write, unless the store was seen to be down a moment ago; all who wait share it."""
        if self._monotonic() < self._down_until:
            return
        if self._room is None or self._room.done():
            self._room = asyncio.create_task(self._write())
        done, _ = await asyncio.wait((self._room,), timeout=WAIT_S)
        if not done:
            self._down_until = self._monotonic() + DOWN_S

    async def _write_with_retries(self) -> bool:
        for attempt in range(RETRIES):
            if attempt:
                await asyncio.sleep(RETRY_S * 2 ** (attempt - 1))
            if await self._write():
                return True
        return False

    async def _write(self) -> bool:
        """Write the oldest batch and take it from the buffer; False, and nothing taken, if the store refused."""
        async with self._writing:
            batch = self._buffer[:BATCH]
            if not batch:
                return True
            try:
                async with asyncio.timeout(WRITE_S):
                    await self._history.record(batch)
            except Exception as error:  # whatever a store raises, the buffer must live on and the failure be counted
                self.failures += 1
                self.last_failure = type(error).__name__
                self._down_until = self._monotonic() + DOWN_S
                return False
            del self._buffer[: len(batch)]
            self.recorded += len(batch)
            return True
