"""Idempotency records in memory: bounded in number and bytes, oldest first out."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from llama_mapper.domain.kernel.idempotency import Begun, Conflict, Done, Fresh, RecordName, Running

_RECORD_OVERHEAD = 1024


class _Record:
    """A claim while `answer` is None, then the answer; `until` ends the lease or the keeping."""

    __slots__ = ("answer", "digest", "ended", "token", "until")

    def __init__(self, digest: bytes, token: str, until: float) -> None:
        self.digest = digest
        self.token = token
        self.until = until
        self.answer: bytes | None = None
        self.ended: asyncio.Event | None = None  # only where somebody waits

    @property
    def size(self) -> int:
        return _RECORD_OVERHEAD + len(self.answer or b"")

    def end(self) -> None:
        if self.ended is not None:
            self.ended.set()


class MemoryIdempotency:
    """Keeps `IdempotencyRecords` within one process.

    Beyond `max_records` or `max_bytes` the oldest record is forgotten, and its key counts as never used.
    """

    def __init__(
        self, *, max_records: int = 16_384, max_bytes: int = 64 * 1024 * 1024, clock: Callable[[], float] = monotonic
    ) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._clock = clock
        self._records: OrderedDict[RecordName, _Record] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """How many records are held."""
        return len(self._records)

    @property
    def size(self) -> int:
        """Bytes that the records take, about."""
        return self._bytes

    def holds(self, name: RecordName) -> bool:
        """Whether there is a claim or an answer under `name`."""
        return self._live(name) is not None

    async def begin(self, name: RecordName, digest: bytes, lease_s: float) -> Begun:
        """See `IdempotencyRecords.begin`."""
        record = self._live(name)
        if record is None:
            record = _Record(digest, secrets.token_hex(16), self._clock() + lease_s)
            self._put(name, record)
            return Fresh(record.token)
        if record.digest != digest:
            return Conflict()
        return Running() if record.answer is None else Done(record.answer)

    async def complete(self, name: RecordName, token: str, answer: bytes, keep_s: float) -> bool:
        """See `IdempotencyRecords.complete`."""
        record = self._claimed(name, token)
        if record is None:
            return False
        self._drop(name)
        record.answer = answer
        record.until = self._clock() + keep_s
        if keep_s > 0:
            self._put(name, record)
        return True

    async def abandon(self, name: RecordName, token: str) -> None:
        """See `IdempotencyRecords.abandon`."""
        if self._claimed(name, token) is not None:
            self._drop(name)

    async def settled(self, name: RecordName, within_s: float) -> None:
        """See `IdempotencyRecords.settled`."""
        record = self._live(name)
        if record is None or record.answer is not None:
            return
        if record.ended is None:
            record.ended = asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(within_s, max(0.0, record.until - self._clock()))):
                await record.ended.wait()

    def _live(self, name: RecordName) -> _Record | None:
        record = self._records.get(name)
        if record is not None and record.until <= self._clock():
            self._drop(name)
            return None
        return record

    def _claimed(self, name: RecordName, token: str) -> _Record | None:
        record = self._live(name)
        return record if record is not None and record.answer is None and record.token == token else None

    def _put(self, name: RecordName, record: _Record) -> None:
        self._records[name] = record
        self._bytes += record.size
        while len(self._records) > self._max_records or self._bytes > self._max_bytes:
            self._drop(next(iter(self._records)))
        # What is out of date is mostly in front: one look there for every record put keeps such from piling up.
        oldest = next(iter(self._records), None)
        if oldest is not None:
            self._live(oldest)

    def _drop(self, name: RecordName) -> None:
        record = self._records.pop(name)
        self._bytes -= record.size
        record.end()
