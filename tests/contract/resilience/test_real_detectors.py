"""Guards in front of real processes that refuse, hang, reset, fail, flap, die and come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import httpx2
import pytest

from llama_mapper.domain.contracts.detectors import BreakerState, DetectorDefinition, HttpJsonDetector, ResilienceTerms
from llama_mapper.domain.contracts.orchestration import DetectorStatus, HealthState
from llama_mapper.domain.orchestration.fanout import Call, FanOut
from llama_mapper.domain.orchestration.ports import Inquiry, Inspection, NoAnswer
from llama_mapper.domain.orchestration.resilience.guard import GuardedDetector
from llama_mapper.entrypoints.containers.resilience import RemoteGuards
from tests.support.detector_servers import DetectorServer, detector_servers
from tests.support.plain_detector import PlainDetector

PATIENT_S = 30.0
"""What a busy machine may take."""


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[DetectorServer, ...]]:
    with detector_servers({"bad": "toxic"}, {"bad": "toxic"}) as started:
        yield started


@pytest.fixture
def server(servers: tuple[DetectorServer, ...]) -> DetectorServer:
    servers[0].behave("good", forget=True)
    return servers[0]


@asynccontextmanager
async def guarded(
    *servers: DetectorServer, timeout_ms: int = 5_000, probing: bool = False, **terms: Any
) -> AsyncIterator[tuple[RemoteGuards, list[GuardedDetector]]]:
    """Guards in front of the servers, probed if asked for; at the end nothing of them runs any more."""
    others = asyncio.all_tasks()
    guards = RemoteGuards()
    async with httpx2.AsyncClient(timeout=None, trust_env=False) as client:
        made = []
        for number, server in enumerate(servers):
            definition = DetectorDefinition(
                name=f"remote{number}",
                vendor="acme",
                vendor_version="1",
                url=server.url,
                protocol=HttpJsonDetector(kind="http_json", body={"text": "{{text}}"}),
                timeout_ms=timeout_ms,
                resilience=ResilienceTerms(**terms),
            )
            made.append(guards.guarded(PlainDetector(definition.name, server.url, client), definition))
        if probing:
            await guards.start()
        try:
            yield guards, made
        finally:
            await guards.stop()
        await until(lambda: all((one.figures.in_flight, one.figures.queued) == (0, 0) for one in made))
        for one in made:
            guards.release(one)
    await until(lambda: not (asyncio.all_tasks() - others - {asyncio.current_task()}))


async def until(is_so: Any) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not is_so():
            await asyncio.sleep(0.005)


async def ask(guard: GuardedDetector, seconds: float = PATIENT_S, **allowed: Any) -> Inspection:
    return await guard.inspect(Inquiry("a bad text", (), monotonic() + seconds, **allowed))


async def outcome(guard: GuardedDetector, seconds: float = PATIENT_S, **allowed: Any) -> str:
    """`ok`, or the code of the failure."""
    try:
        answer = await ask(guard, seconds, **allowed)
    except NoAnswer as fault:
        return fault.code
    assert [finding.label for finding in answer.findings] == ["toxic"]
    return "ok"


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("refuse", "DETECTOR_UNREACHABLE"),
        ("reset", "DETECTOR_UNREACHABLE"),
        ("reset_at_once", "DETECTOR_UNREACHABLE"),
        ("close", "DETECTOR_UNREACHABLE"),
        ("status", "DETECTOR_SERVER_ERROR"),
        ("hang", "DETECTOR_TIMEOUT"),
        ("drip", "DETECTOR_TIMEOUT"),
    ],
)
async def test_whatever_a_detector_does_to_us_it_opens_the_breaker_and_a_good_answer_closes_it(
    server: DetectorServer, behaviour: str, code: str
) -> None:
    async with guarded(server, timeout_ms=600, breaker_failures=3, breaker_open_ms=100) as (_, (guard,)):
        server.behave(behaviour)
        assert [await outcome(guard) for _ in range(3)] == [code] * 3
        assert guard.figures.transitions[BreakerState.OPEN] == 1
        server.behave("good")
        await until(lambda: guard.readiness is None)
        async with asyncio.timeout(PATIENT_S):
            while await outcome(guard) != "ok":  # a slow machine may miss the limit once more
                await asyncio.sleep(0.05)
        assert guard.health.breaker is BreakerState.CLOSED


async def test_an_open_breaker_spares_a_detector_that_hangs_and_its_callers(server: DetectorServer) -> None:
    async with guarded(server, timeout_ms=500, breaker_failures=3, max_concurrency=3) as (_, (guard,)):
        server.behave("hang", forget=True)
        outcomes = Counter(await asyncio.gather(*[outcome(guard) for _ in range(40)]))
        assert outcomes["DETECTOR_TIMEOUT"] + outcomes["BREAKER_OPEN"] == 40
        assert server.counted()["requests"] <= 6, "three, and at most those who took their places"
        assert await outcome(guard) == "BREAKER_OPEN"
        await until(lambda: server.counted()["in_flight"] == 0)


async def test_retries_carry_calls_through_a_detector_that_fails_now_and_then(server: DetectorServer) -> None:
    async with guarded(server, retry_budget=1.0, breaker_failures=1000) as (_, (guard,)):
        server.behave("flaky", probability=0.3, bad="reset_at_once")
        outcomes = Counter([await outcome(guard, retries=5) for _ in range(60)])
        assert outcomes["ok"] >= 58  # each fails with 0.3 ** 6
        assert guard.figures.retries > 0


async def test_a_detector_that_says_when_is_left_alone_until_then(server: DetectorServer) -> None:
    async with guarded(server) as (_, (guard,)):
        server.behave("status", status=503, headers={"retry-after": "1"}, forget=True)
        began = monotonic()
        asking = asyncio.create_task(outcome(guard, retries=1))
        await until(lambda: server.counted()["requests"] == 1)
        server.behave("good")
        assert await asking == "ok"
        assert monotonic() - began >= 1.0
        assert server.counted()["requests"] == 2


async def test_a_hedge_beats_an_attempt_that_hangs_and_takes_it_back(server: DetectorServer) -> None:
    async with guarded(server) as (_, (guard,)):
        server.behave("hang", forget=True)
        asking = asyncio.create_task(ask(guard, hedge_after_s=0.3))
        await until(lambda: server.counted()["requests"] == 1)
        server.behave("good")
        answer = await asking
        assert (answer.notes["hedged"], answer.notes["attempts"]) == (True, 2)
        await until(lambda: server.counted()["in_flight"] == 0)


async def test_no_more_calls_than_agreed_reach_a_detector_and_all_who_wait_are_served_in_turn(
    server: DetectorServer,
) -> None:
    async with guarded(server, max_concurrency=4, max_queue=60) as (_, (guard,)):
        server.behave("good", delay_s=0.01, forget=True)
        ended: list[int] = []

        async def call(number: int) -> str:
            said = await outcome(guard)
            ended.append(number)
            return said

        outcomes = Counter(await asyncio.gather(*[call(number) for number in range(80)]))
        assert outcomes == {"ok": 64, "DETECTOR_OVERLOADED": 16}
        assert server.counted()["peak_in_flight"] <= 4
        served = [number for number in ended if number < 64]
        assert all(abs(place - number) <= 8 for place, number in enumerate(served)), "first come, first served"


async def test_a_storm_of_callers_who_give_up_leaves_no_place_taken_and_no_call_running(server: DetectorServer) -> None:
    async with guarded(server, max_concurrency=8, max_queue=200, breaker_failures=1000) as (_, (guard,)):
        for hedge_after_s in (None, 0.005):
            server.behave("hang")
            calls = [asyncio.create_task(ask(guard, hedge_after_s=hedge_after_s, retries=2)) for _ in range(150)]
            await until(lambda: guard.figures.in_flight == 8)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await until(lambda: (guard.figures.in_flight, guard.figures.queued) == (0, 0))
            await until(lambda: server.counted()["in_flight"] == 0)
            server.behave("good")
            assert Counter(await asyncio.gather(*[outcome(guard) for _ in range(50)])) == {"ok": 50}


async def test_a_flapping_detector_never_costs_a_caller_more_than_the_deadline(server: DetectorServer) -> None:
    async with guarded(server, probing=True, breaker_failures=3, breaker_open_ms=100, probe_interval_ms=50) as (
        _,
        (guard,),
    ):
        server.behave("flapping", period_s=0.4, bad="hang")
        until_s = monotonic() + 2.5
        outcomes: Counter[str] = Counter()
        while monotonic() < until_s:
            began = monotonic()
            outcomes[await outcome(guard, 0.6)] += 1
            assert monotonic() - began < 0.6 + 5.0  # what a busy machine adds
        assert outcomes["ok"] > 0
        server.behave("good")
        await until(lambda: guard.readiness is None and guard.vitals.state is HealthState.HEALTHY)
        async with asyncio.timeout(PATIENT_S):
            while await outcome(guard) != "ok":
                await asyncio.sleep(0.05)


async def test_a_killed_detector_is_found_without_traffic_and_found_again_when_it_is_back() -> None:
    with detector_servers({"bad": "toxic"}) as (server,):
        async with guarded(server, probing=True, probe_interval_ms=100) as (guards, (guard,)):
            await until(lambda: guard.health.last_probe_at is not None)
            server.kill()
            await until(lambda: guard.vitals.state is HealthState.UNHEALTHY)
            assert guards.notes()["detector.remote0"].startswith("unhealthy: ")
            await asyncio.to_thread(server.start)
            await until(lambda: guard.vitals.state is HealthState.HEALTHY)
            assert guards.notes() == {}
            assert await outcome(guard) == "ok"


async def test_one_that_hangs_delays_neither_the_others_calls_nor_their_probes(
    servers: tuple[DetectorServer, ...],
) -> None:
    dead, fine = servers
    fine.behave("good")
    async with guarded(dead, fine, probing=True, timeout_ms=600, probe_interval_ms=50) as (_, guards):
        dead.behave("hang")
        for _ in range(3):
            calls = [Call(guard.descriptor.name, guard, 2.0) for guard in guards]
            await FanOut().run(calls, "a bad text", (), monotonic(), 2.0)
            assert calls[0].status in (DetectorStatus.TIMEOUT, DetectorStatus.UNAVAILABLE)
            assert calls[0].notes["breaker"] in ("closed", "open")
            assert calls[1].status is DetectorStatus.SUCCESS
        await until(lambda: guards[0].vitals.state is not HealthState.HEALTHY)
        assert guards[1].vitals.state is HealthState.HEALTHY
        dead.behave("good")
