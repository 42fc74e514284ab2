"""One call of mapping as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import NamedTuple

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.contracts.mapping import MappedLabel, MappingStage
from llama_mapper.domain.mapping.cascade.cascade import CascadeAnswers, StageUse
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.monitoring.tally import OTHER, Dimension, Tally, confidence_bin
from llama_mapper.domain.mapping.releases.latencies import bucket_of

Answered = tuple[MappingStage, str | None, str, float]
"""Stage, canonical id, vendor and confidence of an answer."""

CATALOGUE, WHOLE = "catalogue", "call"
_WRONG = "invalid_answer"
_VERSION_LENGTH = 160

_fields = attrgetter("__dict__")
_answered = itemgetter("stage", "canonical", "vendor", "confidence")


def answered_by(mappings: Iterable[MappedLabel], besides: Mapping[Answered, int] | None = None) -> Counter[Answered]:
    """How often each answer was given. A hundred nanoseconds or two a label: nothing here runs in Python for each.

    With `besides`, of an earlier count: the answers that were there, with `mappings` in place of its abstentions.
    """
    given = Counter(map(_answered, map(_fields, mappings)))
    for key, times in ({} if besides is None else besides).items():
        if key[1] is not None:
            given[key] += times
    return given


def abstains(given: Mapping[Answered, int]) -> bool:
    """Whether any of the answers is an abstention."""
    return any(canonical is None for _, canonical, _, _ in given)


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


class Observed(NamedTuple):
    """One call: what it answered, how long it took, and what was asked after the catalogue.

    No dataclass: one is made for every call, and a frozen dataclass takes thrice as long to make.
    """

    answered: Mapping[Answered, int]
    seconds: float
    asked: Asked | None = None


def count_into(tally: Tally, calls: Iterable[Observed], vendors: Collection[str]) -> None:
    """Add calls to a window. Vendors beside `vendors` are counted together: a request can make any number of names.

    What is alike is put together before it is looked up, for most calls are much alike: some microseconds a call.
    """
    given: dict[Answered, int] = {}
    whole: dict[int, int] = {}
    own: dict[int, int] = {}
    number = all_labels = all_abstained = ppm = faulted_ppm = 0
    busy = own_busy = 0.0
    for answered, seconds, asked in calls:
        labels = abstained = 0
        for key, times in answered.items():
            given[key] = given.get(key, 0) + times
            labels += times
            if key[1] is None:
                abstained += times
        number += 1
        all_labels += labels
        busy += seconds
        bucket = own_bucket = bucket_of(seconds * 1e3)
        own_seconds = seconds
        if abstained:
            all_abstained += abstained
            ppm += round(abstained / labels * 1e6)
        if asked is not None:
            own_seconds = max(0.0, seconds - sum(use.seconds for use in asked.used))
            own_bucket = bucket_of(own_seconds * 1e3)
            _count_asked(tally, asked, vendors)
            faulted_ppm += min(1_000_000, round(len(asked.faults) / labels * 1e6)) if labels else 0
        own_busy += own_seconds
        whole[bucket] = whole.get(bucket, 0) + 1
        own[own_bucket] = own.get(own_bucket, 0) + 1
    every = tally.at(Dimension.ALL, "all")
    every.labels += all_labels
    every.abstained += all_abstained
    every.calls += number
    every.busy_us += round(busy * 1e6)
    every.abstained_ppm += ppm
    every.faulted_ppm += faulted_ppm
    _count_answers(tally, given, vendors)
    work = tally.at(Dimension.WORK, CATALOGUE)
    work.labels += all_labels
    work.calls += number
    work.busy_us += round(own_busy * 1e6)
    for who, buckets in ((WHOLE, whole), (CATALOGUE, own)):
        for at, times in buckets.items():
            tally.at(Dimension.LATENCY, f"{who}:{at}").calls += times


def _count_answers(tally: Tally, given: Mapping[Answered, int], vendors: Collection[str]) -> None:
    for (stage, canonical, vendor, confidence), times in given.items():
        own = tally.at(Dimension.VENDOR, vendor if vendor in vendors else OTHER)
        own.labels += times
        tally.at(Dimension.STAGE, stage.value).labels += times
        if canonical is None:
            own.abstained += times
        else:
            tally.at(Dimension.CATEGORY, category_of(canonical)).labels += times
            tally.at(Dimension.CONFIDENCE, confidence_bin(confidence)).labels += times


def _count_asked(tally: Tally, asked: Asked, vendors: Collection[str]) -> None:
    for use in asked.used:
        if use.labels:
            work = tally.at(Dimension.WORK, use.stage.value)
            work.labels += use.labels
            work.calls += 1
            work.busy_us += round(use.seconds * 1e6)
            tally.at(Dimension.LATENCY, f"{use.stage.value}:{bucket_of(use.seconds * 1e3)}").calls += 1
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
