"""Where a release stands, and which steps its state permits: pure decisions over its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from llama_mapper.domain.contracts.releases import (
    BlueGreenStart,
    CanaryStart,
    ReleaseMode,
    ReleaseState,
    ReleaseStep,
    Start,
)
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError
from llama_mapper.domain.mapping.releases.events import Log, plan_of

BASELINE, CANDIDATE = "baseline", "candidate"

_FIRST: Mapping[ReleaseMode, ReleaseState] = {ReleaseMode.BLUE_GREEN: ReleaseState.STAGED}
_AFTER: Mapping[ReleaseStep, ReleaseState] = {
    ReleaseStep.HELD: ReleaseState.HELD,
    ReleaseStep.RESUMED: ReleaseState.RUNNING,
    ReleaseStep.VALIDATED: ReleaseState.VALIDATED,
    ReleaseStep.VALIDATION_FAILED: ReleaseState.STAGED,
    ReleaseStep.SWITCHED: ReleaseState.SWITCHED,
    ReleaseStep.SWITCHED_BACK: ReleaseState.VALIDATED,
    ReleaseStep.COMPLETED: ReleaseState.COMPLETED,
    ReleaseStep.ROLLED_BACK: ReleaseState.ROLLED_BACK,
    ReleaseStep.CONCLUDED: ReleaseState.CONCLUDED,
}
_CANARY_AT_WORK = frozenset({ReleaseState.RUNNING, ReleaseState.HELD})
_BLUE_GREEN_AT_WORK = frozenset({ReleaseState.STAGED, ReleaseState.VALIDATED, ReleaseState.SWITCHED})
_PERMITTED: Mapping[tuple[ReleaseMode, ReleaseStep], frozenset[ReleaseState]] = {
    (ReleaseMode.CANARY, ReleaseStep.ADVANCED): _CANARY_AT_WORK,
    (ReleaseMode.CANARY, ReleaseStep.HELD): frozenset({ReleaseState.RUNNING}),
    (ReleaseMode.CANARY, ReleaseStep.RESUMED): frozenset({ReleaseState.HELD}),
    (ReleaseMode.CANARY, ReleaseStep.COMPLETED): _CANARY_AT_WORK,
    (ReleaseMode.CANARY, ReleaseStep.ROLLED_BACK): _CANARY_AT_WORK,
    (ReleaseMode.BLUE_GREEN, ReleaseStep.VALIDATED): frozenset({ReleaseState.STAGED, ReleaseState.VALIDATED}),
    (ReleaseMode.BLUE_GREEN, ReleaseStep.VALIDATION_FAILED): frozenset({ReleaseState.STAGED, ReleaseState.VALIDATED}),
    (ReleaseMode.BLUE_GREEN, ReleaseStep.SWITCHED): frozenset({ReleaseState.VALIDATED}),
    (ReleaseMode.BLUE_GREEN, ReleaseStep.SWITCHED_BACK): frozenset({ReleaseState.SWITCHED}),
    (ReleaseMode.BLUE_GREEN, ReleaseStep.COMPLETED): frozenset({ReleaseState.SWITCHED}),
    (ReleaseMode.BLUE_GREEN, ReleaseStep.ROLLED_BACK): _BLUE_GREEN_AT_WORK,
    (ReleaseMode.AB, ReleaseStep.CONCLUDED): frozenset({ReleaseState.RUNNING}),
    (ReleaseMode.SHADOW, ReleaseStep.CONCLUDED): frozenset({ReleaseState.RUNNING}),
}


@dataclass(frozen=True, slots=True)
class Position:
    """How far a release has come. `stage`, its begin and `seen` are a canary's: see `Event`."""

    plan: Start
    state: ReleaseState
    started_at: datetime
    since: datetime
    stage: int = 0
    stage_since: datetime | None = None
    seen: int = 0

    @property
    def candidate_percent(self) -> float:
        """The candidate's part of the traffic now, in percent; of experiments all treatments' together."""
        plan = self.plan
        if isinstance(plan, CanaryStart):
            if self.state in _CANARY_AT_WORK:
                return plan.stages[self.stage]
            return 100.0 if self.state is ReleaseState.COMPLETED else 0.0
        if isinstance(plan, BlueGreenStart):
            return 100.0 if self.state in (ReleaseState.SWITCHED, ReleaseState.COMPLETED) else 0.0
        return sum(each.percent for each in plan.treatments) if self.state is ReleaseState.RUNNING else 0.0

    @property
    def is_last_stage(self) -> bool:
        """Whether a canary has all the traffic."""
        return isinstance(self.plan, CanaryStart) and self.stage == len(self.plan.stages) - 1

    @property
    def versions(self) -> dict[str, str]:
        """Arm → version, the baseline first."""
        plan = self.plan
        if isinstance(plan, CanaryStart | BlueGreenStart):
            return {BASELINE: plan.baseline, CANDIDATE: plan.candidate}
        treatments = {f"treatment-{number}": each.version for number, each in enumerate(plan.treatments, 1)}
        return {BASELINE: plan.baseline} | treatments

    @property
    def weights(self) -> dict[str, int]:
        """Arm → basis points of the traffic now, without the baseline, which has the rest."""
        plan = self.plan
        if isinstance(plan, CanaryStart | BlueGreenStart):
            return {CANDIDATE: round(self.candidate_percent * 100)}
        is_running = self.state is ReleaseState.RUNNING
        width = 10_000 // len(plan.treatments)
        return {
            f"treatment-{number}": min(width, round(each.percent * 100)) if is_running else 0
            for number, each in enumerate(plan.treatments, 1)
        }


def position_of(log: Log) -> Position:
    """Where the release stands after its log."""
    plan, first = plan_of(log), log[0]
    state = _FIRST.get(plan.mode, ReleaseState.RUNNING)
    stage, stage_since, seen = 0, first.at, 0
    for event in log[1:]:
        state = _AFTER.get(event.step, state)
        if event.stage is not None and event.stage != stage:
            stage, stage_since, seen = event.stage, event.at, event.seen
    return Position(plan, state, first.at, log[-1].at, stage, stage_since, seen)


def require_step(position: Position, step: ReleaseStep) -> None:
    """Raise `RELEASE_STATE`, naming the states that permit it, unless the release's state permits `step`."""
    permitted = _PERMITTED.get((position.plan.mode, step))
    if permitted is None:
        raise MappingError(f"'{step}' is no step of a release by {position.plan.mode}", ErrorCode.RELEASE_STATE)
    if position.state not in permitted:
        states = ", ".join(sorted(permitted))
        raise MappingError(f"it is {position.state}; '{step}' needs one of: {states}", ErrorCode.RELEASE_STATE)
