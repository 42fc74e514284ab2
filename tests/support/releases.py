"""Plans, processes and stages for tests of releases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.releases import (
    AbStart,
    BlueGreenStart,
    CanaryStart,
    EvaluationSummary,
    ReleaseActor,
    ReleaseDoor,
    ReleaseGates,
    ReleaseMode,
    ShadowStart,
    Treatment,
    VariantKind,
)
from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.releases.admission import Admission, AdmissionGate
from llama_mapper.domain.mapping.releases.controller import ReleaseController
from llama_mapper.domain.mapping.releases.experiments import ExperimentService
from llama_mapper.domain.mapping.releases.ledger import ReleaseLedger
from llama_mapper.domain.mapping.releases.observations import Observations
from llama_mapper.domain.mapping.releases.ports import ReleaseRecords, ValidationSuite
from llama_mapper.domain.mapping.releases.router import ReleaseRouter
from llama_mapper.domain.mapping.releases.service import ReleaseService
from llama_mapper.domain.mapping.releases.suites import SuitesByKind

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ANNA = ReleaseActor(name="anna", door=ReleaseDoor.HTTP)
GOOD = EvaluationSummary(digest="sha256:" + "a" * 64, figures={"level2_accuracy": 0.8})
MODEL = VariantKind.MODEL


def canary(**changes: Any) -> CanaryStart:
    """A canary from v1 to v2 that advances by itself after 20 requests."""
    plan: dict[str, Any] = {
        "kind": MODEL,
        "baseline": "v1",
        "candidate": "v2",
        "evaluation": GOOD,
        "min_requests": 20,
        "min_seconds": 60.0,
        "gates": ReleaseGates(latency_ratio=None),
    }
    return CanaryStart(**plan | changes)


def blue_green(**changes: Any) -> BlueGreenStart:
    """A blue-green release from v1 to v2."""
    plan: dict[str, Any] = {"mode": ReleaseMode.BLUE_GREEN, "kind": MODEL, "baseline": "v1", "candidate": "v2"}
    return BlueGreenStart(**plan | {"evaluation": GOOD} | changes)


def ab(**changes: Any) -> AbStart:
    """v2 against v1, half and half."""
    treatments = (Treatment(version="v2", percent=50.0, evaluation=GOOD),)
    return AbStart(**{"kind": MODEL, "baseline": "v1", "treatments": treatments} | changes)


def shadow(**changes: Any) -> ShadowStart:
    """v2 beside v1 for everything."""
    treatments = (Treatment(version="v2", percent=100.0),)
    plan: dict[str, Any] = {"mode": ReleaseMode.SHADOW, "kind": MODEL, "baseline": "v1", "treatments": treatments}
    return ShadowStart(**plan | changes)


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class Process:
    """All that one process of a service has for releases."""

    def __init__(
        self,
        records: ReleaseRecords,
        clock: Callable[[], datetime],
        suite: ValidationSuite | None = None,
        gate: AdmissionGate | None = None,
        interval_s: float = 1.0,
    ) -> None:
        self.records = records
        self.failures: list[str] = []
        self.ledger = ReleaseLedger(records, clock)
        gate = gate or AdmissionGate({"level2_accuracy": 0.5})
        admission = Admission({MODEL: gate})
        suites = SuitesByKind({} if suite is None else {MODEL: suite})
        self.releases = ReleaseService(records, self.ledger, admission, suites, clock)
        self.experiments = ExperimentService(records, self.ledger, admission)
        self.observations = Observations(records, on_failure=self.failures.append)
        self.router = ReleaseRouter(
            records, self.observations, {MODEL: "v1"}, interval_s=interval_s, on_failure=self.failures.append
        )
        self.controller = ReleaseController(records, self.ledger, clock, on_failure=self.failures.append)


class ScriptedStage:
    """A stage that answers each label as it is told, and remembers what it was asked."""

    stage = MappingStage.MODEL

    def __init__(
        self,
        version: str,
        answer: Callable[[LabelKey], str | None] = lambda _: "pii.contact",
        *,
        delay_s: float = 0.0,
        fault: str | None = None,
        error: Exception | None = None,
    ) -> None:
        self.version = version
        self.answer, self.delay_s, self.fault, self.error = answer, delay_s, fault, error
        self.asked: list[tuple[LabelKey, ...]] = []

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """See `CandidateStage.rank`."""
        self.asked.append(tuple(labels))
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.error is not None:
            raise self.error
        if self.fault is not None:
            return [Ranking(fault=self.fault) for _ in labels]
        return [self._ranking(self.answer(label)) for label in labels]

    def _ranking(self, answer: str | None) -> Ranking:
        candidates = () if answer is None else (Candidate(answer, 0.9),)
        return Ranking(candidates, prompt_tokens=10, completion_tokens=2)


def label(number: int) -> LabelKey:
    """One of many labels."""
    return LabelKey("vendor", None, f"LABEL_{number}")
