"""Which controls the upheld findings touch, framework by framework, and what evidence those call for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from llama_mapper.domain.analysis.findings import Reading, severity_rank, worst
from llama_mapper.domain.analysis.own_evidence import provides
from llama_mapper.domain.analysis.risk.weights import CONDITIONAL, SEVERITY
from llama_mapper.domain.contracts.analysis import (
    ComplianceControl,
    ComplianceMappingResult,
    ControlApplicability,
    EvidenceRequirement,
)
from llama_mapper.domain.contracts.catalogue import CatalogueView, ControlLink, FrameworkEdition

CONTROLS_LIMIT = 512
PENALTY = 0.25
"""What one unconditional control costs of the compliance score at severity CRITICAL and score 1."""

_TEXT = 512


@dataclass(frozen=True, slots=True)
class Touched:
    """The controls of one edition that a set of labels touches, worst first, and the evidence they call for."""

    controls: tuple[ComplianceControl, ...]
    evidence_requirements: tuple[EvidenceRequirement, ...]


Touch = Callable[[FrameworkEdition, frozenset[str], bool], Touched]
"""Edition, canonical labels, whether a detector answered → controls touched."""


def strongest_by_label(readings: Iterable[Reading]) -> dict[str, float]:
    """Canonical label → the highest score of a finding with it, in either place."""
    strongest: dict[str, float] = {}
    for reading in readings:
        for label in reading.meaning.labels:
            if reading.score >= strongest.get(label, 0.0):
                strongest[label] = reading.score
    return strongest


def compliance_score(controls: Iterable[ComplianceControl], strongest: Mapping[str, float]) -> float:
    """`product of (1 - 0.25 x severity x applicability x score)` over the touched controls; 1 for none.

    `severity` is the weight of the risk formula, `applicability` is 1 or, for a conditional control, 0.5, `score` is
    the highest of the findings that lead to the control. A further finding never raises it.
    """
    spared = 1.0
    for control in sorted(controls, key=lambda control: control.control_id):
        share = 1.0 if control.applicability is ControlApplicability.APPLICABLE else CONDITIONAL
        score = max(strongest[label] for label in control.canonical_labels)
        spared *= 1.0 - PENALTY * SEVERITY[control.severity] * share * score
    return spared


def map_compliance(
    editions: Sequence[FrameworkEdition], readings: Sequence[Reading], detected: bool, touch: Touch
) -> tuple[ComplianceMappingResult, ...]:
    """One answer for each edition, in order. `detected` says whether at least one detector answered."""
    strongest = strongest_by_label(readings)
    labels = frozenset(strongest)
    results = []
    for edition in editions:
        touched = touch(edition, labels, detected)
        if not touched.controls:
            results.append(untouched(edition))
            continue
        results.append(
            ComplianceMappingResult(
                framework=edition.framework,
                edition=edition.edition,
                title=edition.title,
                kind=edition.kind.value,
                controls=touched.controls,
                evidence_requirements=touched.evidence_requirements,
                compliance_score=compliance_score(touched.controls, strongest),
            )
        )
    return tuple(results)


@lru_cache(maxsize=256)
def untouched(edition: FrameworkEdition) -> ComplianceMappingResult:
    """The answer for an edition that nothing found touches; remembered, since most content is clean."""
    return ComplianceMappingResult(
        framework=edition.framework,
        edition=edition.edition,
        title=edition.title,
        kind=edition.kind.value,
        compliance_score=1.0,
    )


def touch_of(catalogue: CatalogueView, *, remembered: int = 1024) -> Touch:
    """Find touched controls in `catalogue`, remembering the `remembered` last answers: the same few labels recur."""

    @lru_cache(maxsize=remembered)
    def touch(edition: FrameworkEdition, labels: frozenset[str], detected: bool) -> Touched:
        links: dict[str, list[tuple[str, ControlLink]]] = {}
        for label in sorted(labels):
            for link in catalogue.controls(label, edition):
                links.setdefault(link.control_id, []).append((label, link))
        controls = [_control(edition, entries, catalogue) for entries in links.values()]
        controls.sort(key=lambda control: (severity_rank(control.severity), control.control_id))
        controls = controls[:CONTROLS_LIMIT]
        return Touched(tuple(controls), tuple(_requirements(edition, controls, detected, catalogue)))

    return touch


def _control(
    edition: FrameworkEdition, entries: Sequence[tuple[str, ControlLink]], catalogue: CatalogueView
) -> ComplianceControl:
    """A control that several labels may lead to. One unconditional link makes the links' conditions moot."""
    labels = tuple(label for label, _ in entries)
    conditions = [link.condition for _, link in entries]
    own = () if "" in conditions else tuple(dict.fromkeys(conditions))
    condition = "; ".join(filter(None, (edition.applies_when, " or ".join(own))))
    return ComplianceControl(
        control_id=entries[0][1].control_id,
        title=_short(entries[0][1].title),
        canonical_labels=labels[:256],
        severity=worst(catalogue.severity(label) for label in labels),
        applicability=ControlApplicability.CONDITIONAL if condition else ControlApplicability.APPLICABLE,
        condition=_short(condition),
        rationale=_short("; ".join(dict.fromkeys(link.rationale for _, link in entries if link.rationale))),
    )


def _requirements(
    edition: FrameworkEdition, controls: Iterable[ComplianceControl], detected: bool, catalogue: CatalogueView
) -> Iterable[EvidenceRequirement]:
    """What an auditor would ask for, where the catalogue knows it."""
    for control in controls:
        if requirement := catalogue.evidence_requirement(control.control_id, edition):
            yield EvidenceRequirement(
                control_id=control.control_id,
                requirement=_short(requirement),
                provided=detected and provides(edition, control.control_id),
            )


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
