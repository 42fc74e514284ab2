"""Reading the history off the hot path: each tenant's window, analysed, is remembered for a short while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from llama_mapper.domain.analysis.patterns.insights import HistoryInsights, insights_of
from llama_mapper.domain.analysis.ports import FindingHistory
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError

FRESH_S = 1.0
STALE_S = 5.0
WAIT_S = 0.5
READ_S = 5.0
TENANTS = 1024


@dataclass(slots=True)
class _Remembered:
    """What was last read for a tenant, when by the monotonic clock, and the reading under way."""

    past: HistoryInsights | str
    read_at: float
    refresh: asyncio.Task[None] | None = None


class HistoryMemo:
    """What each tenant's history says, at most about five seconds old.

    An answer up to 1 s old is given as it is. Up to 5 s old it is still given, and read anew in the background. An
    older one is waited for, up to 0.5 s; then the answer is that the history is not available, and the reading goes
    on for whoever asks next. So a busy tenant never waits for the store, and a quiet one never sees an old window.
    What this process has just analysed appears once it is written and read again; `history_as_of` says when that was.
    A failed reading is remembered like a good one, so that a store that is down is asked once a second, not once a
    request. At most 1,024 tenants are remembered, the last used.
    """

    def __init__(self, history: FindingHistory, clock: Clock, monotonic: Callable[[], float], window_days: int) -> None:
        self._history = history
        self._clock = clock
        self._monotonic = monotonic
        self._window_days = window_days
        self._tenants: OrderedDict[str, _Remembered] = OrderedDict()
        self.reads = 0
        self.read_failures = 0

    async def past(self, tenant_id: str) -> HistoryInsights | str:
        """What the tenant's history says, or the error code of why that is not known."""
        known = self._tenants.get(tenant_id)
        if known is not None:
            age = self._monotonic() - known.read_at
            if age <= FRESH_S:
                return known.past
            self._tenants.move_to_end(tenant_id)
        else:
            age = STALE_S + 1.0
            known = self._tenants[tenant_id] = _Remembered(ErrorCode.REQUEST_TIMEOUT.value, float("-inf"))
            if len(self._tenants) > TENANTS:
                _, forgotten = self._tenants.popitem(last=False)
                if forgotten.refresh is not None:
                    forgotten.refresh.cancel()
        if known.refresh is None or known.refresh.done():
            known.refresh = asyncio.create_task(self._read(tenant_id, known))
        if age <= STALE_S:
            return known.past
        done, _ = await asyncio.wait((known.refresh,), timeout=WAIT_S)
        return known.past if done else ErrorCode.REQUEST_TIMEOUT.value

    async def stop(self) -> None:
        """Give up readings under way and forget everything."""
        refreshes = [known.refresh for known in self._tenants.values() if known.refresh is not None]
        self._tenants.clear()
        for refresh in refreshes:
            refresh.cancel()
        await asyncio.gather(*refreshes, return_exceptions=True)

    async def _read(self, tenant_id: str, known: _Remembered) -> None:
        """Read and analyse the tenant's window into `known`. The analysis takes milliseconds, so it has a thread."""
        self.reads += 1
        now = self._clock()
        try:
            async with asyncio.timeout(READ_S):
                window = await self._history.window(tenant_id, window_start(now, self._window_days), now)
            known.past = await asyncio.to_thread(insights_of, window, self._window_days)
        except TimeoutError:
            self.read_failures += 1
            known.past = ErrorCode.REQUEST_TIMEOUT.value
        except Exception as error:  # whatever a store raises, the findings are still analysed, and the record says so
            self.read_failures += 1
            known.past = (error.error_code if isinstance(error, ServiceError) else ErrorCode.INTERNAL_ERROR).value
        known.read_at = self._monotonic()


def window_start(now: datetime, days: int) -> datetime:
    """Midnight, `days` whole days before the day of `now`."""
    return datetime.combine(now.date() - timedelta(days=days), time.min, now.tzinfo)
