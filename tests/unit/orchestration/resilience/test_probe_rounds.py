"""The rounds of health probes, on a clock that jumps."""

from __future__ import annotations

import asyncio
import random

import pytest

from llama_mapper.domain.contracts.orchestration import HealthState
from llama_mapper.domain.orchestration.ports import Inquiry
from llama_mapper.domain.orchestration.resilience.guard import GuardedDetector
from llama_mapper.domain.orchestration.resilience.probe_rounds import ProbeRounds
from tests.support.virtual_time import run_in_virtual_time
from tests.unit.orchestration.resilience.support import Clock, RemoteDetector, failing, guard_of


async def until_state(guard: GuardedDetector, state: HealthState) -> None:
    while guard.vitals.state is not state:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_a_death_without_traffic_is_known_within_thirty_seconds_and_recovery_within_two_probes(
    seed: int, hangs: bool
) -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector()
        guard = guard_of(detector, clock)
        rounds = ProbeRounds(clock=clock, draw=random.Random(seed).random)
        rounds.follow([guard])
        await rounds.start()
        await asyncio.sleep(100 + seed * 3)
        assert guard.vitals.state is HealthState.HEALTHY
        died = clock()
        if hangs:
            detector.probe_takes_s = 3600
        else:
            detector.probe_fault = "connection refused"
        await until_state(guard, HealthState.DEGRADED)
        await until_state(guard, HealthState.UNHEALTHY)
        assert clock() - died < 30
        assert guard.readiness is not None
        detector.probe_takes_s, detector.probe_fault = 0.0, None
        probes = detector.probes
        await until_state(guard, HealthState.HEALTHY)
        assert detector.probes - probes <= 3 if hangs else 2
        await rounds.stop()

    run_in_virtual_time(story)


def test_probes_keep_their_interval_give_or_take_a_tenth() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector()
        rounds = ProbeRounds(clock=clock)
        rounds.follow([guard_of(detector, clock, probe_interval_ms=10_000)])
        await rounds.start()
        await asyncio.sleep(1000)
        assert 91 <= detector.probes <= 112
        await rounds.stop()

    run_in_virtual_time(story)


def test_one_that_hangs_delays_nobody_else_and_is_not_probed_twice_at_once() -> None:
    async def story(clock: Clock) -> None:
        hanging, fine = RemoteDetector(name="hanging"), RemoteDetector(name="fine")
        hanging.probe_takes_s = 1e6
        guards = [guard_of(each, clock, probe_interval_ms=1000) for each in (hanging, fine)]
        rounds = ProbeRounds(clock=clock)
        rounds.follow(guards)
        await rounds.start()
        await asyncio.sleep(100)
        assert fine.probes >= 90
        assert guards[0].vitals.state is HealthState.UNHEALTHY
        assert guards[0].vitals.reason.endswith("the last with: no answer within 3 s")
        await rounds.stop()
        assert hanging.probing == 0

    run_in_virtual_time(story)


def test_a_probe_that_cannot_be_cancelled_is_never_joined_by_another() -> None:
    class Stubborn(RemoteDetector):
        release = False

        async def probe(self) -> None:
            assert not self.probing
            self.probes += 1
            self.probing += 1
            while not self.release:
                try:
                    await asyncio.sleep(1)
                except asyncio.CancelledError:
                    continue
            self.probing -= 1

    async def story(clock: Clock) -> None:
        detector = Stubborn()
        guard = guard_of(detector, clock, probe_interval_ms=1000)
        rounds = ProbeRounds(clock=clock)
        rounds.follow([guard])
        await rounds.start()
        await asyncio.sleep(60)
        assert (detector.probes, guard.vitals.state) == (1, HealthState.UNHEALTHY)
        assert guard.vitals.reason.endswith("an earlier probe does not end")
        detector.release = True
        await asyncio.sleep(10)
        assert (detector.probes > 2, guard.vitals.state) == (True, HealthState.HEALTHY)
        await rounds.stop()

    run_in_virtual_time(story)


def test_failing_calls_bring_the_next_probe_forward() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector(failing())
        guard = guard_of(detector, clock, probe_interval_ms=600_000)
        rounds = ProbeRounds(clock=clock)
        rounds.follow([guard])
        await rounds.start()
        await asyncio.sleep(100)
        assert detector.probes == 1
        detector.probe_fault = "connection refused"
        for _ in range(3):
            with pytest.raises(Exception, match="it failed"):
                await guard.inspect(Inquiry("text", (), clock() + 1))
        await asyncio.sleep(0.1)
        assert (detector.probes, guard.vitals.state) == (2, HealthState.UNHEALTHY)
        await rounds.stop()

    run_in_virtual_time(story)


def test_detectors_come_and_go_and_those_that_stay_keep_their_times() -> None:
    async def story(clock: Clock) -> None:
        stays, goes, comes = (RemoteDetector(name=name) for name in ("stays", "goes", "comes"))
        guards = {each.descriptor.name: guard_of(each, clock) for each in (stays, goes, comes)}
        rounds = ProbeRounds(clock=clock, draw=lambda: 0.5)
        await rounds.start()
        rounds.follow([guards["stays"], guards["goes"]])
        await asyncio.sleep(5)
        goes.probe_takes_s = 1e6
        await asyncio.sleep(6)
        assert (stays.probes, goes.probes, goes.probing) == (2, 2, 1)
        rounds.follow([guards["stays"], guards["comes"]])
        await asyncio.sleep(4)
        assert (stays.probes, goes.probing, comes.probes) == (2, 0, 1)
        rounds.follow([])
        await asyncio.sleep(100)
        assert (stays.probes, goes.probes, comes.probes) == (2, 2, 1)
        await rounds.stop()

    run_in_virtual_time(story)


def test_rounds_stop_in_the_middle_of_anything_and_start_again() -> None:
    async def story(clock: Clock) -> None:
        detector = RemoteDetector()
        detector.probe_takes_s = 2.0
        rounds = ProbeRounds(clock=clock, draw=lambda: 0.0)
        rounds.follow([guard_of(detector, clock)])
        await rounds.stop()
        for _ in range(3):
            await rounds.start()
            await rounds.start()
            await asyncio.sleep(1)
            assert detector.probing == 1
            await rounds.stop()
            await rounds.stop()
            assert detector.probing == 0
        await asyncio.sleep(100)
        assert detector.probes == 3

    run_in_virtual_time(story)
