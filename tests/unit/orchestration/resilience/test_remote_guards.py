"""The guards of a process: what they tell in metrics and notes, and that they go with their detectors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
from llama_mapper.adapters.platform.shared_state.memory_breakers import MemoryBreakerBoard
from llama_mapper.domain.contracts.detectors import DetectorDefinition, HttpJsonDetector, ResilienceTerms
from llama_mapper.domain.orchestration.ports import Inquiry, NoAnswer, ProbedDetector
from llama_mapper.domain.orchestration.resilience.load_shedding import LoadShedder
from llama_mapper.entrypoints.containers.resilience import RemoteGuards, shedder_gauges
from tests.unit.orchestration.resilience.support import RemoteDetector, answers, failing


def definition(name: str = "remote", url: str = "http://127.0.0.1:9", **terms: Any) -> DetectorDefinition:
    return DetectorDefinition(
        name=name,
        vendor="acme",
        vendor_version="1",
        url=url,
        protocol=HttpJsonDetector(kind="http_json", body={}),
        resilience=ResilienceTerms(**terms),
    )


async def fail(detector: ProbedDetector, times: int) -> None:
    for _ in range(times):
        with pytest.raises(NoAnswer):
            await detector.inspect(Inquiry("text"))


def lines(metrics: PrometheusMetrics, name: str) -> dict[str, float]:
    """The samples of a metric that are not zero: labels → value."""
    text = metrics.render()[0].decode()
    samples = [line.removeprefix(name).rsplit(" ", 1) for line in text.splitlines() if line.startswith(name + "{")]
    return {labels: float(value) for labels, value in samples if float(value)}


class Windows:
    """Something around a guard."""

    def __init__(self, inner: ProbedDetector) -> None:
        self._inner = inner
        self.descriptor = inner.descriptor
        self.readiness: str | None = None
        self.inspect = inner.inspect
        self.probe = inner.probe


async def test_metrics_tell_breaker_health_and_outcomes_and_their_only_label_of_ours_is_the_name() -> None:
    metrics = PrometheusMetrics()
    guards = RemoteGuards(metrics)
    detector = RemoteDetector(failing())
    guard = guards.guarded(detector, definition(breaker_failures=3))
    await fail(guard, 5)
    prefix = "llama_mapper_detector_"
    assert lines(metrics, prefix + "breaker_transitions_total") == {'{detector="remote",to="open"}': 1}
    assert lines(metrics, prefix + "breaker") == {'{detector="remote",state="open"}': 1}
    assert lines(metrics, prefix + "health") == {'{detector="remote",state="degraded"}': 1}
    assert lines(metrics, prefix + "calls_total") == {
        '{detector="remote",outcome="failed"}': 3,
        '{detector="remote",outcome="breaker_open"}': 2,
    }
    guards.release(guard)
    assert lines(metrics, prefix + "calls_total") == {}


async def test_notes_say_why_a_detector_is_not_asked_or_that_it_is_degraded_whatever_is_around_it() -> None:
    guards = RemoteGuards()
    detector = RemoteDetector(failing())
    guard = guards.guarded(detector, definition())
    outer = Windows(guard)
    assert guards.notes() == {}
    await fail(outer, 3)
    assert guards.notes() == {"detector.remote": "degraded: 3 calls in a row failed, the last with BROKEN"}
    guard.note_probe("connection refused")
    assert guards.notes() == {"detector.remote": "unhealthy: 1 health probe failed, the last with: connection refused"}
    health = guards.health_of(outer)
    assert health is not None
    assert health.consecutive_failures == 3
    guards.release(outer)
    assert (guards.notes(), guards.health_of(outer)) == ({}, None)


async def test_a_new_revision_is_what_is_told_of_until_it_is_released() -> None:
    guards = RemoteGuards()
    old = guards.guarded(RemoteDetector(failing()), definition())
    await fail(old, 3)
    new = guards.guarded(RemoteDetector(), definition())
    assert guards.notes() == {}
    guards.release(new)
    assert "detector.remote" in guards.notes()


async def test_a_detector_that_moved_is_not_held_to_what_other_processes_saw_of_its_old_place() -> None:
    board = MemoryBreakerBoard()
    here, there = RemoteGuards(board=board), RemoteGuards(board=board)
    guard = here.guarded(RemoteDetector(failing()), definition(breaker_failures=1))
    await fail(guard, 1)
    assert there.guarded(RemoteDetector(), definition()).readiness is not None
    assert there.guarded(RemoteDetector(), definition(url="http://127.0.0.1:10")).readiness is None


async def test_followed_detectors_are_probed_between_start_and_stop_and_not_after_their_release() -> None:
    guards = RemoteGuards()
    kept, gone = RemoteDetector(answers, "kept"), RemoteDetector(answers, "gone")
    guards.guarded(kept, definition("kept", probe_interval_ms=10))
    guards.release(guards.guarded(gone, definition("gone", probe_interval_ms=10)))
    await guards.start()
    async with asyncio.timeout(30):
        while kept.probes < 3:
            await asyncio.sleep(0.01)
    await guards.stop()
    probes = kept.probes
    await asyncio.sleep(0.05)
    assert (kept.probes, gone.probes) == (probes, 0)


def test_requests_in_the_house_and_refused_at_the_door_are_told() -> None:
    metrics, shedder = PrometheusMetrics(), LoadShedder(1)
    shedder_gauges(metrics, shedder)
    with shedder:
        text = metrics.render()[0].decode()
    assert "llama_mapper_requests_in_flight 1.0" in text
    assert "llama_mapper_requests_shed 0.0" in text
