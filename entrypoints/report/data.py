"""What a report shows, gathered assessment by assessment in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappush, heapreplace

from llama_mapper.domain.contracts.analysis import (
    ComplianceControl,
    ComplianceMappingResult,
    ControlApplicability,
    RiskDimension,
    RiskScoringResult,
)
from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.entrypoints.report.summary import BoundedCounter, RunSummary

ROWS = 200
"""Assessments shown one by one, highest risk first."""
_LABELS_PER_ROW = 5
_CANONICAL_PER_CONTROL = 100
_CONTROLS = 2000
_PARTS = 20
_WORST_FIRST = list(Severity)

RISK_BANDS = ("none", "below 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 and above")
"""Bands of a risk score between 0 and 1; `none` is exactly 0."""


def risk_band(score: float) -> str:
    """The band of a risk score."""
    if score == 0.0:
        return RISK_BANDS[0]
    return RISK_BANDS[1 + min(int(score * 4), 3)]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One assessment in the table of the riskiest. `labels` are the strongest vendor labels, untrusted text."""

    id: str
    item: str
    created_at: datetime
    action: str
    level: str
    risk: float
    findings: int
    labels: tuple[str, ...]
    coverage: float


@dataclass(slots=True)
class ControlRow:
    """One control that findings are relevant to. `conditions` is empty where it applied as it stands at least once."""

    id: str
    title: str
    worst: Severity
    assessments: int = 0
    applicable: bool = False
    rationales: dict[str, None] = field(default_factory=dict)
    """Every reason that an assessment gave, each once, in the order met."""
    conditions: dict[str, None] = field(default_factory=dict)
    canonical_labels: set[str] = field(default_factory=set)
    requirements: dict[str, bool] = field(default_factory=dict)
    """What an auditor would ask to see → whether the evidence documents provide it."""

    def add(self, control: ComplianceControl) -> None:
        """Count one assessment that touches the control."""
        self.assessments += 1
        self.worst = min(self.worst, control.severity, key=_WORST_FIRST.index)
        if len(self.canonical_labels) < _CANONICAL_PER_CONTROL:
            self.canonical_labels.update(control.canonical_labels)
        _note_parts(self.rationales, control.rationale)
        self.applicable = self.applicable or control.applicability is ControlApplicability.APPLICABLE
        if self.applicable:
            self.conditions.clear()
        else:
            _note_parts(self.conditions, control.condition or "a condition that the catalogue does not state")


@dataclass(slots=True)
class FrameworkRow:
    """One framework edition; `answered` are the assessments that were answered for it."""

    ref: str
    title: str
    kind: str
    answered: int = 0
    controls: dict[str, ControlRow] = field(default_factory=dict)

    def add(self, result: ComplianceMappingResult, room: int) -> None:
        """Count one assessment's answer; of controls not seen before, at most `room` are taken in."""
        self.answered += 1
        for control in result.controls:
            row = self.controls.get(control.control_id)
            if row is None:
                if room <= 0:
                    continue
                room -= 1
                row = self.controls[control.control_id] = ControlRow(
                    control.control_id, control.title, control.severity
                )
            row.add(control)
        for needed in result.evidence_requirements:
            row = self.controls.get(needed.control_id)
            if row is not None and (needed.requirement in row.requirements or len(row.requirements) < 20):
                row.requirements[needed.requirement] = needed.provided

    def by_worst(self) -> Counter[str]:
        """Severity → controls whose worst finding has it."""
        return Counter(row.worst.value for row in self.controls.values())


@dataclass(slots=True)
class DimensionRow:
    """One dimension of risk over all assessments."""

    bands: Counter[str] = field(default_factory=Counter)
    total: float = 0.0
    highest: float = 0.0

    def add(self, score: float) -> None:
        """Count one score."""
        self.bands[risk_band(score)] += 1
        self.total += score
        self.highest = max(self.highest, score)

    @property
    def mean(self) -> float:
        """The mean score, 0 where there is none."""
        return self.total / count if (count := self.bands.total()) else 0.0


class ReportData:
    """Counts, the register of controls touched, and the riskiest assessments; at most `rows` of them are kept."""

    def __init__(self, rows: int = ROWS) -> None:
        self.summary = RunSummary()
        self.frameworks: dict[str, FrameworkRow] = {}
        self.dimensions = {dimension.value: DimensionRow() for dimension in RiskDimension}
        self.tenants = BoundedCounter()
        self.keys = BoundedCounter()
        """Key id → evidence envelopes that it signed."""
        self.versions: dict[str, BoundedCounter] = {}
        """Part → version → assessments; one part with two versions means that something changed during the run."""
        self._limit = rows
        self._heap: list[tuple[tuple[float, int, int], ReportRow]] = []

    def add(self, assessment: Assessment, item: str = "") -> None:
        """Take in one assessment; `item` says which input it was, such as `mails.jsonl:17`."""
        self.summary.add(assessment)
        self.tenants.note(assessment.tenant_id)
        self.keys.note(assessment.evidence.signatures[0].keyid)
        risk = assessment.analysis.risk_scores
        if risk:
            self._add_risk(risk)
        known = sum(len(framework.controls) for framework in self.frameworks.values())
        for result in assessment.analysis.compliance_mappings:
            ref = f"{result.framework}:{result.edition}"
            framework = self.frameworks.get(ref)
            if framework is None:
                framework = self.frameworks[ref] = FrameworkRow(ref, result.title, result.kind)
            before = len(framework.controls)
            framework.add(result, _CONTROLS - known)
            known += len(framework.controls) - before
        self._add_versions(assessment)
        self._add_row(assessment, item)

    @property
    def rows(self) -> list[ReportRow]:
        """The riskiest assessments, highest risk first; among equals, the one with more findings, then the earlier."""
        return [row for _, row in sorted(self._heap, key=lambda entry: entry[0], reverse=True)]

    def _add_risk(self, risk: RiskScoringResult) -> None:
        for dimension, score in (
            (RiskDimension.TECHNICAL, risk.technical_risk),
            (RiskDimension.BUSINESS, risk.business_risk),
            (RiskDimension.REGULATORY, risk.regulatory_risk),
            (RiskDimension.TEMPORAL, risk.temporal_risk),
        ):
            self.dimensions[dimension.value].add(score)

    def _add_versions(self, assessment: Assessment) -> None:
        versions, risk = assessment.version_info, assessment.analysis.risk_scores
        policy = assessment.orchestration.policy
        parts = {
            "llama-mapper": versions.service_version,
            "taxonomy": versions.taxonomy_version,
            "vendor vocabularies": versions.vocabulary_version,
            "crosswalk": versions.crosswalk_version,
            "framework editions": versions.framework_version,
            "policy": f"{policy.policy_applied} ({policy.policy_digest})",
            "risk formula": risk.formula_version if risk else None,
            "model": versions.model_version,
        }
        for part, version in parts.items():
            if version is not None:
                self.versions.setdefault(part, BoundedCounter()).note(version)

    def _add_row(self, assessment: Assessment, item: str) -> None:
        risk = assessment.analysis.risk_scores
        score = risk.overall_risk_score if risk else 0.0
        upheld = [finding for finding in assessment.analysis.findings if finding.upheld]
        # The last part makes every key differ, and prefers the earlier of equals.
        key = (score, len(upheld), -self.summary.assessments)
        full = len(self._heap) >= self._limit
        if full and (not self._heap or key <= self._heap[0][0]):
            return
        strongest = sorted(upheld, key=lambda finding: (-finding.score, finding.label))
        labels = tuple(dict.fromkeys(finding.label for finding in strongest))[:_LABELS_PER_ROW]
        row = ReportRow(
            id=assessment.id,
            item=item,
            created_at=assessment.created_at,
            action=assessment.verdict.action.value,
            level=risk.level.value if risk else "",
            risk=score,
            findings=len(upheld),
            labels=labels,
            coverage=assessment.orchestration.coverage_achieved,
        )
        if full:
            heapreplace(self._heap, (key, row))
        else:
            heappush(self._heap, (key, row))


def _note_parts(noted: dict[str, None], text: str) -> None:
    """Add what a control says of each of its labels, which it joins by `; `; at most 20 are kept."""
    for part in text.split("; "):
        if part and len(noted) < _PARTS:
            noted.setdefault(part)
