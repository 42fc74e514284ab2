"""What is recorded of a release: one event a step, never changed. All else about it follows from these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from llama_mapper.domain.contracts.releases import (
    AbStart,
    BlueGreenStart,
    CanaryStart,
    GateFigure,
    ReleaseDoor,
    ReleaseMode,
    ReleaseStep,
    ShadowStart,
    Start,
    VariantKind,
    schema_of,
)
from llama_mapper.domain.kernel.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a release or an experiment. `number` counts up from 1.

    `plan` is set on the first alone. `stage` is a canary's from then on, and `seen` the candidate's requests when it
    began. `settles` is the version that answers for the kind from then on, where the step decides that. `holds` says
    whether afterwards it still occupies its slot. `effects` are what was known when it was concluded or decided.
    """

    release_id: str
    number: int
    kind: VariantKind
    step: ReleaseStep
    at: datetime
    who: str
    door: ReleaseDoor
    keyless: bool
    holds: bool
    note: str = ""
    plan: Start | None = None
    stage: int | None = None
    seen: int = 0
    override: bool = False
    settles: str | None = None
    reasons: tuple[str, ...] = ()
    effects: tuple[GateFigure, ...] = ()

    def __post_init__(self) -> None:
        if (self.number == 1) is not (self.plan is not None) or (self.number == 1) is not (
            self.step is ReleaseStep.STARTED
        ):
            raise ValueError("the first event, and no other, starts with the plan")


Log = tuple[Event, ...]
"""Every event of a release, by number."""


def subject_of(kind: VariantKind, version: str) -> str:
    """What there is one version of in force: a kind, or of schemas each (`schema:MappingResponse`)."""
    return f"{kind.value}:{schema_of(version)}" if kind is VariantKind.SCHEMA else kind.value


def slot_of(plan: Start) -> str:
    """What only one release at a time may have: the subject's traffic, or what runs beside it."""
    subject = subject_of(plan.kind, plan.baseline)
    return f"{subject}:shadow" if plan.mode is ReleaseMode.SHADOW else subject


def plan_of(log: Log) -> Start:
    """The plan that it started with."""
    plan = log[0].plan
    if plan is None:
        raise ValueError("a log begins with its plan")
    return plan


def release_plan_of(log: Log) -> CanaryStart | BlueGreenStart:
    """The plan of a release; raise `NOT_FOUND` for no log or an experiment's."""
    plan = plan_of(log) if log else None
    if isinstance(plan, CanaryStart | BlueGreenStart):
        return plan
    raise NotFoundError("there is no such release")


def experiment_plan_of(log: Log) -> AbStart | ShadowStart:
    """The plan of an experiment; raise `NOT_FOUND` for no log or a release's."""
    plan = plan_of(log) if log else None
    if isinstance(plan, AbStart | ShadowStart):
        return plan
    raise NotFoundError("there is no such experiment")
