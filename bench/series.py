"""Samples of one thing, by so many clients at one time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter, process_time

from bench.statistics_of import quantile

Call = Callable[[], Awaitable[bool]]
"""Does one thing; false where it was not done as a whole."""


@dataclass(slots=True)
class Series:
    """Samples over all rounds: seconds of each call, processor seconds of this process for all of them."""

    calls_s: list[float] = field(default_factory=list)
    incomplete: int = 0
    cpu_s: float = 0.0

    def ms(self, share: float) -> float:
        """A quantile of the calls, in milliseconds."""
        return quantile(self.calls_s, share) * 1e3

    @property
    def per_core(self) -> float:
        """Calls in a second of processor time."""
        return len(self.calls_s) / self.cpu_s


async def measure(series: Series, call: Call, clients: int, count: int) -> None:
    """Add `count` calls by so many clients at one time."""
    left = count

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            began = perf_counter()
            series.incomplete += not await call()
            series.calls_s.append(perf_counter() - began)

    cpu = process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    series.cpu_s += process_time() - cpu
