"""What a template is given, made of an answer or a record. Content is in neither; spans and digests are left out."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Sequence

from llama_mapper.domain.contracts.assessment import Assessment, EvidenceEnvelope
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import CatalogueView, FrameworkEdition
from llama_mapper.domain.contracts.mapping import FrameworkMapping, LabelMappingResponse, MappedLabel, MappingResponse
from llama_mapper.domain.contracts.orchestration import OrchestrationResponse, Verdict
from llama_mapper.domain.contracts.reports import (
    FrameworkView,
    ReportCoverage,
    ReportData,
    ReportDetector,
    ReportEvidence,
    ReportFinding,
    ReportHead,
    ReportLabel,
    ReportReason,
    ReportRisk,
    ReportSource,
    ReportVerdict,
)
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.generation.explaining import facts_of
from llama_mapper.domain.mapping.generation.rationale import rationale
from llama_mapper.domain.mapping.reports.views import view_of_labels, view_of_mapping

Editions = Sequence[FrameworkEdition]
Present = Callable[[str], str]
"""An id of the source's taxonomy as one of the present taxonomy."""

_GONE = "This label is no longer in the taxonomy."
_SHOWN_TAXONOMY = 1_024
_SHOWN_FRAMEWORKS = 32


def data_of_assessment(
    catalogue: CatalogueView, head: ReportHead, record: Assessment, editions: Editions | None, present: Present
) -> ReportData:
    """What a report of a stored record is given. `editions` None: those that the record has, as it has them."""
    orchestration, risk = record.orchestration, record.analysis.risk_scores
    return data_of_mapping(catalogue, head, record.mapping, editions, present).model_copy(
        update={
            "source": ReportSource(kind="assessment", id=record.id, created_at=record.created_at),
            "versions": record.version_info,
            "verdict": _verdict(record.verdict),
            "risk": None
            if risk is None
            else ReportRisk(
                level=risk.level,
                overall=risk.overall_risk_score,
                technical=risk.technical_risk,
                business=risk.business_risk,
                regulatory=risk.regulatory_risk,
                temporal=risk.temporal_risk,
            ),
            "coverage": _coverage(orchestration),
            "detectors": _detectors(orchestration),
            "evidence": _evidence(record.evidence),
        }
    )


def data_of_mapping(
    catalogue: CatalogueView, head: ReportHead, mapping: MappingResponse, editions: Editions | None, present: Present
) -> ReportData:
    """What a report of an answer about findings is given."""
    if editions is None:
        frameworks = _as_answered(catalogue, tuple(mapping.framework_mappings.values()))
    else:
        frameworks = _views(catalogue, editions, tuple(dict.fromkeys(map(present, mapping.taxonomy))))
    return ReportData(
        report=head,
        source=ReportSource(kind="mapping", id=mapping.request_id),
        versions=mapping.version_info,
        taxonomy=tuple(_finding(catalogue, label, mapping.scores.get(label)) for label in mapping.taxonomy),
        labels=tuple(_label(catalogue, label) for label in mapping.labels),
        abstentions=mapping.abstentions,
        frameworks=frameworks,
        provenance=mapping.provenance,
    )


def data_of_labels(
    catalogue: CatalogueView,
    head: ReportHead,
    answer: LabelMappingResponse,
    editions: Editions | None,
    present: Present,
) -> ReportData:
    """What a report of an answer about bare labels is given.

    Without `editions` they are those that the labels name. Raises `INVALID_REQUEST` for more than 1,024 distinct
    canonical labels, or 32 editions.
    """
    scores: dict[str, float] = {}
    for label in answer.mappings:
        if label.canonical is not None:
            scores[label.canonical] = max(label.score, scores.get(label.canonical, 0.0))
    if len(scores) > _SHOWN_TAXONOMY:
        raise ValidationError(f"a report has at most {_SHOWN_TAXONOMY} distinct canonical labels")
    taxonomy = sorted(scores, key=lambda canonical: (-scores[canonical], canonical))
    if editions is None:
        named = dict.fromkeys(ref for label in answer.mappings for ref in label.controls)
        if len(named) > _SHOWN_FRAMEWORKS:
            raise ValidationError(f"a report has at most {_SHOWN_FRAMEWORKS} framework editions")
        editions = catalogue.resolve_frameworks(tuple(named)) if named else ()
    return ReportData(
        report=head,
        source=ReportSource(kind="labels"),
        versions=answer.version_info,
        taxonomy=tuple(_finding(catalogue, canonical, scores[canonical]) for canonical in taxonomy),
        labels=tuple(_label(catalogue, label) for label in answer.mappings),
        abstentions=sum(label.abstained for label in answer.mappings),
        frameworks=_views(catalogue, editions, tuple(dict.fromkeys(map(present, taxonomy)))),
        provenance=answer.provenance,
    )


def _as_answered(catalogue: CatalogueView, mappings: Sequence[FrameworkMapping]) -> tuple[FrameworkView, ...]:
    known = {edition.ref: edition for edition in catalogue.frameworks()}
    return tuple(view_of_mapping(catalogue, known.get(f"{one.framework}:{one.edition}"), one) for one in mappings)


def _views(catalogue: CatalogueView, editions: Editions, labels: Sequence[str]) -> tuple[FrameworkView, ...]:
    return tuple(view_of_labels(catalogue, edition, labels) for edition in editions)


def _named(catalogue: CatalogueView, canonical: str) -> tuple[str, Severity | None]:
    """Name and severity; an id that the present taxonomy lacks has neither."""
    try:
        return catalogue.name(canonical), catalogue.severity(canonical)
    except KeyError:
        return "", None


def _finding(catalogue: CatalogueView, canonical: str, score: float | None) -> ReportFinding:
    name, severity = _named(catalogue, canonical)
    return ReportFinding(id=canonical, name=name, severity=severity, score=score)


def _label(catalogue: CatalogueView, mapped: MappedLabel) -> ReportLabel:
    name, severity = ("", None) if mapped.canonical is None else _named(catalogue, mapped.canonical)
    return ReportLabel(
        vendor=mapped.vendor,
        vendor_version=mapped.vendor_version,
        label=mapped.label,
        canonical=mapped.canonical,
        name=name,
        severity=severity,
        score=mapped.score,
        confidence=mapped.confidence,
        stage=mapped.stage,
        abstained=mapped.canonical is None,
        rationale=_rationale(catalogue, mapped),
    )


def _rationale(catalogue: CatalogueView, mapped: MappedLabel) -> str:
    """Made anew of the answer's facts: what stands in an answer that somebody sends may be anybody's words."""
    try:
        return rationale(catalogue, facts_of(mapped))
    except KeyError:
        return _GONE


def _verdict(verdict: Verdict) -> ReportVerdict:
    return ReportVerdict(
        action=verdict.action.value,
        policy=verdict.policy_applied,
        reasons=tuple(
            ReportReason(action=reason.action.value, code=reason.code, subject=reason.subject, enforced=reason.enforced)
            for reason in verdict.reasons
        ),
    )


def _coverage(orchestration: OrchestrationResponse) -> ReportCoverage:
    coverage = orchestration.coverage
    return ReportCoverage(
        achieved=coverage.achieved,
        threshold=coverage.threshold,
        sufficient=coverage.sufficient,
        gaps=tuple(f"{gap.subject}: {gap.reason}"[:512] for gap in coverage.gaps),
    )


def _detectors(orchestration: OrchestrationResponse) -> tuple[ReportDetector, ...]:
    return tuple(
        ReportDetector(
            name=result.detector,
            vendor=result.vendor,
            version=result.vendor_version,
            status=result.status.value,
            findings=len(result.findings) + result.findings_dropped,
        )
        for result in orchestration.detector_results
    )


def _evidence(envelope: EvidenceEnvelope) -> ReportEvidence:
    return ReportEvidence(
        payload_type=envelope.payloadType,
        payload_digest=f"sha256:{hashlib.sha256(b64decode(envelope.payload)).hexdigest()}",
        key_id=envelope.signatures[0].keyid,
    )
