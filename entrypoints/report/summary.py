"""What a run of many assessments amounts to, in counts: memory does not grow with the number of assessments."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.orchestration import DetectorStatus, VerdictAction

NO_CATEGORY = "no category"
UNRATED = "unrated"
OTHER = "other"
_DISTINCT = 500

SEVERITIES = (*(severity.value for severity in Severity), UNRATED)
"""Worst first; `unrated` are findings whose label no vocabulary knows."""
ACTIONS = tuple(reversed([action.value for action in VerdictAction]))
"""Strictest first."""


class BoundedCounter(Counter[str]):
    """Counts by name, of the first 500 names; all later names count together as `other`.

    For names that come from outside, such as detectors and the reasons of gaps.
    """

    def note(self, name: str, times: int = 1) -> None:
        """Count `name`."""
        self[name if name in self or len(self) < _DISTINCT else OTHER] += times


class RunSummary:
    """Counts over the assessments of a run."""

    def __init__(self) -> None:
        self.assessments = 0
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        self.characters = 0
        self.verdicts: Counter[str] = Counter()
        self.levels: Counter[str] = Counter()
        self.findings = 0
        """Of all detectors, upheld or not."""
        self.set_aside = 0
        """Findings that conflict resolution cleared; they count for nothing below."""
        self.by_category: dict[str, Counter[str]] = {}
        """Risk category → severity → upheld findings."""
        self.abstentions = 0
        """Vendor labels that the catalogue does not know, each once an assessment."""
        self.controls: dict[str, BoundedCounter] = {}
        """`framework:edition` → control id → assessments that touch it."""
        self.detectors: dict[str, Counter[str]] = {}
        """`name version` → status → runs."""
        self.gaps = BoundedCounter()
        self.coverage_insufficient = 0
        self.coverage_lowest = 1.0
        self.faults = BoundedCounter()
        """Items that were not assessed, by error code."""

    def add(self, assessment: Assessment) -> None:
        """Count one assessment."""
        orchestration, analysis = assessment.orchestration, assessment.analysis
        at = assessment.created_at
        self.assessments += 1
        self.first_at = at if self.first_at is None else min(at, self.first_at)
        self.last_at = at if self.last_at is None else max(at, self.last_at)
        self.characters += orchestration.content_length
        self.verdicts[assessment.verdict.action.value] += 1
        if analysis.risk_scores:
            self.levels[analysis.risk_scores.level.value] += 1
        self.abstentions += assessment.mapping.abstentions
        self._add_findings(assessment)
        for result in analysis.compliance_mappings:
            counts = self.controls.setdefault(f"{result.framework}:{result.edition}", BoundedCounter())
            for control in result.controls:
                counts.note(control.control_id)
        for detector in orchestration.detector_results:
            name = f"{detector.detector} {detector.vendor_version}"
            if name not in self.detectors and len(self.detectors) >= _DISTINCT:
                name = OTHER
            self.detectors.setdefault(name, Counter())[detector.status.value] += 1
        for gap in orchestration.coverage.gaps:
            self.gaps.note(f"{gap.subject}: {gap.reason}" if gap.reason else gap.subject)
        self.coverage_insufficient += not orchestration.coverage.sufficient
        self.coverage_lowest = min(self.coverage_lowest, orchestration.coverage_achieved)

    def add_fault(self, code: str) -> None:
        """Count an item that could not be read or assessed."""
        self.faults.note(code)

    @property
    def upheld(self) -> int:
        """Findings that count."""
        return self.findings - self.set_aside

    @property
    def unassessed(self) -> int:
        """Items that could not be read or assessed."""
        return self.faults.total()

    @property
    def failing_detectors(self) -> dict[str, Counter[str]]:
        """Detectors that did not always succeed, with all their statuses."""
        success = DetectorStatus.SUCCESS.value
        return {name: runs for name, runs in self.detectors.items() if runs.total() > runs[success]}

    def _add_findings(self, assessment: Assessment) -> None:
        severity_of = {
            outcome.category: outcome.severity.value
            for outcome in assessment.orchestration.aggregation_summary.categories
        }
        for finding in assessment.analysis.findings:
            self.findings += 1
            if not finding.upheld:
                self.set_aside += 1
                continue
            category = finding.category or NO_CATEGORY
            if category not in self.by_category and len(self.by_category) >= _DISTINCT:
                category = OTHER
            severity = severity_of.get(finding.category, UNRATED) if finding.category else UNRATED
            self.by_category.setdefault(category, Counter())[severity] += 1
