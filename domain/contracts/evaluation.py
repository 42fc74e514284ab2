"""The published form of an evaluation of the mapping: figures with intervals, and what they were counted from."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from llama_mapper.domain.contracts.base import (
    CanonicalId,
    CategoryId,
    Contract,
    Count,
    Identifier,
    Label,
    Score,
    ShortText,
    VersionText,
)
from llama_mapper.domain.contracts.mapping import MappingStage

ITEMS = 100_000
_Finite = Annotated[float, Field(ge=-1e12, le=1e12)]
_Seconds = Annotated[float, Field(ge=0.0, le=1e9)]
SubjectName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class EvaluationSlice(StrEnum):
    """Which labels a figure is about."""

    ALL = "all"
    HARD = "hard"
    """Labels whose normalised form no vendor outside the family has: nothing to look up."""


class EvaluationKind(StrEnum):
    """What was asked."""

    HOLD_OUT = "hold_out"
    """Families of vendors that were left out."""
    LABELS = "labels"
    """An own labelled file; nothing was left out."""


class EvaluationProtocol(Contract):
    """How the figures were made."""

    kind: EvaluationKind
    hold_out: Annotated[tuple[Identifier, ...], Field(max_length=10_000)] = ()
    """The vendors asked about; empty means all."""
    families: dict[Identifier, Identifier] = Field(default_factory=dict, max_length=10_000)
    """Vendor → the family that it is left out with; a vendor that is not named is a family of its own."""
    folds: dict[Identifier, tuple[Identifier, ...]] = Field(max_length=10_000)
    """Fold → the families asked about in it."""
    seed: Annotated[int, Field(ge=0, le=2**32)]
    batch: Annotated[int, Field(ge=1, le=100_000)]
    """Labels asked in one call at the most; a method may draw on labels that are asked together."""
    resamples: Annotated[int, Field(ge=0, le=1_000_000)]
    """Bootstrap draws of whole families."""
    level: Score
    """Of the intervals."""
    precision: Score
    """At which coverage is reported."""
    items_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 over the labels asked and the answers that count as right."""


class LabelledLabel(Contract):
    """A line of an own labelled file: a vendor's label, and what a person says that it means."""

    vendor: Identifier
    vendor_version: VersionText | None = None
    label: Label
    canonical: CanonicalId
    also: Annotated[tuple[CanonicalId, ...], Field(max_length=16)] = ()
    """Further canonical labels that the label also covers; an answer with one counts in the lenient figures."""


class EvaluatedItem(Contract):
    """One label asked, and what counts as right."""

    vendor: Identifier
    vendor_version: VersionText | None = None
    label: Label
    gold: CanonicalId
    also: Annotated[tuple[CanonicalId, ...], Field(max_length=16)] = ()
    family: Identifier
    hard: bool


class Measured(Contract):
    """A figure and its bootstrap interval; null where not defined."""

    value: _Finite | None
    low: _Finite | None = None
    high: _Finite | None = None


class SliceFigures(Contract):
    """A method's figures over some of the labels."""

    labels: Count
    families: Count
    metrics: dict[MetricName, Measured] = Field(max_length=64)


class ReliabilityRow(Contract):
    """Answers with a confidence in (`low`, `high`]."""

    low: Score
    high: Score
    labels: Count
    confidence: Score
    accuracy: Score


class RiskCoverageRow(Contract):
    """With answers of at least `threshold` accepted: the share accepted, and the share of those that is wrong."""

    threshold: Score
    coverage: Score
    risk: Score


class StageRow(Contract):
    """What one stage answered."""

    stage: MappingStage
    labels: Count
    level2_right: Count
    level3_right: Count


class VendorRow(Contract):
    """One vendor's labels."""

    vendor: Identifier
    family: Identifier
    labels: Count
    answered: Count
    level2_right: Count
    level3_right: Count
    accepted: Count
    """Of at least the confidence that the other folds' answers ask for."""
    accepted_right: Count


class ConfusionRow(Contract):
    """How often the labels of one category were answered with another; null is an abstention."""

    gold: CategoryId
    answered: CategoryId | None = None
    labels: Count


class SubjectAnswers(Contract):
    """One value a label, in the order of `items`. An answer that is no id of the taxonomy stands as null."""

    canonical: Annotated[tuple[CanonicalId | None, ...], Field(max_length=ITEMS)]
    confidence: Annotated[tuple[Score, ...], Field(max_length=ITEMS)]
    stage: Annotated[tuple[MappingStage, ...], Field(max_length=ITEMS)]
    prompt_tokens: Annotated[tuple[Count, ...], Field(max_length=ITEMS)] = ()
    """Empty where no label cost any."""
    completion_tokens: Annotated[tuple[Count, ...], Field(max_length=ITEMS)] = ()


class TokenPrice(Contract):
    """What tokens cost, in US dollars for a million."""

    prompt: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    completion: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0


class SubjectReport(Contract):
    """One method."""

    name: SubjectName
    version: ShortText | None = None
    """What exactly was put to the test where that is not the service's version alone: a model, its version, and how it
    is asked."""
    price: TokenPrice
    slices: dict[EvaluationSlice, SliceFigures] = Field(max_length=8)
    fit_seconds: _Seconds
    """Of all fits together."""
    reliability: Annotated[tuple[ReliabilityRow, ...], Field(max_length=100)]
    """At level 2."""
    risk_coverage: Annotated[tuple[RiskCoverageRow, ...], Field(max_length=200)]
    """At level 2."""
    stages: Annotated[tuple[StageRow, ...], Field(max_length=16)]
    vendors: Annotated[tuple[VendorRow, ...], Field(max_length=10_000)]
    confusions: Annotated[tuple[ConfusionRow, ...], Field(max_length=10_000)]
    """Commonest first, right answers left out."""
    answers: SubjectAnswers


class Difference(Contract):
    """`one` minus `other` in the same draws of families."""

    one: SubjectName
    other: SubjectName
    slice: EvaluationSlice
    metric: MetricName
    difference: Measured


class Disagreement(Contract):
    """A form of label to which families give different meanings."""

    form: Label
    meanings: dict[CanonicalId, tuple[Identifier, ...]] = Field(max_length=256)
    """Canonical label → families."""


class UpperBound(Contract):
    """What could be reached at most by who sees the label's form alone and knows every meaning that it has."""

    level2_accuracy: Score
    level3_accuracy: Score
    disagreements: Annotated[tuple[Disagreement, ...], Field(max_length=10_000)]


class MappingEvaluation(Contract):
    """An evaluation of methods that map vendors' labels."""

    schema_version: Annotated[str, Field(pattern=r"^1$")] = "1"
    made_at: datetime
    service_version: VersionText
    taxonomy_version: VersionText
    vocabulary_version: VersionText
    title: ShortText
    protocol: EvaluationProtocol
    items: Annotated[tuple[EvaluatedItem, ...], Field(max_length=ITEMS)]
    upper_bound: UpperBound
    subjects: Annotated[tuple[SubjectReport, ...], Field(min_length=1, max_length=64)]
    differences: Annotated[tuple[Difference, ...], Field(max_length=100_000)]
