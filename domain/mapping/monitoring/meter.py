"""Counting without waiting: calls gather in memory and are written as windows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.monitoring.observed import Observed, count_into
from llama_mapper.domain.mapping.monitoring.ports import Part, WindowStore
from llama_mapper.domain.mapping.monitoring.tally import Tally
from llama_mapper.domain.mapping.monitoring.windows import Width

_MOST_WAITING = 20_000
"""Distinct answers that may wait to be folded into windows."""

MOST_WINDOWS = 4_000
"""Windows that are held at one time, of all tenants; a busy one has some ten kilobytes."""


@dataclass(slots=True)
class _Open:
    """A window that this process counts in."""

    writer: str
    tally: Tally
    sequence: int = 1
    written: int = 0


class WindowMeter:
    """Gathers what calls come to; `flush` writes it. A kill loses what was gathered since the last flush.

    A window is written whole, again and again while it is open, under this process's name and a number that grows:
    writing one twice counts once. One that is over and written is forgotten here; where more than 4,000 windows are
    held, so are others that are written, and what comes later for them is counted under a new name. While the store is
    away windows go on being held; what there is no room for is dropped, and counted in `dropped` by window.
    """

    def __init__(
        self, store: WindowStore, clock: Clock, vendors: Collection[str], most_windows: int = MOST_WINDOWS
    ) -> None:
        """`vendors` are those that are counted by name."""
        self._store = store
        self._clock = clock
        self._vendors = frozenset(vendors)
        self._most = most_windows
        self._waiting: list[tuple[str, float, Observed]] = []
        self._distinct = 0
        self._open: dict[tuple[str, Width, int], _Open] = {}
        self.dropped = 0

    @property
    def held(self) -> int:
        """Windows in memory."""
        return len(self._open)

    def record(self, tenant_id: str, observed: Observed) -> None:
        """Count a call, now."""
        self._waiting.append((tenant_id, self._clock().timestamp(), observed))
        self._distinct += 1 + len(observed.answered)
        if self._distinct > _MOST_WAITING:
            self._fold()

    async def flush(self, tenant_id: str | None = None) -> tuple[str, ...]:
        """Write what waits, of one tenant or of all; the tenants that were written. What the store refuses waits on."""
        self._fold()
        by_tenant: dict[str, list[tuple[tuple[str, Width, int], _Open, int]]] = {}
        for key, window in self._open.items():
            if window.sequence > window.written and tenant_id in (None, key[0]):
                by_tenant.setdefault(key[0], []).append((key, window, window.sequence))
        written: list[str] = []
        for tenant, windows in by_tenant.items():
            parts = [Part(key[1], key[2], window.writer, sequence, window.tally) for key, window, sequence in windows]
            try:
                await self._store.put(tenant, parts)
            except StoreError:
                continue
            for _, window, sequence in windows:
                window.written = max(window.written, sequence)
            written.append(tenant)
        self._forget()
        return tuple(written)

    def _fold(self) -> None:
        waiting, self._waiting, self._distinct = self._waiting, [], 0
        # First together what belongs to one window, for a busy one has thousands of calls that are much alike.
        minutes: dict[tuple[str, int], list[Observed]] = {}
        for tenant_id, at, observed in waiting:
            minutes.setdefault((tenant_id, int(at) // Width.MINUTE * Width.MINUTE), []).append(observed)
        for (tenant_id, start), calls in minutes.items():
            tally = Tally()
            count_into(tally, calls, self._vendors)
            for owner in (tenant_id, EVERYONE):
                for width in Width:
                    self._add(owner, width, start // width * width, tally)

    def _add(self, owner: str, width: Width, start: int, counted: Tally) -> None:
        key = (owner, width, start)
        window = self._open.get(key)
        if window is None:
            if len(self._open) >= self._most:
                self._make_room()
            if len(self._open) >= self._most:
                self.dropped += 1
                return
            window = self._open[key] = _Open(new_id("writer"), Tally())
        window.tally.add(counted)
        window.sequence += 1

    def _forget(self) -> None:
        now = int(self._clock().timestamp())
        for key in [key for key, each in self._open.items() if each.written >= each.sequence and key[2] + key[1] < now]:
            del self._open[key]

    def _make_room(self) -> None:
        """Forget a quarter of the windows, of those that are written, the oldest first."""
        written = [key for key, each in self._open.items() if each.written >= each.sequence]
        for key in written[: max(1, self._most // 4)]:
            del self._open[key]
