"""What a change may come from: the parts of each dimension, before and now. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

from llama_mapper.domain.contracts.monitoring import CauseMetric, ChangeEvent, NearbyChange
from llama_mapper.domain.mapping.monitoring.attribution import DimensionExplained, Elements, Ratio, explain
from llama_mapper.domain.mapping.monitoring.drift import ALPHA
from llama_mapper.domain.mapping.monitoring.onset import Step, onset
from llama_mapper.domain.mapping.monitoring.tally import Counts, Dimension, Tally
from llama_mapper.domain.mapping.monitoring.windows import Window, moment_of
from llama_mapper.domain.mapping.releases.sequential import Sample, log_evidence

_REST = "not asked"
_LEAST_GAIN = 9.0
_LEAST_CHANGE = 0.1

PartOf = Callable[[Counts], float]

_PARTS: dict[CauseMetric, PartOf] = {
    CauseMetric.ABSTENTION: lambda counts: counts.abstained,
    CauseMetric.ERRORS: lambda counts: counts.faulted,
    CauseMetric.LATENCY: lambda counts: counts.busy_us / 1e3,
}


def value_of(metric: CauseMetric, tally: Tally) -> float | None:
    """A share of labels, or milliseconds a label; None where no label was mapped."""
    every = tally.all
    return _PARTS[metric](every) / every.labels if every.labels else None


def is_changed(metric: CauseMetric, before: Tally, now: Tally) -> bool:
    """Whether there is more than chance in it, either way.

    Shares by the test of `releases.sequential`, a call being one observation; times by the likelihood of two means
    against one, as of exponential times, and a tenth at least.
    """
    if metric is CauseMetric.LATENCY:
        return _times_differ(before.all, now.all)
    name = "abstained_ppm" if metric is CauseMetric.ABSTENTION else "faulted_ppm"
    old, new = (
        Sample(min(getattr(tally.all, name) / 1e6, float(tally.all.calls)), tally.all.calls) for tally in (before, now)
    )
    return max(log_evidence(new, old), log_evidence(old, new)) >= log(1.0 / ALPHA)


def explained(metric: CauseMetric, before: Tally, now: Tally) -> tuple[DimensionExplained, ...]:
    """The dimensions that explain the change from before to now."""
    part = _PARTS[metric]
    dimensions: dict[str, Elements] = {}
    if metric is not CauseMetric.LATENCY:
        dimensions["vendor"] = _own_wholes(Dimension.VENDOR, part, before, now)
    match metric:
        case CauseMetric.LATENCY:
            dimensions["work"] = _parts_of_all(Dimension.WORK, part, before, now)
        case CauseMetric.ERRORS:
            dimensions["work"] = _parts_of_all(Dimension.WORK, part, before, now)
            dimensions["fault"] = _parts_of_all(Dimension.FAULT, part, before, now)
        case CauseMetric.ABSTENTION:
            dimensions["fault"] = _parts_of_all(Dimension.FAULT, part, before, now)
    stages = {name.partition("@")[0] for tally in (before, now) for name in tally.of(Dimension.VERSION)}
    for stage in sorted(stages):
        dimensions[f"version of {stage}"] = _versions(stage, part, before, now)
    return explain(dimensions)


def began(metric: CauseMetric, windows: Sequence[Window]) -> int | None:
    """The start of the window from which on the values differ most from those before."""
    part = _PARTS[metric]
    is_share = metric is not CauseMetric.LATENCY
    steps = [
        Step(
            window.start,
            part(window.tally.all),
            float(window.tally.all.labels if is_share else window.tally.all.calls),
        )
        for window in windows
    ]
    return onset(steps, is_share=is_share)


def nearest(changes: Sequence[ChangeEvent], start: int, width: int, most: int) -> tuple[NearbyChange, ...]:
    """Changes by their distance from a window: first those before its end, then those after."""
    end = start + width
    told = [
        NearbyChange(**dict(change), minutes_before=(moment_of(start) - change.at).total_seconds() / 60.0)
        for change in changes
    ]
    told.sort(key=lambda one: (one.at.timestamp() > end, abs(one.minutes_before), one.kind, one.subject))
    return tuple(told[:most])


def _times_differ(before: Counts, now: Counts) -> bool:
    if not (before.calls and now.calls and before.busy_us and now.busy_us):
        return False
    old, new = before.busy_us / before.calls, now.busy_us / now.calls
    mean = (before.busy_us + now.busy_us) / (before.calls + now.calls)
    gain = before.calls * log(mean / old) + now.calls * log(mean / new)
    return gain >= _LEAST_GAIN and abs(new - old) >= _LEAST_CHANGE * old


def _own_wholes(dimension: Dimension, part: PartOf, before: Tally, now: Tally) -> Elements:
    """Elements that share the labels among them."""
    return {
        name: (_ratio(before.of(dimension).get(name), part), _ratio(now.of(dimension).get(name), part))
        for name in _names(dimension, before, now)
    }


def _parts_of_all(dimension: Dimension, part: PartOf, before: Tally, now: Tally) -> Elements:
    """Elements that each have a part in all labels: the labels stand apart, in an element that explains nothing."""
    found = {
        name: tuple(
            Ratio(0.0 if (own := tally.of(dimension).get(name)) is None else part(own), 0.0) for tally in (before, now)
        )
        for name in _names(dimension, before, now)
    }
    pairs = {name: (both[0], both[1]) for name, both in found.items()}
    return {**pairs, "": (Ratio(0.0, before.all.labels), Ratio(0.0, now.all.labels))}


def _versions(stage: str, part: PartOf, before: Tally, now: Tally) -> Elements:
    """A stage's versions, and what it was not asked."""
    own = {
        name.partition("@")[2]: (
            _ratio(before.of(Dimension.VERSION).get(name), part),
            _ratio(now.of(Dimension.VERSION).get(name), part),
        )
        for name in _names(Dimension.VERSION, before, now)
        if name.startswith(f"{stage}@")
    }
    rest = tuple(
        Ratio(
            max(0.0, part(tally.all) - sum(both[side].part for both in own.values())),
            max(0.0, tally.all.labels - sum(both[side].whole for both in own.values())),
        )
        for side, tally in enumerate((before, now))
    )
    return {**own, _REST: (rest[0], rest[1])}


def _names(dimension: Dimension, before: Tally, now: Tally) -> list[str]:
    return sorted({*before.of(dimension), *now.of(dimension)})


def _ratio(counts: Counts | None, part: PartOf) -> Ratio:
    return Ratio(0.0, 0.0) if counts is None else Ratio(part(counts), float(counts.labels))
