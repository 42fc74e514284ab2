"""One call of mapping as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.contracts.mapping import MappedLabel, MappingStage
from llama_mapper.domain.mapping.cascade.cascade import CascadeAnswers, StageUse
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.monitoring.tally import OTHER, Dimension, Tally, confidence_bin
from llama_mapper.domain.mapping.releases.latencies import bucket_of

Answered = tuple[MappingStage, str | None, str, float]
"""Stage, canonical id, vendor and confidence of an answer."""

CATALOGUE = "catalogue"
_WRONG = "invalid_answer"
_VERSION_LENGTH = 160

_fields = attrgetter("__dict__")
_answered = itemgetter("stage", "canonical", "vendor", "confidence")


def answered_by(mappings: Sequence[MappedLabel]) -> Counter[Answered]:
    """How often each answer was given. A hundred nanoseconds or two a label: nothing here runs in Python for each."""
    return Counter(map(_answered, map(_fields, mappings)))


@dataclass(frozen=True, slots=True)
class Fault:
    """A label for which stages could not try: its vendor, `stage: reason` of each, and whether it abstained."""

    vendor: str
    faults: tuple[str, ...]
    abstained: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What the stages after the catalogue came to; it holds no label."""

    used: Sequence[StageUse]
    unsure: int
    """Labels that they left unsure."""
    faults: tuple[Fault, ...] = ()


def asked_of(labels: Sequence[LabelKey], found: CascadeAnswers) -> Asked:
    """Of one answer a label, in their order."""
    return Asked(
        found.used,
        sum(answer.decision.canonical is None for answer in found.answers),
        tuple(
            Fault(key.vendor, answer.faults, answer.decision.canonical is None)
            for key, answer in zip(labels, found.answers, strict=True)
            if answer.faults
        ),
    )


@dataclass(frozen=True, slots=True)
class Observed:
    """One call: what it answered, how long it took, and what was asked after the catalogue."""

    answered: Mapping[Answered, int]
    seconds: float
    asked: Asked | None = None


def count_into(tally: Tally, observed: Observed, vendors: Collection[str]) -> None:
    """Add a call to a window. Vendors beside `vendors` are counted together: a request can make any number of names."""
    labels = abstained = 0
    for (stage, canonical, vendor, confidence), times in observed.answered.items():
        labels += times
        own = tally.at(Dimension.VENDOR, vendor if vendor in vendors else OTHER)
        own.labels += times
        tally.at(Dimension.STAGE, stage.value).labels += times
        if canonical is None:
            abstained += times
            own.abstained += times
        else:
            tally.at(Dimension.CATEGORY, category_of(canonical)).labels += times
            tally.at(Dimension.CONFIDENCE, confidence_bin(confidence)).labels += times
    every = tally.at(Dimension.ALL, "all")
    every.labels += labels
    every.abstained += abstained
    every.calls += 1
    every.busy_us += round(observed.seconds * 1e6)
    every.abstained_ppm += round(abstained / labels * 1e6) if labels else 0
    used = () if observed.asked is None else observed.asked.used
    own_seconds = max(0.0, observed.seconds - sum(use.seconds for use in used))
    _work(tally, CATALOGUE, labels, own_seconds)
    tally.at(Dimension.LATENCY, f"call:{bucket_of(observed.seconds * 1e3)}").calls += 1
    if observed.asked is not None:
        _count_asked(tally, observed.asked, vendors)
        every.faulted_ppm += min(1_000_000, round(len(observed.asked.faults) / labels * 1e6)) if labels else 0


def _count_asked(tally: Tally, asked: Asked, vendors: Collection[str]) -> None:
    for use in asked.used:
        if use.labels:
            _work(tally, use.stage.value, use.labels, use.seconds)
        version = tally.at(Dimension.VERSION, _version(use))
        both = use.labels + use.remembered
        version.labels += both
        version.abstained += min(both, asked.unsure)
        version.calls += 1
        version.busy_us += round(use.seconds * 1e6)
    versions = {use.stage.value: _version(use) for use in asked.used}
    every = tally.at(Dimension.ALL, "all")
    for one in asked.faults:
        wrong = sum(fault.endswith(_WRONG) for fault in one.faults)
        for series in (every, tally.at(Dimension.VENDOR, one.vendor if one.vendor in vendors else OTHER)):
            series.faulted += 1
            series.wrong += wrong
        for fault in one.faults:
            stage = fault.partition(":")[0]
            apart = tally.at(Dimension.FAULT, fault)
            apart.abstained += one.abstained
            places = [apart, tally.at(Dimension.WORK, stage)]
            if stage in versions:
                places.append(tally.at(Dimension.VERSION, versions[stage]))
            for series in places:
                series.faulted += 1
                series.wrong += fault.endswith(_WRONG)


def _version(use: StageUse) -> str:
    return f"{use.stage.value}@{use.version}"[:_VERSION_LENGTH]


def _work(tally: Tally, who: str, labels: int, seconds: float) -> None:
    own = tally.at(Dimension.WORK, who)
    own.labels += labels
    own.calls += 1
    own.busy_us += round(seconds * 1e6)
    tally.at(Dimension.LATENCY, f"{who}:{bucket_of(seconds * 1e3)}").calls += 1
