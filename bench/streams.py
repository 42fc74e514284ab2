"""How long a text that is being written is held back before its first part may be shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import perf_counter

from bench.fan_out import asking
from bench.fms_servers import FmsServers
from bench.remote import orchestrating
from bench.series import Series, measure
from bench.statistics_of import quantile, show
from llama_mapper.domain.contracts.streaming import StreamRelease, StreamStart

_SENTENCE = "The figures of this quarter are on the second page, and we shall read them together. "
_ROUNDS, _CALLS = 5, 10


async def first_parts(servers: FmsServers) -> None:
    """Three detectors; the writer writes a sentence whenever it is asked. The floor is one whole orchestration."""
    async with orchestrating(servers, 3, response_cache_ttl_s=0) as running:
        assert running.streams is not None
        floor = Series()
        firsts: dict[int, list[float]] = {0: [], 256: []}
        for _ in range(_ROUNDS):
            await measure(floor, asking(running, 3), 1, _CALLS)
            for hold_chars, samples in firsts.items():
                start = StreamStart(type="start", tenant_id="local", hold_chars=hold_chars)
                for _ in range(_CALLS):
                    began = perf_counter()
                    events = (await running.streams.open_stream(start)).events(_written())
                    async for event in events:
                        if isinstance(event, StreamRelease):
                            samples.append((perf_counter() - began) * 1e3)
                            break
                    await events.aclose()
    show("floor: three detectors about the whole text: p50", f"{floor.ms(0.5):.2f} ms")
    for hold_chars, samples in firsts.items():
        show(
            f"stream, first part released, {hold_chars} characters held back: p50, p99",
            f"{quantile(samples, 0.5):.2f} ms",
            f"{quantile(samples, 0.99):.2f} ms",
        )


async def _written() -> AsyncIterator[str]:
    for _ in range(20):
        yield _SENTENCE
