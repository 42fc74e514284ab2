"""Vendor labels to canonical labels: pure functions over the catalogue and over what later stages answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.contracts.analysis import AttributedFinding
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import CatalogueView, MatchStage, category_of
from llama_mapper.domain.contracts.mapping import LabelQuery, LabelSuggestion, MappedLabel, MappingStage
from llama_mapper.domain.mapping.cascade.cascade import CascadeAnswer
from llama_mapper.domain.mapping.catalogue.confidence import DECLARED
from llama_mapper.domain.mapping.editions import EditionSet
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.ports import UnknownLabel

_STAGES = {
    MatchStage.EXACT: MappingStage.CATALOGUE_EXACT,
    MatchStage.NORMALISED: MappingStage.CATALOGUE_NORMALISED,
    MatchStage.OVERLAY: MappingStage.OVERLAY,
}
Answers = Mapping[LabelKey, CascadeAnswer]
"""What the stages after the catalogue answered."""

_NO_ANSWERS: Answers = {}

Thresholds = Mapping[MappingStage, float]
"""Stage → the least confidence of its answers; a stage that is not there takes what it is given."""

_NO_THRESHOLDS: Thresholds = {}
_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class MappedFindings:
    """All findings of one record, mapped.

    `labels` holds each distinct vendor label once, in the order seen, with its highest score. `taxonomy` and `scores`
    count upheld findings only. `unknown` are the labels that abstained.
    """

    labels: tuple[MappedLabel, ...]
    taxonomy: tuple[str, ...]
    scores: dict[str, float]
    confidence: float
    unknown: tuple[UnknownLabel, ...]


NOTHING_MAPPED = MappedFindings(labels=(), taxonomy=(), scores={}, confidence=1.0, unknown=())


def map_label(catalogue: CatalogueView, query: LabelQuery, editions: EditionSet) -> MappedLabel:
    """The canonical label and controls of one vendor label; an abstention where the catalogue does not know it."""
    score = 1.0 if query.score is None else query.score
    return _mapped(catalogue, query.vendor, query.vendor_version, query.label, score, editions)


def map_findings(
    catalogue: CatalogueView,
    findings: Sequence[AttributedFinding],
    editions: EditionSet,
    answers: Answers = _NO_ANSWERS,
    thresholds: Thresholds = _NO_THRESHOLDS,
) -> MappedFindings:
    """Map each distinct vendor label of the findings once. Findings that were not upheld are only in `labels`.

    `answers` are for labels that the catalogue does not know; an answer with less than its stage's threshold abstains.
    """
    if not findings:
        return NOTHING_MAPPED
    highest: dict[tuple[str, str, str], float] = {}
    upheld: dict[tuple[str, str, str], float] = {}
    times: dict[tuple[str, str, str], int] = {}
    declared: dict[tuple[str, str, str], str] = {}
    for finding in findings:
        key = (finding.vendor, finding.vendor_version, finding.label)
        score = finding.score
        if finding.declared is not None:
            declared[key] = finding.declared
        times[key] = times.get(key, 0) + 1
        if score >= highest.get(key, 0.0):
            highest[key] = score
        if finding.upheld and score >= upheld.get(key, 0.0):
            upheld[key] = score
    labels: list[MappedLabel] = []
    unknown: list[UnknownLabel] = []
    scores: dict[str, float] = {}
    for key, score in highest.items():
        mapped = _mapped(catalogue, *key, score, editions, declared.get(key))
        if mapped.canonical is None and answers:
            mapped = answered(mapped, answers.get(LabelKey(*key)), editions)
        if thresholds:
            mapped = sure_enough(mapped, thresholds)
        labels.append(mapped)
        if mapped.canonical is None:
            unknown.append(UnknownLabel(*key, times[key], _suggested(mapped)))
        elif key in upheld:
            scores[mapped.canonical] = max(upheld[key], scores.get(mapped.canonical, 0.0))
    taxonomy = tuple(
        sorted(scores, key=lambda label: (-scores[label], _SEVERITY_RANK[catalogue.severity(label)], label))
    )
    return MappedFindings(
        labels=tuple(labels),
        taxonomy=taxonomy,
        scores={label: scores[label] for label in taxonomy},
        confidence=min((label.confidence for label in labels if not label.abstained), default=0.0),
        unknown=tuple(unknown),
    )


def unknown_labels(mappings: Iterable[MappedLabel]) -> tuple[UnknownLabel, ...]:
    """The distinct labels that abstained and how often each was there."""
    times: dict[tuple[str, str | None, str], int] = {}
    suggested: dict[tuple[str, str | None, str], tuple[tuple[str, float], ...]] = {}
    for mapped in mappings:
        if mapped.abstained:
            key = (mapped.vendor, mapped.vendor_version, mapped.label)
            times[key] = times.get(key, 0) + 1
            suggested[key] = _suggested(mapped)
    return tuple(UnknownLabel(*key, count, suggested[key]) for key, count in times.items())


def answered(mapped: MappedLabel, answer: CascadeAnswer | None, editions: EditionSet) -> MappedLabel:
    """An abstention of the catalogue with what the stages after it answered."""
    if answer is None:
        return mapped
    decision = answer.decision
    if decision.canonical is None:
        suggestions = tuple(
            LabelSuggestion.model_construct(canonical=one.canonical, confidence=round(one.confidence, 4))
            for one in decision.suggestions
        )
        return mapped.model_copy(update={"suggestions": suggestions, "faults": answer.faults})
    return mapped.model_copy(
        update={
            "canonical": decision.canonical,
            "confidence": round(decision.confidence, 4),
            "stage": decision.stage,
            "abstained": False,
            "controls": editions.control_ids(decision.canonical),
            "faults": answer.faults,
        }
    )


def sure_enough(mapped: MappedLabel, thresholds: Thresholds) -> MappedLabel:
    """The answer, or an abstention that suggests it where it is less sure than asked of its stage."""
    if mapped.canonical is None or mapped.confidence >= thresholds.get(mapped.stage, 0.0):
        return mapped
    unsure = LabelSuggestion.model_construct(canonical=mapped.canonical, confidence=mapped.confidence)
    return mapped.model_copy(
        update={
            "canonical": None,
            "also": (),
            "confidence": 0.0,
            "stage": MappingStage.ABSTAINED,
            "abstained": True,
            "controls": {},
            "suggestions": (unsure,),
        }
    )


def _suggested(mapped: MappedLabel) -> tuple[tuple[str, float], ...]:
    return tuple((one.canonical, one.confidence) for one in mapped.suggestions)


def _mapped(
    catalogue: CatalogueView,
    vendor: str,
    vendor_version: str | None,
    label: str,
    score: float,
    editions: EditionSet,
    declared: str | None = None,
) -> MappedLabel:
    match = catalogue.match(vendor, vendor_version, label)
    canonical: str | None = None
    also: tuple[str, ...] = ()
    confidence = 0.0
    stage = MappingStage.ABSTAINED
    instead_of: str | None = None
    if match is not None:
        canonical, also, confidence = match.canonical, match.also, match.confidence
        stage, instead_of = _STAGES[match.stage], match.instead_of
    elif declared is not None and category_of(declared) in catalogue.categories:
        canonical, confidence, stage = declared, DECLARED, MappingStage.DECLARED
    return _made(
        {
            "vendor": vendor,
            "vendor_version": vendor_version,
            "label": label,
            "canonical": canonical,
            "also": also,
            "score": score,
            "confidence": confidence,
            "stage": stage,
            "abstained": canonical is None,
            "suggestions": (),
            "faults": (),
            "controls": {} if canonical is None else editions.control_ids(canonical),
            "instead_of": instead_of,
        }
    )


_FIELDS = set(MappedLabel.model_fields)
"""One set for all answers: they are frozen, and a copy of an answer copies its set."""

_SET = object.__setattr__


def _made(fields: dict[str, Any]) -> MappedLabel:
    """`MappedLabel.model_construct(**fields)` of all fields, in their order, in a third of the time.

    The parts come from models and a catalogue that were validated already, so the answer is not validated again. A
    hundred thousand labels a second leave no time to look every field up; a test holds both to the same.
    """
    made = MappedLabel.__new__(MappedLabel)
    _SET(made, "__dict__", fields)
    _SET(made, "__pydantic_fields_set__", _FIELDS)
    _SET(made, "__pydantic_extra__", None)
    _SET(made, "__pydantic_private__", None)
    return made
