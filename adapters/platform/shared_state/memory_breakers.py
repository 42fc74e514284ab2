"""The board of open breakers within one process."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from llama_mapper.domain.kernel.breakers import SharedBreaker

MAX_NAMES = 1024


class MemoryBreakerBoard:
    """Keeps `BreakerBoard` for one process, where everything published is seen at once."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._open: dict[str, SharedBreaker] = {}

    def __len__(self) -> int:
        """How many names are kept."""
        return len(self._open)

    def read(self, name: str) -> SharedBreaker | None:
        """See `BreakerBoard.read`."""
        found = self._open.get(name)
        if found is None or found.open_until > self._clock():
            return found
        del self._open[name]
        return None

    def publish(self, name: str, open_for_s: float, opened_count: int) -> None:
        """See `BreakerBoard.publish`."""
        self._open.pop(name, None)
        if open_for_s <= 0:
            return
        if len(self._open) >= MAX_NAMES:
            del self._open[next(iter(self._open))]
        self._open[name] = SharedBreaker(self._clock() + open_for_s, opened_count)
