"""What a canary does next by itself: a pure decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from llama_mapper.domain.contracts.releases import CanaryStart, GateFigure, GateState, ReleaseState, ReleaseStep
from llama_mapper.domain.mapping.releases.states import Position


@dataclass(frozen=True, slots=True)
class Decision:
    """The step to take, or None and what is waited for."""

    step: ReleaseStep | None
    reasons: tuple[str, ...]


def decided(
    position: Position, plan: CanaryStart, gates: Sequence[GateFigure], requests: int, now: datetime
) -> Decision:
    """A failing gate rolls back at any stage and during a hold. Else the next stage, once all its minima are met.

    `requests` are all that the candidate has answered.
    """
    failing = [told(gate) for gate in gates if gate.state is GateState.FAILING]
    if failing:
        return Decision(ReleaseStep.ROLLED_BACK, tuple(failing))
    waiting = []
    if position.state is ReleaseState.HELD:
        waiting.append("it is held")
    elif not plan.automatic:
        waiting.append("it does not advance by itself")
    here = requests - position.seen
    if here < plan.min_requests:
        waiting.append(f"{here} of {plan.min_requests} requests in this stage")
    elapsed = now - (position.stage_since or position.started_at)
    if elapsed < timedelta(seconds=plan.min_seconds):
        waiting.append(f"{max(0.0, elapsed.total_seconds()):.0f} of {plan.min_seconds:g} seconds in this stage")
    if plan.proof:
        waiting += [f"{gate.name} is not proven yet" for gate in gates if gate.state is not GateState.PASSING]
    if waiting:
        return Decision(None, tuple(waiting))
    step = ReleaseStep.COMPLETED if position.is_last_stage else ReleaseStep.ADVANCED
    return Decision(step, tuple(told(gate) for gate in gates))


def told(gate: GateFigure) -> str:
    """One gate in a line."""
    effect = gate.effect
    low = "unbounded" if effect.low is None else f"{effect.low:.4g}"
    high = "unbounded" if effect.high is None else f"{effect.high:.4g}"
    return f"{gate.name} {gate.state}: {low} to {high}, limit {gate.limit:g}"
