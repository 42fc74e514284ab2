"""Builders of valid records for tests: one `Found` a finding, and from those the responses of all three contexts.

What a builder is not told has a harmless default; the numbers of a response (counts, verdict, risk) follow from its
findings, so that a test can compare a report with what it put in. Nothing is random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby

from llama_mapper.domain.contracts.analysis import (
    AnalysisResponse,
    AttributedFinding,
    ComplianceControl,
    ComplianceMappingResult,
    ControlApplicability,
    EvidenceRequirement,
    RiskDimension,
    RiskFactor,
    RiskScoringResult,
)
from llama_mapper.domain.contracts.assessment import (
    EVIDENCE_PAYLOAD_TYPE,
    Assessment,
    AssessmentTimings,
    EvidenceEnvelope,
    EvidenceSignature,
)
from llama_mapper.domain.contracts.base import ProvenanceEntry, Severity, VersionInfo
from llama_mapper.domain.contracts.mapping import (
    CostMetrics,
    FrameworkControl,
    FrameworkMapping,
    MappedLabel,
    MappingResponse,
    MappingStage,
    OutputFormat,
    ResourceUtilization,
    TokenUsage,
)
from llama_mapper.domain.contracts.orchestration import (
    AggregationSummary,
    CategoryOutcome,
    ConflictMethod,
    ContentType,
    CoverageGap,
    CoverageMethod,
    CoverageReport,
    DetectorFault,
    DetectorResult,
    DetectorStatus,
    Finding,
    OrchestrationResponse,
    PolicyDecision,
    RoutingPlan,
    Span,
    Verdict,
    VerdictAction,
    VerdictReason,
)

CREATED_AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
POLICY = "default@1.0.0"
SOC2, GDPR = "soc2:2017", "gdpr:2016"
_DEFAULT_CONTROLS: Mapping[str, tuple[str, ...]] = {SOC2: ("CC6.7",), GDPR: ("Article.6",)}
_RISK_OF = {
    Severity.CRITICAL: 0.95,
    Severity.HIGH: 0.8,
    Severity.MEDIUM: 0.5,
    Severity.LOW: 0.25,
    Severity.INFO: 0.05,
}


@dataclass(frozen=True, slots=True)
class Found:
    """One finding, and what the catalogue would say about its label."""

    label: str = "EMAIL_ADDRESS"
    category: str | None = "pii.personal_identifiers"
    canonical: str | None = "pii.personal_identifiers.email"
    score: float = 0.9
    severity: Severity = Severity.HIGH
    detector: str = "presidio"
    vendor: str = "presidio"
    vendor_version: str = "2.2.366"
    span: tuple[int, int] | None = (10, 27)
    upheld: bool = True
    controls: Mapping[str, Sequence[str]] = field(default_factory=lambda: _DEFAULT_CONTROLS)
    """`framework:edition` → control ids that the label touches."""

    def finding(self) -> Finding:
        return Finding(
            label=self.label,
            score=self.score,
            category=self.category,
            span=Span(start=self.span[0], end=self.span[1]) if self.span else None,
            digest="hmac-sha256:" + sha256(self.label.encode()).hexdigest(),
        )


def versions(**given: object) -> VersionInfo:
    """Version information with every part that a default assessment has."""
    fields: dict[str, object] = {
        "service_version": "0.1.0",
        "taxonomy_version": "1.0.0",
        "vocabulary_version": "1.0.0",
        "crosswalk_version": "1.0.0",
        "framework_version": f"{SOC2},{GDPR}",
        "policy_version": POLICY,
        "detectors": {"presidio": "2.2.366"},
    }
    return VersionInfo.model_validate(fields | given)


def detector_result(
    name: str = "presidio",
    *found: Found,
    status: DetectorStatus = DetectorStatus.SUCCESS,
    vendor: str | None = None,
    vendor_version: str = "2.2.366",
) -> DetectorResult:
    """One detector's result; a status other than success comes with a fault and must have no findings."""
    strongest = max(found, key=lambda one: one.score, default=None)
    answered = status is DetectorStatus.SUCCESS
    return DetectorResult(
        detector=name,
        vendor=vendor or name,
        vendor_version=vendor_version,
        status=status,
        output=strongest.label if strongest else "clean" if answered else status.value,
        confidence=strongest.score if strongest else 0.5 if answered else 0.0,
        categories=tuple(sorted({one.category for one in found if one.category})),
        findings=tuple(one.finding() for one in found),
        fault=None if answered else DetectorFault(code=status.value, message=f"the detector ended as {status.value}"),
        processing_time_ms=1.5,
    )


def orchestration_response(
    *found: Found,
    failed: Mapping[str, DetectorStatus] | None = None,
    gaps: Sequence[tuple[str, str]] = (),
    coverage: float = 1.0,
    action: VerdictAction | None = None,
    request_id: str = "req_1",
    tenant_id: str = "acme",
) -> OrchestrationResponse:
    """The response with these findings, grouped by detector; `failed` adds detectors that did not answer.

    Without findings the detector `presidio` answers clean. The verdict is `action`, or by the worst upheld finding:
    block for critical, redact for high, flag for others, allow for none.
    """
    by_detector = [
        (name, tuple(group)) for name, group in groupby(sorted(found, key=lambda one: one.detector), _detector)
    ]
    results = [
        detector_result(name, *group, vendor=group[0].vendor, vendor_version=group[0].vendor_version)
        for name, group in by_detector
    ] or [detector_result()]
    results += [detector_result(name, status=status) for name, status in (failed or {}).items()]
    outcomes = _outcomes(found)
    reasons = tuple(
        VerdictReason(
            action=_action((outcome.severity,)),
            code="category_flagged",
            subject=outcome.category,
            score=outcome.score,
            threshold=0.5,
            message=f"{outcome.category} was found",
        )
        for outcome in outcomes
        if outcome.flagged
    )
    names = tuple(result.detector for result in results)
    decided = action or _action(tuple(one.severity for one in found if one.upheld))
    return OrchestrationResponse(
        request_id=request_id,
        tenant_id=tenant_id,
        content_type=ContentType.TEXT,
        content_length=120,
        language="en",
        detector_results=tuple(results),
        aggregation_summary=AggregationSummary(
            categories=outcomes,
            detectors_selected=len(results),
            detectors_succeeded=sum(result.status is DetectorStatus.SUCCESS for result in results),
            findings=len(found),
        ),
        coverage_achieved=coverage,
        coverage=CoverageReport(
            method=CoverageMethod.REQUIRED_SET,
            achieved=coverage,
            threshold=0.8,
            sufficient=coverage >= 0.8,
            gaps=tuple(CoverageGap(subject=subject, reason=reason) for subject, reason in gaps),
        ),
        policy=PolicyDecision(
            selected_detectors=names,
            policy_applied=POLICY,
            policy_digest="sha256:" + "0" * 64,
            routing_reason="all detectors of the default policy",
            coverage_method=CoverageMethod.REQUIRED_SET,
            plan=RoutingPlan(primary_detectors=names, timeout_ms=2000),
        ),
        verdict=Verdict(action=decided, reasons=reasons, policy_applied=POLICY),
        processing_time_ms=2.0,
        version_info=versions(detectors={result.detector: result.vendor_version for result in results}),
        provenance=(_step("orchestration"),),
    )


def analysis_response(
    orchestration: OrchestrationResponse, *found: Found, controls: Sequence[ComplianceMappingResult] | None = None
) -> AnalysisResponse:
    """The analysis of `found`, which are the findings of `orchestration`; it has no pattern analysis."""
    return AnalysisResponse(
        request_id=orchestration.request_id,
        tenant_id=orchestration.tenant_id,
        findings=tuple(attributed(one) for one in found),
        risk_scores=risk(found),
        compliance_mappings=tuple(controls) if controls is not None else compliance(found),
        processing_time_ms=0.5,
        version_info=versions(),
        provenance=(_step("analysis"),),
    )


def attributed(found: Found) -> AttributedFinding:
    """The finding as the analysis carries it on."""
    return AttributedFinding(
        **dict(found.finding()),
        detector=found.detector,
        vendor=found.vendor,
        vendor_version=found.vendor_version,
        upheld=found.upheld,
    )


def risk(found: Sequence[Found]) -> RiskScoringResult:
    """Risk that grows with the worst upheld finding; the four dimensions differ, so that mix-ups show."""
    upheld = [one for one in found if one.upheld]
    worst = min((one.severity for one in upheld), key=list(Severity).index, default=Severity.INFO)
    overall = _RISK_OF[worst] if upheld else 0.0
    return RiskScoringResult(
        overall_risk_score=overall,
        level=worst,
        technical_risk=round(overall * 0.9, 6),
        business_risk=round(overall * 0.7, 6),
        regulatory_risk=overall,
        temporal_risk=0.0,
        risk_factors=tuple(
            RiskFactor(
                dimension=RiskDimension.REGULATORY,
                name="severity",
                category=one.category,
                value=one.score,
                weight=1.0,
                contribution=one.score,
            )
            for one in upheld
        ),
        formula_version="1",
    )


def compliance(found: Sequence[Found]) -> tuple[ComplianceMappingResult, ...]:
    """One result a framework edition that the default assessment answers for, or that a finding names."""
    refs = sorted({SOC2, GDPR} | {ref for one in found for ref in one.controls})
    results = []
    for ref in refs:
        framework, _, edition = ref.partition(":")
        touched = _touched(found, ref)
        controls = tuple(
            ComplianceControl(
                control_id=control_id,
                title=f"Title of {control_id}",
                canonical_labels=labels,
                severity=min(
                    (one.severity for one in found if control_id in one.controls.get(ref, ())),
                    key=list(Severity).index,
                ),
                applicability=ControlApplicability.APPLICABLE,
                rationale=f"Why {control_id} is touched",
            )
            for control_id, labels in touched.items()
        )
        results.append(
            ComplianceMappingResult(
                framework=framework,
                edition=edition,
                title=f"Framework {framework}",
                kind="control",
                controls=controls,
                evidence_requirements=tuple(
                    EvidenceRequirement(control_id=control_id, requirement=f"A record for {control_id}", provided=True)
                    for control_id in touched
                ),
                compliance_score=0.5 if touched else 1.0,
            )
        )
    return tuple(results)


def mapping_response(analysis: AnalysisResponse, *found: Found) -> MappingResponse:
    """The full-record mapping of `found`, which are the findings of `analysis`; labels without a canonical abstain."""
    labels: dict[tuple[str, str, str], MappedLabel] = {}
    scores: dict[str, float] = {}
    for one in found:
        labels[one.vendor, one.vendor_version, one.label] = MappedLabel(
            vendor=one.vendor,
            vendor_version=one.vendor_version,
            label=one.label,
            canonical=one.canonical,
            score=one.score,
            confidence=1.0 if one.canonical else 0.0,
            stage=MappingStage.CATALOGUE_EXACT if one.canonical else MappingStage.ABSTAINED,
            abstained=one.canonical is None,
            controls={ref: tuple(ids) for ref, ids in one.controls.items()} if one.canonical else {},
        )
        if one.canonical and one.upheld:
            scores[one.canonical] = max(one.score, scores.get(one.canonical, 0.0))
    return MappingResponse(
        request_id=analysis.request_id,
        tenant_id=analysis.tenant_id,
        output_format=OutputFormat.FULL_RECORD,
        taxonomy=tuple(sorted(scores, key=lambda canonical: (-scores[canonical], canonical))),
        scores=scores,
        confidence=1.0,
        labels=tuple(labels.values()),
        framework_mappings={
            f"{result.framework}:{result.edition}": FrameworkMapping(
                framework=result.framework,
                edition=result.edition,
                title=result.title,
                controls=tuple(
                    FrameworkControl(
                        control_id=control.control_id, title=control.title, canonical_labels=control.canonical_labels
                    )
                    for control in result.controls
                ),
            )
            for result in analysis.compliance_mappings
        },
        abstentions=sum(label.abstained for label in labels.values()),
        version_info=versions(),
        processing_time_ms=0.2,
        cost_metrics=CostMetrics(
            inference_cost=0.0,
            compute_time_ms=0.1,
            token_usage=TokenUsage(),
            resource_utilization=ResourceUtilization(cpu_time_ms=0.1, labels=len(labels)),
        ),
        provenance=(_step("mapping"),),
    )


def envelope() -> EvidenceEnvelope:
    """An envelope of the right shape around `{}`; its signature is not a real one."""
    return EvidenceEnvelope(
        payload="e30=",
        payloadType=EVIDENCE_PAYLOAD_TYPE,
        signatures=(EvidenceSignature(keyid="ed25519:" + "0" * 16, sig="A" * 86 + "=="),),
    )


def assessment(
    *found: Found,
    assessment_id: str = "asm_01",
    created_at: datetime = CREATED_AT,
    failed: Mapping[str, DetectorStatus] | None = None,
    gaps: Sequence[tuple[str, str]] = (),
    coverage: float = 1.0,
    action: VerdictAction | None = None,
    evidence: EvidenceEnvelope | None = None,
    tenant_id: str = "acme",
) -> Assessment:
    """The record of one pass that found `found`."""
    orchestrated = orchestration_response(
        *found, failed=failed, gaps=gaps, coverage=coverage, action=action, tenant_id=tenant_id
    )
    analysed = analysis_response(orchestrated, *found)
    return Assessment(
        id=assessment_id,
        tenant_id=tenant_id,
        created_at=created_at,
        orchestration=orchestrated,
        analysis=analysed,
        mapping=mapping_response(analysed, *found),
        verdict=orchestrated.verdict,
        evidence=evidence or envelope(),
        version_info=versions(detectors=orchestrated.version_info.detectors),
        timings_ms=AssessmentTimings(orchestration=2.0, analysis=0.5, mapping=0.2, evidence=0.1, total=2.9),
    )


def _detector(found: Found) -> str:
    return found.detector


def _action(severities: Sequence[Severity]) -> VerdictAction:
    if Severity.CRITICAL in severities:
        return VerdictAction.BLOCK
    if Severity.HIGH in severities:
        return VerdictAction.REDACT
    return VerdictAction.FLAG if severities else VerdictAction.ALLOW


def _outcomes(found: Sequence[Found]) -> tuple[CategoryOutcome, ...]:
    outcomes = []
    for category in sorted({one.category for one in found if one.category}):
        members = [one for one in found if one.category == category]
        upheld = [one for one in members if one.upheld]
        outcomes.append(
            CategoryOutcome(
                category=category,
                flagged=bool(upheld),
                score=max((one.score for one in upheld), default=0.0),
                severity=min((one.severity for one in members), key=list(Severity).index),
                method=ConflictMethod.HIGHEST_CONFIDENCE,
                conflict=False,
                flagged_by=tuple(sorted({one.detector for one in upheld})),
            )
        )
    return tuple(outcomes)


def _touched(found: Sequence[Found], ref: str) -> dict[str, tuple[str, ...]]:
    """Control id → canonical labels of the upheld findings that touch it."""
    touched: dict[str, set[str]] = {}
    for one in found:
        if one.upheld and one.canonical:
            for control_id in one.controls.get(ref, ()):
                touched.setdefault(control_id, set()).add(one.canonical)
    return {control_id: tuple(sorted(labels)) for control_id, labels in sorted(touched.items())}


def _step(stage: str) -> ProvenanceEntry:
    return ProvenanceEntry(stage=stage, component=stage, version="0.1.0", duration_ms=0.5)
