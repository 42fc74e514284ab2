"""What the counts say: a canary's gates, and an experiment's effects. Formulas: `sequential` and `latencies`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import exp, inf

from llama_mapper.domain.contracts.releases import (
    AbStart,
    BlueGreenStart,
    CanaryStart,
    Direction,
    Estimate,
    GateFigure,
    GateState,
    Metric,
    ReleaseGates,
    ShadowStart,
    Start,
)
from llama_mapper.domain.mapping.releases.latencies import percentile
from llama_mapper.domain.mapping.releases.sequential import (
    Bounds,
    Sample,
    difference_bounds,
    log_evidence,
    log_shortfall,
    mean_bounds,
)
from llama_mapper.domain.mapping.releases.states import BASELINE, CANDIDATE
from llama_mapper.domain.mapping.releases.tally import Tally

TAIL = 0.95
_RISES = {"schema_validity_drop": "schema_valid", "abstention_rise": "abstained", "error_rise": "errors"}
_MOST_EVIDENCE = 690.0  # e^690 is below the largest float


async def judged(plan: Start, tallies: Mapping[str, Tally]) -> tuple[GateFigure, ...]:
    """A canary's gates or an experiment's effects, computed in a thread: many arms take tens of milliseconds."""
    if isinstance(plan, CanaryStart):
        return await asyncio.to_thread(canary_gates, plan, tallies)
    if isinstance(plan, BlueGreenStart):
        return ()
    return await asyncio.to_thread(experiment_effects, plan, tallies)


def canary_gates(plan: CanaryStart, tallies: Mapping[str, Tally]) -> tuple[GateFigure, ...]:
    """Every gate that the plan sets, from all that was counted since the release began.

    Each is tested at alpha over their number, so that all together are ever wrong with probability at most alpha
    (Bonferroni).
    """
    gates = plan.gates
    named = [name for name in ReleaseGates.model_fields if name != "alpha" and getattr(gates, name) is not None]
    if not named:
        return ()
    alpha = gates.alpha / len(named)
    candidate, baseline = tallies.get(CANDIDATE, Tally()), tallies.get(BASELINE, Tally())
    return tuple(_gate(name, getattr(gates, name), candidate, baseline, alpha) for name in named)


def _gate(name: str, limit: float, candidate: Tally, baseline: Tally, alpha: float) -> GateFigure:
    if name in _RISES:
        return _rise(name, limit, candidate.sample(_RISES[name]), baseline.sample(_RISES[name]), alpha)
    if name == "agreement_least":
        return _agreement(name, limit, candidate.sample("agreement"), alpha)
    own = percentile(candidate.latency, TAIL, alpha / 2 if name == "latency_ratio" else alpha)
    if name == "latency_p95_ms":
        state = _state(own.bounds, limit)
        return _figure(name, CANDIDATE, own.value, None, own.value, own.bounds, limit, state, None)
    stable = percentile(baseline.latency, TAIL, alpha / 2)
    bounds = Bounds(_quotient(own.bounds.low, stable.bounds.high), _quotient(own.bounds.high, stable.bounds.low))
    value = None if own.value is None or stable.value is None else _quotient(own.value, stable.value)
    state = _state(bounds, limit)
    return _figure(name, CANDIDATE, own.value, stable.value, value, bounds, limit, state, None)


def _rise(name: str, limit: float, candidate: Sample, baseline: Sample, alpha: float) -> GateFigure:
    """By how much the candidate's share is the worse one: higher, or lower where higher is better."""
    is_drop = name == "schema_validity_drop"
    worse, better = (baseline, candidate) if is_drop else (candidate, baseline)
    bounds, state = Bounds(-1.0, 1.0), GateState.UNDECIDED
    if candidate.count and baseline.count:
        bounds = difference_bounds(worse, better, alpha)
        state = _state(bounds, limit)
    value = None if worse.mean is None or better.mean is None else worse.mean - better.mean
    evidence = log_evidence(worse, better, limit)
    return _figure(name, CANDIDATE, candidate.mean, baseline.mean, value, bounds, limit, state, evidence)


def _agreement(name: str, limit: float, compared: Sample, alpha: float) -> GateFigure:
    bounds = mean_bounds(compared, alpha)
    state = GateState.UNDECIDED
    if bounds.high < limit:
        state = GateState.FAILING
    elif bounds.low >= limit:
        state = GateState.PASSING
    evidence = log_shortfall(compared, limit)
    return _figure(name, CANDIDATE, compared.mean, None, compared.mean, bounds, limit, state, evidence)


def _state(bounds: Bounds, most: float) -> GateState:
    if bounds.low > most:
        return GateState.FAILING
    return GateState.PASSING if bounds.high <= most else GateState.UNDECIDED


def experiment_effects(plan: AbStart | ShadowStart, tallies: Mapping[str, Tally]) -> tuple[GateFigure, ...]:
    """Every treatment by every metric, each tested at alpha over the number of comparisons (Bonferroni).

    `passing` is surely better than the baseline, `failing` surely worse.
    """
    alpha = plan.alpha / (len(plan.treatments) * len(plan.metrics))
    baseline = tallies.get(BASELINE, Tally())
    return tuple(
        _effect(metric, f"treatment-{number}", tallies.get(f"treatment-{number}", Tally()), baseline, alpha)
        for number in range(1, len(plan.treatments) + 1)
        for metric in plan.metrics
    )


def _effect(metric: Metric, arm: str, tally: Tally, baseline: Tally, alpha: float) -> GateFigure:
    treated, control = tally.sample(metric.name), baseline.sample(metric.name)
    bounds = difference_bounds(treated, control, alpha)
    up, down = log_evidence(treated, control), log_evidence(control, treated)
    higher_is_better = metric.better is Direction.HIGHER
    better, worse = (up, down) if higher_is_better else (down, up)
    state = GateState.UNDECIDED
    if bounds.low > 0.0 or bounds.high < 0.0:
        state = GateState.PASSING if (bounds.low > 0.0) is higher_is_better else GateState.FAILING
    width = metric.high - metric.low
    means = [None if each.mean is None else metric.low + each.mean * width for each in (treated, control)]
    value = None if means[0] is None or means[1] is None else means[0] - means[1]
    scaled = Bounds(bounds.low * width, bounds.high * width)
    return _figure(metric.name, arm, means[0], means[1], value, scaled, 0.0, state, worse, better)


def _figure(
    name: str,
    arm: str,
    candidate: float | None,
    baseline: float | None,
    value: float | None,
    bounds: Bounds,
    limit: float,
    state: GateState,
    evidence: float | None,
    against: float | None = None,
) -> GateFigure:
    return GateFigure(
        name=name,
        arm=arm,
        candidate=_finite(candidate),
        baseline=_finite(baseline),
        effect=estimate(value, bounds),
        limit=limit,
        state=state,
        evidence=_e_value(evidence),
        against=_e_value(against),
    )


def _e_value(evidence: float | None) -> float | None:
    return None if evidence is None else exp(min(evidence, _MOST_EVIDENCE))


def estimate(value: float | None, bounds: Bounds) -> Estimate:
    """As contracts tell it: without infinities."""
    return Estimate(value=_finite(value), low=_finite(bounds.low), high=_finite(bounds.high))


def _quotient(above: float, below: float) -> float:
    if above == 0.0 or below == inf:
        return 0.0
    return inf if below == 0.0 else above / below


def _finite(value: float | None) -> float | None:
    return None if value is None or value in (inf, -inf) else value
