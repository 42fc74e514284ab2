"""How many calls a detector gets at one time, and how many may wait for their turn."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from enum import Enum


class Entry(Enum):
    """What came of waiting for a place."""

    GRANTED = "granted"
    FULL = "full"
    LATE = "late"
    DISMISSED = "dismissed"


class Bulkhead:
    """`places` calls at one time; `queue` more wait, first come, first served.

    Whoever was granted a place leaves exactly once. A place that is left goes straight to the one who waits longest, so
    newcomers overtake nobody. Cancelling one who waits frees their turn, and their place if they were just given one.
    """

    __slots__ = ("_places", "_queue", "_taken", "_waiting")

    def __init__(self, places: int, queue: int) -> None:
        self._places = places
        self._queue = queue
        self._taken = 0
        self._waiting: OrderedDict[asyncio.Future[Entry], None] = OrderedDict()

    @property
    def taken(self) -> int:
        """Places in use."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return len(self._waiting)

    @property
    def is_free(self) -> bool:
        """Whether there is a place now."""
        return self._taken < self._places

    def try_enter(self) -> bool:
        """Take a place if there is one now."""
        if self._taken >= self._places:
            return False
        self._taken += 1
        return True

    async def enter(self, limit_s: float) -> Entry:
        """Take a place, waiting for at most `limit_s` seconds; only `GRANTED` is a place.

        `FULL`: the queue has no room. `LATE`: the time was up. `DISMISSED`: see `dismiss`.
        """
        if self.try_enter():
            return Entry.GRANTED
        if len(self._waiting) >= self._queue:
            return Entry.FULL
        if limit_s <= 0:
            return Entry.LATE
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Entry] = loop.create_future()
        self._waiting[waiter] = None
        timer = None if limit_s == math.inf else loop.call_later(limit_s, _settle, waiter, Entry.LATE)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result() is Entry.GRANTED:
                self.leave()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._waiting.pop(waiter, None)

    def leave(self) -> None:
        """Give the place back."""
        while self._waiting:
            waiter, _ = self._waiting.popitem(last=False)
            if not waiter.done():
                waiter.set_result(Entry.GRANTED)
                return
        self._taken -= 1

    def dismiss(self) -> None:
        """Send everybody who waits away."""
        while self._waiting:
            _settle(self._waiting.popitem(last=False)[0], Entry.DISMISSED)


def _settle(waiter: asyncio.Future[Entry], entry: Entry) -> None:
    if not waiter.done():
        waiter.set_result(entry)
