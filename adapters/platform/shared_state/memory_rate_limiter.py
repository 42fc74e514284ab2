"""Rate limits in memory: two counters a quota, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from time import monotonic

from llama_mapper.domain.kernel.rate_limits import Allowance, Limit, Quota, allowance_of, refusal_of, used


class MemoryRateLimiter:
    """Keeps `RateLimiter` within one process.

    Beyond `max_quotas` the quota that was asked for longest ago is forgotten, which gives it a fresh start.
    """

    def __init__(self, *, max_quotas: int = 32_768, clock: Callable[[], float] = monotonic) -> None:
        self._max_quotas = max_quotas
        self._clock = clock
        # (limit, tenant, subject) → [number of the window, its count, the count of the window before]
        self._counts: OrderedDict[tuple[str, str, str], list[int]] = OrderedDict()

    def __len__(self) -> int:
        """How many quotas are counted."""
        return len(self._counts)

    async def admit(self, quotas: Sequence[Quota]) -> list[Allowance]:
        """See `RateLimiter.admit`."""
        now = self._clock()
        rows = [self._row(quota, now) for quota in quotas]
        standings = [
            (quota.limit, row, now % quota.limit.window_s, free(quota.limit, row, now))
            for quota, row in zip(quotas, rows, strict=True)
        ]
        if any(left <= 0 for _, _, _, left in standings):
            return [
                (allowance_of if left > 0 else refusal_of)(limit, row[2], row[1], elapsed)
                for limit, row, elapsed, left in standings
            ]
        for row in rows:
            row[1] += 1
        return [Allowance(limit, left - 1, limit.window_s - elapsed) for limit, _, elapsed, left in standings]

    def _row(self, quota: Quota, now: float) -> list[int]:
        name = (quota.limit.name, quota.tenant_id, quota.subject)
        number = int(now // quota.limit.window_s)
        counts = self._counts
        row = counts.get(name)
        if row is None:
            row = counts[name] = [number, 0, 0]
            if len(counts) > self._max_quotas:
                counts.popitem(last=False)
            return row
        if row[0] != number:
            row[0], row[1], row[2] = number, 0, row[1] if row[0] == number - 1 else 0
        counts.move_to_end(name)
        return row


def free(limit: Limit, row: Sequence[int], now: float) -> int:
    """Requests that have room now; `row` is of the present window."""
    return limit.requests - used(row[2], row[1], now % limit.window_s, limit.window_s)
