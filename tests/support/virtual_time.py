"""An event loop whose clock jumps to the next timer instead of waiting: hours of waiting, tested at once and exactly.

    def test_…() -> None:
        async def story(clock: Callable[[], float]) -> None:
            await asyncio.sleep(3600)
            assert clock() == 3600

        run_in_virtual_time(story)

Nothing that waits for the outside (sockets, processes, threads) works on it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nothing; what it should have waited is added to the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `BaseSelector.select`."""
        if timeout is None:
            raise AssertionError("everybody waits and no timer is set")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `faults` are contexts that it was given because nobody handled an exception."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self.faults: list[Mapping[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.faults.append(context))

    def time(self) -> float:
        """Seconds that passed on it."""
        return self._jumping.now


def run_in_virtual_time(story: Callable[[Callable[[], float]], Awaitable[T]]) -> T:
    """Run `story`, which is given the clock; fail if it leaves tasks behind or an exception that nobody handled."""
    loop = VirtualLoop()

    async def tell() -> T:
        told = await story(loop.time)
        for _ in range(5):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks were left behind: {left}"
        return told

    try:
        told = loop.run_until_complete(tell())
        assert not loop.faults, loop.faults
        return told
    finally:
        loop.close()
