"""Wiring of what protects remote detectors: guards, probe rounds, their metrics, logs and notes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import structlog

from llama_mapper.domain.contracts.detectors import BreakerState, DetectorDefinition, DetectorHealth
from llama_mapper.domain.contracts.orchestration import HealthState
from llama_mapper.domain.kernel.breakers import BreakerBoard
from llama_mapper.domain.orchestration.ports import Detector, ProbedDetector
from llama_mapper.domain.orchestration.resilience.guard import GuardedDetector
from llama_mapper.domain.orchestration.resilience.load_shedding import LoadShedder
from llama_mapper.domain.orchestration.resilience.probe_rounds import ProbeRounds

if TYPE_CHECKING:
    from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics


class RemoteGuards:
    """The guards of one process: made with the detectors, released with them, probed between `start` and `stop`.

    A detector's new revision has a guard of its own, and what is told of a name is told of the newest. `board` tells
    other processes which breakers are open.
    """

    def __init__(self, metrics: PrometheusMetrics | None = None, board: BreakerBoard | None = None) -> None:
        self._board = board
        self._rounds = ProbeRounds()
        # By the identity of the descriptor, which is constant, and the same for whatever is put around a guard.
        self._guards: dict[int, GuardedDetector] = {}
        if metrics is not None:
            from llama_mapper.adapters.orchestration.resilience.prometheus_figures import GuardCollector

            metrics.register(GuardCollector(lambda: [guard.figures for guard in self._newest().values()]))

    def guarded(self, detector: ProbedDetector, definition: DetectorDefinition) -> GuardedDetector:
        """The detector behind a guard on the terms of its definition; it is probed from now on."""
        guard = GuardedDetector(
            detector,
            definition.resilience,
            timeout_s=definition.timeout_ms / 1e3,
            board=self._board,
            # A detector that moved is not held to what was known of its old place.
            board_name=f"{definition.name}@{sha256(definition.url.encode()).hexdigest()[:12]}",
            on_change=partial(_log, definition.name),
        )
        self._guards[id(guard.descriptor)] = guard
        self._rounds.follow(self._guards.values())
        return guard

    def release(self, detector: Detector) -> None:
        """Probe it no more, and forget it; nothing happens if it has no guard of ours."""
        self._guards.pop(id(detector.descriptor), None)
        self._rounds.follow(self._guards.values())

    async def start(self) -> None:
        """Begin to probe."""
        await self._rounds.start()

    async def stop(self) -> None:
        """End the probes. May be called again."""
        await self._rounds.stop()

    def health_of(self, detector: Detector) -> DetectorHealth | None:
        """How it is; None if it has no guard of ours."""
        guard = self._guards.get(id(detector.descriptor))
        return None if guard is None else guard.health

    def notes(self) -> Mapping[str, str]:
        """What `/readyz` tells: why a detector cannot be asked, or that it is degraded."""
        notes = {}
        for name, guard in self._newest().items():
            if (why := guard.readiness) is not None:
                notes[f"detector.{name}"] = why
            elif guard.vitals.state is HealthState.DEGRADED:
                notes[f"detector.{name}"] = f"degraded: {guard.vitals.reason}"
        return notes

    def _newest(self) -> dict[str, GuardedDetector]:
        return {guard.descriptor.name: guard for guard in self._guards.values()}


def shedder_gauges(metrics: PrometheusMetrics, shedder: LoadShedder) -> None:
    """How many requests are in the house and were refused at the door, as metrics."""
    metrics.gauge("llama_mapper_requests_in_flight", "Requests that are being judged.", lambda: shedder.in_flight)
    metrics.gauge("llama_mapper_requests_shed", "Requests refused at the door.", lambda: shedder.refused)


def _log(detector: str, what: str, state: str, reason: str) -> None:
    logger = structlog.get_logger("llama_mapper.detectors")
    is_good = state in (HealthState.HEALTHY, BreakerState.CLOSED)
    write = logger.info if is_good else logger.warning
    write(f"detector_{what}_changed", detector=detector, state=state, reason=reason)
