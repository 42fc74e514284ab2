"""Releases and experiments as callers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_mapper.domain.contracts.releases import (
    ArmFigures,
    CanaryStart,
    Experiment,
    GateFigure,
    Release,
    ReleaseEvent,
    ReleaseStep,
    ShadowStart,
)
from llama_mapper.domain.mapping.releases.events import Event, Log, experiment_plan_of, release_plan_of
from llama_mapper.domain.mapping.releases.gates import TAIL, estimate
from llama_mapper.domain.mapping.releases.latencies import percentile
from llama_mapper.domain.mapping.releases.sequential import mean_bounds
from llama_mapper.domain.mapping.releases.states import BASELINE, Position, position_of
from llama_mapper.domain.mapping.releases.tally import Tally

_RATES = ("schema_valid", "abstained", "errors", "agreement")


def release_of(
    log: Log,
    tallies: Mapping[str, Tally] | None = None,
    gates: Sequence[GateFigure] = (),
    waiting: Sequence[str] = (),
) -> Release:
    """A canary or a blue-green release; without tallies as lists show it."""
    position = position_of(log)
    plan = release_plan_of(log)
    return Release(
        id=log[0].release_id,
        state=position.state,
        started_at=position.started_at,
        started_by=log[0].who,
        since=position.since,
        plan=plan,
        stage=position.stage if isinstance(plan, CanaryStart) else None,
        percent=position.candidate_percent,
        arms=() if tallies is None else _arms(position, tallies, _alpha_of(position)),
        gates=tuple(gates),
        waiting_for=tuple(waiting),
    )


def experiment_of(
    log: Log, tallies: Mapping[str, Tally] | None = None, effects: Sequence[GateFigure] = ()
) -> Experiment:
    """An experiment; without tallies as lists show it. Of a concluded one the effects are those of its end."""
    position = position_of(log)
    plan = experiment_plan_of(log)
    concluded = next((event.effects for event in log if event.step is ReleaseStep.CONCLUDED), None)
    return Experiment(
        id=log[0].release_id,
        state=position.state,
        started_at=position.started_at,
        started_by=log[0].who,
        since=position.since,
        plan=plan,
        arms=() if tallies is None else _arms(position, tallies, plan.alpha),
        effects=tuple(effects) if concluded is None or tallies is None else concluded,
    )


def event_of(event: Event) -> ReleaseEvent:
    """One step."""
    return ReleaseEvent(
        number=event.number,
        step=event.step,
        at=event.at,
        who=event.who,
        door=event.door,
        keyless=event.keyless,
        stage=event.stage,
        override=event.override,
        reasons=tuple(reason[:512] for reason in event.reasons[:64]),
        note=event.note,
    )


def _alpha_of(position: Position) -> float:
    plan = position.plan
    return plan.gates.alpha if isinstance(plan, CanaryStart) else 0.05


def _arms(position: Position, tallies: Mapping[str, Tally], alpha: float) -> tuple[ArmFigures, ...]:
    weights = position.weights
    shares = {BASELINE: 100.0 - sum(weights.values()) / 100.0} | {arm: w / 100.0 for arm, w in weights.items()}
    if isinstance(position.plan, ShadowStart):
        shares[BASELINE] = 100.0
    return tuple(
        _figures(arm, version, max(0.0, shares[arm]), tallies.get(arm, Tally()), alpha)
        for arm, version in position.versions.items()
    )


def _figures(arm: str, version: str, percent: float, tally: Tally, alpha: float) -> ArmFigures:
    tail, middle = (percentile(tally.latency, share, alpha) for share in (TAIL, 0.5))
    samples = {name: tally.sample(name) for name in _RATES}
    p50 = estimate(middle.value, middle.bounds).value
    return ArmFigures(
        arm=arm,
        version=version,
        percent=percent,
        requests=tally.requests,
        errors=tally.errors,
        labels=tally.labels,
        schema_valid=tally.labels - tally.invalid,
        abstained=tally.abstained,
        compared=tally.compared,
        agreed=tally.agreed,
        rates={name: estimate(sample.mean, mean_bounds(sample, alpha)) for name, sample in samples.items()},
        latency_p50_ms=None if p50 is None else min(p50, 86_400_000.0),
        latency_p95_ms=estimate(tail.value, tail.bounds),
    )
