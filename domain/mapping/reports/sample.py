"""Invented data in which everything that a report can have is there, to try templates on."""

from __future__ import annotations

from datetime import UTC, datetime

from llama_mapper.domain.contracts.base import ProvenanceEntry, Severity, VersionInfo
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.reports import (
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
from llama_mapper.domain.mapping.reports.views import view_of_labels

_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_VERSION = "1.0.0"
_VENDOR = "example_vendor"


def sample_of(catalogue: CatalogueView) -> ReportData:
    """The data, with the catalogue's first categories as what was found."""
    found = [*catalogue.categories][:3]
    labels = [
        ReportLabel(
            vendor=_VENDOR,
            vendor_version="2",
            label="EXAMPLE_LABEL",
            canonical=canonical,
            name=catalogue.name(canonical),
            severity=catalogue.severity(canonical),
            score=0.9,
            confidence=0.95,
            stage=MappingStage.CATALOGUE_EXACT,
            abstained=False,
            rationale="The vendor's vocabulary lists the label.",
        )
        for canonical in found
    ]
    unknown = labels[0].model_copy(
        update={
            "vendor_version": None,
            "canonical": None,
            "name": "",
            "severity": None,
            "confidence": 0.0,
            "stage": MappingStage.ABSTAINED,
            "abstained": True,
        }
    )
    return ReportData(
        report=ReportHead(
            title="A report", generated_at=_AT, tenant_id="example", template="example", template_version=1
        ),
        source=ReportSource(kind="assessment", id="asm_example", created_at=_AT),
        versions=VersionInfo(
            service_version=_VERSION,
            taxonomy_version=_VERSION,
            vocabulary_version=_VERSION,
            crosswalk_version=_VERSION,
            overlay_version="7",
            framework_version="soc2:2017",
            policy_version="default@1",
            model_version="example@1",
            training_date=_AT,
            detectors={"example": _VERSION},
        ),
        taxonomy=tuple(
            ReportFinding(
                id=canonical, name=catalogue.name(canonical), severity=catalogue.severity(canonical), score=0.9
            )
            for canonical in found
        ),
        labels=(*labels, unknown),
        abstentions=1,
        frameworks=tuple(view_of_labels(catalogue, edition, found) for edition in catalogue.resolve_frameworks(())),
        verdict=ReportVerdict(
            action="flag",
            policy="default@1",
            reasons=(ReportReason(action="flag", code="category_flagged", subject=found[0], enforced=True),),
        ),
        risk=ReportRisk(level=Severity.HIGH, overall=0.7, technical=0.6, business=0.5, regulatory=0.4, temporal=0.3),
        coverage=ReportCoverage(achieved=0.75, threshold=0.8, sufficient=False, gaps=("example: timeout",)),
        detectors=(ReportDetector(name="example", vendor=_VENDOR, version="2", status="success", findings=3),),
        evidence=ReportEvidence(
            payload_type="application/vnd.llama-mapper.evidence.v1+json",
            payload_digest=f"sha256:{'0' * 64}",
            key_id=f"ed25519:{'0' * 16}",
        ),
        provenance=(
            ProvenanceEntry(stage="mapping", component="catalogue_mapping", version=_VERSION, duration_ms=1.0),
        ),
    )
