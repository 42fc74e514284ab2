"""The plan that a policy gives, as frozen values with their invariants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from llama_mapper.domain.contracts.mapping_terms import MappingTerms
from llama_mapper.domain.contracts.orchestration import (
    ConflictMethod,
    CoverageMethod,
    DetectorMode,
    FailureMode,
    RedactionStyle,
    VerdictAction,
)

T = TypeVar("T")

MAX_DETECTORS = 62
"""Detectors of one plan at the most, so that a record has room for a stand-in or two."""


class LanguageGaps(StrEnum):
    """What it means that a detector answered for a language it is not made for."""

    REPORT = "report"
    LOWER_COVERAGE = "lower_coverage"


@dataclass(frozen=True, slots=True)
class DetectorTerms:
    """On which terms a detector takes part.

    `weight` (0 to 1,000) counts in weighted averages. `timeout_ms` is its own limit, within the plan's.
    `clean_confidence` (0 to 1) is how much its silence is worth. `thresholds` is label → the score from which on a
    finding of this label counts. `substitutes` stand in, the first that is ready, while it is not ready itself.
    `retries` and `hedge_after_ms` are what one inquiry may take of a remote detector.
    """

    weight: float
    timeout_ms: int
    failure_mode: FailureMode
    clean_confidence: float
    mode: DetectorMode = DetectorMode.ENFORCE
    substitutes: tuple[str, ...] = ()
    retries: int = 0
    hedge_after_ms: int | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActionRule:
    """From `threshold` (a score, 0 to 1, inclusive) upwards, do `action`."""

    threshold: float
    action: VerdictAction


@dataclass(frozen=True, slots=True)
class CoverageTerms:
    """What must be judged. `requirements` is the weight of each required detector or risk category."""

    method: CoverageMethod
    threshold: float
    requirements: Mapping[str, float]
    on_insufficient: VerdictAction
    language_gaps: LanguageGaps


@dataclass(frozen=True, slots=True)
class ByCategory(Generic[T]):
    """A value for each risk category: its own, else its domain's (`pii.*`), else the default."""

    default: T
    categories: Mapping[str, T]

    def of(self, category: str) -> T:
        """The value for `category`."""
        own = self.categories.get(category)
        if own is None:
            own = self.categories.get(category.split(".", 1)[0] + ".*")
        return self.default if own is None else own


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a policy decides about one request; see `docs/policy.md` for the meaning of each part.

    `terms` holds an entry for every primary and secondary detector, and these are disjoint. Every list of action
    rules has at least one rule.
    """

    categories: tuple[str, ...]
    primary: tuple[str, ...]
    secondary: tuple[str, ...]
    terms: Mapping[str, DetectorTerms]
    coverage: CoverageTerms
    conflicts: ByCategory[ConflictMethod]
    actions: ByCategory[tuple[ActionRule, ...]]
    timeout_ms: int
    routing_reason: str
    enforcement: DetectorMode = DetectorMode.ENFORCE
    redaction: ByCategory[RedactionStyle] = ByCategory(RedactionStyle.LABEL, {})
    mapping: MappingTerms | None = None

    @property
    def monitored(self) -> frozenset[str]:
        """Selected detectors that are reported and not enforced."""
        return frozenset(name for name, terms in self.terms.items() if terms.mode is DetectorMode.MONITOR)

    @property
    def selected(self) -> tuple[str, ...]:
        """Primary detectors, then secondary ones."""
        return self.primary + self.secondary

    def flag_threshold(self, category: str) -> float:
        """The lowest score at which any rule of `category` speaks: below it, a finding flags nothing."""
        return min(rule.threshold for rule in self.actions.of(category))
