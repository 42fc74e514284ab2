"""The evidence document: what was seen, when, by what and under which versions, as canonical JSON.

It holds strings, booleans, nulls and integers only, under ASCII keys; scores are whole parts per million. Within those
bounds sorted, compact JSON is the RFC 8785 canonical form, so that a verifier in another language need not agree
with the writer on how to print a float.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from llama_mapper.domain.contracts.analysis import AnalysisResponse, AttributedFinding, RiskScoringResult
from llama_mapper.domain.contracts.mapping import MappedLabel, MappingResponse
from llama_mapper.domain.contracts.orchestration import CoverageReport, OrchestrationResponse, Verdict
from llama_mapper.domain.kernel.canonical import canonical_json
from llama_mapper.domain.kernel.errors import EvidenceError

EVIDENCE_SCHEMA = "llama-mapper.evidence.v1"

Document = dict[str, Any]


def evidence_document(
    assessment_id: str,
    created_at: datetime,
    orchestration: OrchestrationResponse,
    analysis: AnalysisResponse,
    mapping: MappingResponse,
) -> bytes:
    """The evidence document of one assessment, canonical JSON in UTF-8; `docs/evidence.md` describes its members.

    `created_at` must carry a time zone; it is written in UTC with microseconds. `canonical` of a finding is null
    where the label was not mapped, or the output format leaves the labels out of `mapping`. Raise `EVIDENCE_INVALID`
    for a moment without a time zone.
    """
    if created_at.tzinfo is None:
        raise EvidenceError("the moment of an assessment needs a time zone")
    policy = orchestration.policy
    return canonical_json(
        {
            "schema": EVIDENCE_SCHEMA,
            "assessment_id": assessment_id,
            "tenant_id": orchestration.tenant_id,
            "request_id": orchestration.request_id,
            "created_at": created_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "content": {"type": orchestration.content_type.value, "length": orchestration.content_length},
            "policy": {"applied": policy.policy_applied, "digest": policy.policy_digest},
            "verdict": _verdict(orchestration.verdict),
            "coverage": _coverage(orchestration.coverage),
            "detectors": [
                {
                    "name": result.detector,
                    "vendor": result.vendor,
                    "version": result.vendor_version,
                    "status": result.status.value,
                    "findings_dropped": result.findings_dropped,
                }
                for result in orchestration.detector_results
            ],
            "findings": _findings(analysis.findings, mapping.labels) if analysis.findings else [],
            "canonical_labels": list(mapping.taxonomy),
            "controls": _controls(analysis, mapping),
            "risk": _risk(analysis.risk_scores) if analysis.risk_scores else None,
            "versions": _versions(analysis, mapping),
        }
    )


def _controls(analysis: AnalysisResponse, mapping: MappingResponse) -> dict[str, list[str]]:
    """`framework:edition` → controls touched, worst first; editions without one are left out.

    The mapping decides, which knows the tenant's own words, its frameworks and its crosswalk; where the output format
    leaves the frameworks out of it, the analysis, which answers alike for every format.
    """
    worst_first = {
        f"{result.framework}:{result.edition}": [control.control_id for control in result.controls]
        for result in analysis.compliance_mappings
        if result.controls
    }
    if not mapping.framework_mappings:
        return worst_first
    found: dict[str, list[str]] = {}
    for ref, answered in mapping.framework_mappings.items():
        if touched := [control.control_id for control in answered.controls]:
            known = worst_first.get(ref, [])
            found[ref] = known if {*known} == {*touched} else touched
    return found


def _ppm(score: float) -> int:
    return round(score * 1_000_000)


def _verdict(verdict: Verdict) -> Document:
    return {
        "action": verdict.action.value,
        "reasons": [
            {
                "action": reason.action.value,
                "code": reason.code,
                "subject": reason.subject,
                "score_ppm": None if reason.score is None else _ppm(reason.score),
                "threshold_ppm": None if reason.threshold is None else _ppm(reason.threshold),
            }
            for reason in verdict.reasons
        ],
    }


def _coverage(coverage: CoverageReport) -> Document:
    return {
        "method": coverage.method.value,
        "achieved_ppm": _ppm(coverage.achieved),
        "threshold_ppm": _ppm(coverage.threshold),
        "sufficient": coverage.sufficient,
        "gaps": [{"subject": gap.subject, "reason": gap.reason} for gap in coverage.gaps],
    }


def _findings(findings: Sequence[AttributedFinding], labels: Sequence[MappedLabel]) -> list[Document]:
    canonical = {(label.vendor, label.vendor_version, label.label): label.canonical for label in labels}
    return [
        {
            "detector": finding.detector,
            "vendor": finding.vendor,
            "vendor_version": finding.vendor_version,
            "label": finding.label,
            "score_ppm": _ppm(finding.score),
            "category": finding.category,
            "canonical": canonical.get((finding.vendor, finding.vendor_version, finding.label)),
            "span": [finding.span.start, finding.span.end] if finding.span else None,
            "digest": finding.digest,
            "upheld": finding.upheld,
        }
        for finding in findings
    ]


def _risk(risk: RiskScoringResult) -> Document:
    return {
        "level": risk.level.value,
        "overall_ppm": _ppm(risk.overall_risk_score),
        "technical_ppm": _ppm(risk.technical_risk),
        "business_ppm": _ppm(risk.business_risk),
        "regulatory_ppm": _ppm(risk.regulatory_risk),
        "temporal_ppm": _ppm(risk.temporal_risk),
        "formula_version": risk.formula_version,
    }


def _versions(analysis: AnalysisResponse, mapping: MappingResponse) -> Document:
    """The versions beyond the policy's and the detectors', which stand with the policy and the detectors."""
    versions = mapping.version_info
    return {
        "service": versions.service_version,
        "taxonomy": versions.taxonomy_version,
        "vocabulary": versions.vocabulary_version,
        # That of the controls above.
        "crosswalk": (mapping if mapping.framework_mappings else analysis).version_info.crosswalk_version,
        "overlay": versions.overlay_version,
        "frameworks": versions.framework_version or analysis.version_info.framework_version,
        "model": versions.model_version,
    }
