"""Rate limits in memory: two counters a quota, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from time import monotonic

from llama_mapper.domain.kernel.rate_limits import Allowance, Quota, allowance_of, refusal_of, used


class MemoryRateLimiter:
    """Keeps `RateLimiter` within one process.

    Beyond `max_quotas` the quota that was asked for longest ago is forgotten, which gives it a fresh start.
    """

    def __init__(self, *, max_quotas: int = 65_536, clock: Callable[[], float] = monotonic) -> None:
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
        rows: list[tuple[Quota, list[int], float]] = []
        room = True
        for quota in quotas:
            limit = quota.limit
            row, elapsed = self._row(quota, now)
            rows.append((quota, row, elapsed))
            room = room and used(row[2], row[1], elapsed, limit.window_s) < limit.requests
        if room:
            for _, row, _ in rows:
                row[1] += 1
            return [allowance_of(quota.limit, row[2], row[1], elapsed) for quota, row, elapsed in rows]
        return [standing_of(quota, row[2], row[1], elapsed) for quota, row, elapsed in rows]

    def _row(self, quota: Quota, now: float) -> tuple[list[int], float]:
        name = (quota.limit.name, quota.tenant_id, quota.subject)
        window, elapsed = divmod(now, quota.limit.window_s)
        number = int(window)
        counts = self._counts
        row = counts.get(name)
        if row is None:
            row = counts[name] = [number, 0, 0]
            if len(counts) > self._max_quotas:
                counts.popitem(last=False)
            return row, elapsed
        if row[0] != number:
            row[0], row[1], row[2] = number, 0, row[1] if row[0] == number - 1 else 0
        counts.move_to_end(name)
        return row, elapsed


def standing_of(quota: Quota, previous: int, current: int, elapsed_s: float) -> Allowance:
    """How a quota stands where the request was counted on none."""
    limit = quota.limit
    if used(previous, current, elapsed_s, limit.window_s) < limit.requests:
        return allowance_of(limit, previous, current, elapsed_s)
    return refusal_of(limit, previous, current, elapsed_s)
