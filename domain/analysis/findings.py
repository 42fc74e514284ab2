"""Findings as analysis reads them: who said it, whether it stands, and what the catalogue says it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from llama_mapper.domain.contracts.analysis import AttributedFinding
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import CatalogueView, category_of
from llama_mapper.domain.contracts.orchestration import DetectorMode, OrchestrationResponse

FINDINGS_LIMIT = 8192
"""Findings that one analysis response can carry."""

NON_FINDINGS = "meta.outcome"
"""The category of labels that say nothing about the content: safe, ambiguous, unmapped."""

_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the catalogue says about one vendor label.

    `labels` are its canonical labels, the main one first; `category` is the main one's risk category. Both are empty
    where nobody knows the label.
    """

    labels: tuple[str, ...]
    category: str | None
    severity: Severity
    known: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """One upheld finding: its meaning, its score, and what tells it from another sight of the same text."""

    meaning: Meaning
    score: float
    identity: str | None


Meanings = Callable[[str, str, str, str | None, str | None], Meaning]
"""Vendor, version, label, the finding's own category and what the tenant says that the label means → meaning."""


def worst(severities: Iterable[Severity]) -> Severity:
    """The worst of some severities; INFO for none."""
    return min(severities, key=_SEVERITY_RANK.__getitem__, default=Severity.INFO)


def severity_rank(severity: Severity) -> int:
    """0 for the worst severity, growing as it gets milder; for sorting."""
    return _SEVERITY_RANK[severity]


def meanings_of(catalogue: CatalogueView, *, remembered: int = 8192) -> Meanings:
    """Look labels up in `catalogue`, remembering the `remembered` last used."""
    unknown = Meaning((), None, Severity.LOW, known=False)

    @lru_cache(maxsize=remembered)
    def meaning(vendor: str, vendor_version: str, label: str, category: str | None, meant: str | None) -> Meaning:
        if meant is not None and (severity := catalogue.categories.get(category_of(meant))) is not None:
            return Meaning((meant,), category_of(meant), severity, known=True)
        match = catalogue.match(vendor, vendor_version, label)
        if match is not None:
            labels = (match.canonical, *(also for also in match.also if also != match.canonical))
            return Meaning(labels, category_of(match.canonical), catalogue.severity(match.canonical), known=True)
        # Another process may have judged the label under a newer vocabulary: its category is still good.
        if category is not None and (severity := catalogue.categories.get(category)) is not None:
            return Meaning((category,), category, severity, known=True)
        return unknown

    return meaning


def attribute(response: OrchestrationResponse) -> tuple[AttributedFinding, ...]:
    """All findings of all detectors with their makers, in the response's order.

    A finding is upheld unless its risk category has an outcome that is not flagged (no outcome, no clearing), its
    score is below what the policy asks of its label, or its detector is only monitored. Beyond 8,192 findings the
    weakest are left out.
    """
    if not any(result.findings for result in response.detector_results):
        return ()
    cleared = {outcome.category for outcome in response.aggregation_summary.categories if not outcome.flagged}
    found = [
        AttributedFinding(
            label=finding.label,
            score=finding.score,
            category=finding.category,
            span=finding.span,
            message=finding.message,
            below_threshold=finding.below_threshold,
            declared=finding.declared,
            meant=finding.meant,
            digest=finding.digest,
            detector=result.detector,
            vendor=result.vendor,
            vendor_version=result.vendor_version,
            upheld=finding.category not in cleared
            and not finding.below_threshold
            and result.mode is DetectorMode.ENFORCE,
        )
        for result in response.detector_results
        for finding in result.findings
    ]
    if len(found) > FINDINGS_LIMIT:
        keep = sorted(range(len(found)), key=lambda i: (-found[i].score, i))[:FINDINGS_LIMIT]
        found = [found[i] for i in sorted(keep)]
    return tuple(found)


def read(findings: Sequence[AttributedFinding], meanings: Meanings) -> tuple[Reading, ...]:
    """The upheld findings that say something about the content, with their meanings."""
    readings = []
    for finding in findings:
        if not finding.upheld:
            continue
        meaning = meanings(finding.vendor, finding.vendor_version, finding.label, finding.category, finding.meant)
        if meaning.category == NON_FINDINGS:
            continue
        identity = finding.digest
        if identity is None and finding.span is not None:
            identity = f"{finding.span.start}-{finding.span.end}"
        readings.append(Reading(meaning, finding.score, identity))
    return tuple(readings)


def counts(readings: Iterable[Reading]) -> dict[str, int]:
    """Readings of each known risk category."""
    result: dict[str, int] = {}
    for reading in readings:
        if (category := reading.meaning.category) is not None:
            result[category] = result.get(category, 0) + 1
    return result
