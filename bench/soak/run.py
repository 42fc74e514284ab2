"""One soak: traffic, faults, the death of Valkey, recovery, rest."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import httpx2

from bench.soak.figures import RECOVERY_LIMIT_S, Figures, Outage
from bench.soak.stage import Stage, set_up
from bench.soak.traffic import Traffic
from bench.soak.watch import Watch

_NOTE = "shared_state"
_NOTE_LIMIT_S = 30.0
_REST_LIMIT_S = 20.0
_IDLE_S = 4.0
"""Longer than an idle connection to a detector is kept."""
_WHOLE_IN_A_ROW = 100
"""Answers with all five detectors, without one between that lacks any: then the service has recovered."""
_VALKEY_DIES, _VALKEY_RETURNS = 0.4, 0.55
"""Progress at which that happens."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much, for how long, how hard.

    The faults end with whichever of `requests` and `seconds` is reached first, but not before `at_least` seconds:
    what flaps needs time for it.
    """

    requests: int = 20_000
    seconds: float = 600.0
    at_least: float = 15.0
    concurrency: int = 32
    assessed: float = 0.1
    """The share of requests that go through the whole chain."""
    growth_limit: float = 0.1
    """By what share memory may grow between the 25 % mark and the end."""
    seed: int = 1


Tell = Callable[[str, float], None]
"""Hears the phase and the progress from 0 to 1."""


def soak(options: Options, tell: Tell) -> Figures:
    """Do it all; what was started is stopped."""
    import uvloop

    with tempfile.TemporaryDirectory() as folder:
        tell("starting", 0.0)
        with set_up(Path(folder)) as stage:
            return uvloop.run(_soak(options, stage, tell))


async def _soak(options: Options, stage: Stage, tell: Tell) -> Figures:
    pid = stage.server.process.pid
    await asyncio.to_thread(stage.misbehave)
    async with _client(stage, 2) as watching:
        watch = Watch(watching, pid)
        before = watch.sample(0.0, 0)
        async with _client(stage, options.concurrency) as client:
            traffic = Traffic(client, options.assessed, options.seed)
            began = monotonic()

            def progress() -> float:
                lasted = monotonic() - began
                done = min(traffic.answered / options.requests, lasted / options.at_least)
                return min(1.0, max(done, lasted / options.seconds))

            async def follow() -> None:
                while True:
                    watch.take(progress(), traffic.answered)
                    tell("under fire", progress())
                    await watch.look()
                    await asyncio.sleep(min(2.0, options.seconds / 200))

            following = asyncio.create_task(follow())
            killing = asyncio.create_task(_kill_valkey(stage, watch, traffic, progress))
            await traffic.run(options.concurrency, lambda: progress() >= 1.0 and killing.done())
            fire_s, under_fire, latencies_s = monotonic() - began, traffic.answered, tuple(traffic.latencies_s)
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            breakers_under_fire = await watch.breakers()
            tell("recovering", 1.0)
            recovery_s = await _recover(stage, traffic, options.concurrency)
        tell("coming to rest", 1.0)
        files_after = await _at_rest(watch)
        return Figures(
            answers=traffic.told(),
            under_fire=under_fire,
            fire_s=fire_s,
            latencies_s=latencies_s,
            samples=watch.samples,
            files_before=before.files,
            files_after=files_after,
            outage=await killing,
            breakers_under_fire=breakers_under_fire,
            breakers_after=await watch.breakers(),
            recovery_s=recovery_s,
            unready=watch.unready,
            notes_after=watch.notes,
            growth_limit=options.growth_limit,
        )


async def _kill_valkey(stage: Stage, watch: Watch, traffic: Traffic, progress: Callable[[], float]) -> Outage:
    await _until(lambda: progress() >= _VALKEY_DIES)
    answered = traffic.answered
    stage.valkey.kill()
    noted_s = await watch.until_noted(_NOTE, _NOTE_LIMIT_S)
    await _until(lambda: progress() >= _VALKEY_RETURNS)
    answers = traffic.answered - answered
    await asyncio.to_thread(stage.valkey.start)
    return Outage(answers, noted_s, await watch.until_noted(_NOTE, _NOTE_LIMIT_S, gone=True))


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - progress is a matter of the clock, too: there is no event to wait for
        await asyncio.sleep(0.02)


async def _recover(stage: Stage, traffic: Traffic, concurrency: int) -> float | None:
    """End the faults; give the seconds until the last answer in which a detector was missing."""
    began = monotonic()
    await asyncio.to_thread(stage.behave)
    traffic.whole_in_a_row = 0

    def whole() -> bool:
        return traffic.whole_in_a_row >= _WHOLE_IN_A_ROW

    await traffic.run(concurrency, lambda: whole() or monotonic() - began > RECOVERY_LIMIT_S)
    return max(0.0, traffic.last_gap_at - began) if whole() else None


async def _at_rest(watch: Watch) -> int:
    """Open files once the pools have let go of what idles."""
    until = monotonic() + _REST_LIMIT_S
    while monotonic() < until:
        await asyncio.sleep(_IDLE_S)
        await watch.look()
        if not watch.notes:
            break
    return watch.sample(1.0, 0).files


def _client(stage: Stage, connections: int) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx2.AsyncClient(base_url=stage.server.url, timeout=60.0, limits=limits, trust_env=False)
