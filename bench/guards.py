"""What a guard costs around a detector that answers at once, with the bare detector as the floor of the same run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic, perf_counter

from bench.noop import NoopDetector
from llama_mapper.adapters.platform.shared_state.memory_breakers import MemoryBreakerBoard
from llama_mapper.domain.contracts.detectors import ResilienceTerms
from llama_mapper.domain.orchestration.ports import Inquiry, Inspection
from llama_mapper.domain.orchestration.resilience.guard import GuardedDetector

_CALLS, _ROUNDS = 2_000, 30


class _Noop(NoopDetector):
    async def probe(self) -> None:
        """Alive."""


async def run() -> None:
    """Print the best of interleaved rounds, in microseconds a call."""
    bare = _Noop(0)
    guard = GuardedDetector(bare, ResilienceTerms(), timeout_s=2.0)
    sharing = GuardedDetector(bare, ResilienceTerms(), timeout_s=2.0, board=MemoryBreakerBoard())
    asked: dict[str, tuple[Callable[[Inquiry], Awaitable[Inspection]], float | None]] = {
        "bare detector (floor)": (bare.inspect, None),
        "guarded": (guard.inspect, None),
        "guarded, breaker shared": (sharing.inspect, None),
        "guarded, hedged after 1 s": (guard.inspect, 1.0),
    }
    best = dict.fromkeys(asked, float("inf"))
    for _ in range(_ROUNDS):
        for name, (inspect, hedge_after_s) in asked.items():
            inquiry = Inquiry("text", (), monotonic() + 60.0, 0, hedge_after_s)
            began = perf_counter()
            for _ in range(_CALLS):
                await inspect(inquiry)
            best[name] = min(best[name], (perf_counter() - began) / _CALLS * 1e6)
    for name, took_us in best.items():
        print(f"  {name}: {took_us:.2f} µs")
    print("  aim: guarded below 15 µs")
