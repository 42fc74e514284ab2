"""What probes and calls together say of a detector's health. Pure: a sign comes in, the new picture comes out.

Probes tell whether the detector lives; calls tell whether it answers. A detector turns

- degraded at the first failed probe, or after three calls in a row that failed;
- unhealthy after three failed probes in a row, or after one while its calls fail too. While calls succeed, failed
  probes alone leave it degraded: then it is the probe that is broken;
- healthy after two good signs in a row. Where only calls had failed, one that succeeds is enough, and no probe is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from llama_mapper.domain.contracts.orchestration import HealthState

FAILED_PROBES = 3
"""Failed probes in a row that make a detector unhealthy by themselves."""

FAILED_CALLS = 3
"""Failed calls in a row that make a detector degraded by themselves."""

GOOD_SIGNS = 2
"""Good signs in a row that make it healthy again."""

PROBE_LIMIT_S = 3.0
"""Seconds after which a probe without an answer has failed."""

_SOONEST_S = 1.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """The picture: counts are of signs in a row. `answered`: a call succeeded since the last probe.

    `reason` is for people and empty while the detector is healthy.
    """

    state: HealthState = HealthState.HEALTHY
    failed_probes: int = 0
    failed_calls: int = 0
    good_signs: int = 0
    answered: bool = False
    reason: str = ""


def after_probe(vitals: Vitals, fault: str | None) -> Vitals:
    """The picture after a probe; `fault` says why it failed, None that it did not."""
    if fault is None:
        return _better(replace(vitals, failed_probes=0, answered=False))
    failed = vitals.failed_probes + 1
    told = replace(vitals, failed_probes=failed, good_signs=0, answered=False)
    dead = failed >= FAILED_PROBES or vitals.failed_calls >= FAILED_CALLS
    reason = f"{_times(failed, 'health probe')} failed, the last with: {fault[:400]}"
    if vitals.state is HealthState.UNHEALTHY or (dead and not vitals.answered):
        return replace(told, state=HealthState.UNHEALTHY, reason=reason)
    return replace(told, state=HealthState.DEGRADED, reason=reason)


def after_call(vitals: Vitals, fault: str | None) -> Vitals:
    """The picture after a call; `fault` is the code of its failure, None says that it succeeded."""
    if fault is None:
        if vitals.answered and not vitals.failed_calls and vitals.state is HealthState.HEALTHY:
            return vitals
        only_calls = vitals.state is HealthState.DEGRADED and not vitals.failed_probes
        heard = replace(vitals, failed_calls=0, answered=True)
        return _healthy(heard) if only_calls else _better(heard)
    failed = vitals.failed_calls + 1
    told = replace(vitals, failed_calls=failed, good_signs=0, answered=False)
    if failed < FAILED_CALLS or vitals.state is HealthState.UNHEALTHY:
        return told
    if vitals.failed_probes:
        reason = f"a health probe and {_times(failed, 'call')} failed, the last with {fault}"
        return replace(told, state=HealthState.UNHEALTHY, reason=reason)
    return replace(told, state=HealthState.DEGRADED, reason=f"{_times(failed, 'call')} failed, the last with {fault}")


def probe_wait_s(vitals: Vitals, interval_s: float, draw: float) -> float:
    """Seconds until the next probe: the interval, give or take a tenth by `draw` (0 to 1).

    A quarter of it while the detector is not healthy, but no sooner than a second, or than the interval itself.
    """
    healthy = vitals.state is HealthState.HEALTHY
    wait_s = interval_s if healthy else max(interval_s / 4, soonest_s(interval_s))
    return wait_s * (0.9 + 0.2 * draw)


def soonest_s(interval_s: float) -> float:
    """Seconds that lie between two probes at least, whatever gives occasion for one."""
    return min(interval_s, _SOONEST_S)


def _better(vitals: Vitals) -> Vitals:
    """One good sign more."""
    if vitals.state is HealthState.HEALTHY:
        return vitals
    good = vitals.good_signs + 1
    failing = vitals.state is HealthState.DEGRADED and vitals.failed_calls >= FAILED_CALLS
    if good < GOOD_SIGNS or failing:
        return replace(vitals, good_signs=min(good, GOOD_SIGNS))
    return _healthy(vitals)


def _healthy(vitals: Vitals) -> Vitals:
    return Vitals(answered=vitals.answered)


def _times(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s in a row"
