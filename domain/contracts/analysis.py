"""The analysis context's contract: findings in; patterns, risk, compliance and quality out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import (
    CanonicalId,
    CategoryId,
    Contract,
    ControlId,
    Count,
    FrameworkRef,
    Identifier,
    LongText,
    Milliseconds,
    ProvenanceEntry,
    Score,
    Severity,
    ShortText,
    TenantId,
    VersionInfo,
    VersionText,
)
from llama_mapper.domain.contracts.orchestration import Finding, OrchestrationResponse

_Number = Annotated[float, Field(ge=-1e15, le=1e15)]


class AnalysisType(StrEnum):
    """Which parts to compute; `full` is all of them."""

    FULL = "full"
    PATTERNS = "patterns"
    RISK = "risk"
    COMPLIANCE = "compliance"
    QUALITY = "quality"


class DataSufficiency(StrEnum):
    """Whether there was enough history to say anything."""

    SUFFICIENT = "sufficient"
    INSUFFICIENT = "insufficient"
    NOT_COMPUTED = "not_computed"


class Trend(StrEnum):
    """Which way a series goes."""

    RISING = "rising"
    FALLING = "falling"
    STABLE = "stable"
    UNKNOWN = "unknown"


class PatternKind(StrEnum):
    """Which analysis saw a pattern."""

    TEMPORAL = "temporal"
    FREQUENCY = "frequency"
    CORRELATION = "correlation"
    ANOMALY = "anomaly"


class RiskDimension(StrEnum):
    """The four dimensions of risk."""

    TECHNICAL = "technical"
    BUSINESS = "business"
    REGULATORY = "regulatory"
    TEMPORAL = "temporal"


class AnalysisRequest(Contract):
    """An orchestration response to analyse for a tenant, and the frameworks to answer for."""

    orchestration_response: OrchestrationResponse
    analysis_type: AnalysisType = AnalysisType.FULL
    frameworks: Annotated[tuple[FrameworkRef, ...], Field(max_length=32)] = ()
    """Frameworks to map to; empty means every framework of the catalogue in its default edition."""
    tenant_id: TenantId | None = None


class AttributedFinding(Finding):
    """A finding with the detector that made it, so that it stands on its own."""

    detector: Identifier
    vendor: Identifier
    vendor_version: VersionText
    upheld: bool
    """False where conflict resolution cleared the finding's risk category, the score is below what the policy asks of
    the label, or the detector is only monitored; it is then kept but counts for no risk."""


class Pattern(Contract):
    """Something regular, or irregular, in the tenant's findings over time."""

    kind: PatternKind
    categories: Annotated[tuple[CategoryId, ...], Field(max_length=8)]
    description: ShortText
    strength: Score
    confidence: Score
    evidence: dict[Annotated[str, Field(max_length=64)], _Number] = Field(default_factory=dict, max_length=16)
    """The numbers that it rests on."""


class TemporalSeries(Contract):
    """How one category's daily count moves over the window."""

    category: CategoryId
    trend: Trend
    slope_per_day: _Number
    """Theil-Sen slope: findings a day, per day."""
    p_value: Score
    """Of the Mann-Kendall trend test, two-sided."""
    busiest_hour: Annotated[int, Field(ge=0, le=23)] | None = None
    """Hour of the day, UTC, with the most findings."""


class TemporalAnalysis(Contract):
    """Trends over the history window."""

    sufficiency: DataSufficiency
    window_days: Count
    observed_days: Count
    required_days: Count
    series: Annotated[tuple[TemporalSeries, ...], Field(max_length=64)] = ()


class CategoryFrequency(Contract):
    """How often one category is found, now against its own past."""

    category: CategoryId
    in_request: Count
    in_window: Count
    per_day: Annotated[float, Field(ge=0.0, le=1e15)]
    share: Score
    """Of all findings in the window."""


class FrequencyAnalysis(Contract):
    """Counts and rates over the history window."""

    sufficiency: DataSufficiency
    window_days: Count
    assessments_in_window: Count
    categories: Annotated[tuple[CategoryFrequency, ...], Field(max_length=64)] = ()


class CategoryPair(Contract):
    """Two categories that appear in the same assessments more, or less, often than chance."""

    first: CategoryId
    second: CategoryId
    together: Count
    phi: Annotated[float, Field(ge=-1.0, le=1.0)]
    """Phi coefficient of the 2 by 2 table."""
    lift: Annotated[float, Field(ge=0.0, le=1e9)]
    p_value: Score
    """Of Fisher's exact test, two-sided."""


class CorrelationAnalysis(Contract):
    """Which categories go together."""

    sufficiency: DataSufficiency
    assessments: Count
    required_assessments: Count
    pairs: Annotated[tuple[CategoryPair, ...], Field(max_length=64)] = ()


class AnomalyAnalysis(Contract):
    """How far today is from the tenant's own past."""

    sufficiency: DataSufficiency
    baseline_days: Count
    required_days: Count
    anomalous_categories: Annotated[tuple[CategoryId, ...], Field(max_length=64)] = ()


class PatternAnalysisResult(Contract):
    """What the tenant's history shows, and how much history there was."""

    patterns_detected: Annotated[tuple[Pattern, ...], Field(max_length=128)] = ()
    temporal_analysis: TemporalAnalysis
    frequency_analysis: FrequencyAnalysis
    correlation_analysis: CorrelationAnalysis
    anomaly_analysis: AnomalyAnalysis
    anomaly_score: Score
    """0 where today is ordinary or there is too little history to tell (`anomaly_analysis.sufficiency` says which)."""
    history_as_of: datetime | None = None
    """When the history was read."""


class RiskFactor(Contract):
    """One term of a risk score, so that the score can be recomputed by hand."""

    dimension: RiskDimension
    name: Identifier
    category: CategoryId | None = None
    value: Score
    weight: Score
    contribution: Score
    """The probability-like term that enters the dimension's noisy-or: `value * weight`."""
    explanation: ShortText = ""


class RiskScoringResult(Contract):
    """Risk in four dimensions, each between 0 (none) and 1, with every factor."""

    overall_risk_score: Score
    level: Severity
    technical_risk: Score
    business_risk: Score
    regulatory_risk: Score
    temporal_risk: Score
    risk_factors: Annotated[tuple[RiskFactor, ...], Field(max_length=512)] = ()
    formula_version: VersionText


class ControlApplicability(StrEnum):
    """Whether a control is touched as it stands, or only if a condition holds that we cannot know."""

    APPLICABLE = "applicable"
    CONDITIONAL = "conditional"


class ComplianceControl(Contract):
    """A control that findings of this request are evidence relevant to; never proof of a violation."""

    control_id: ControlId
    title: ShortText
    canonical_labels: Annotated[tuple[CanonicalId, ...], Field(max_length=256)]
    severity: Severity
    applicability: ControlApplicability
    condition: ShortText = ""
    rationale: ShortText = ""


class EvidenceRequirement(Contract):
    """What an auditor would ask to see for a control."""

    control_id: ControlId
    requirement: ShortText
    provided: bool
    """Whether this assessment's own evidence document provides it."""


class ComplianceMappingResult(Contract):
    """One framework edition: which controls are touched and what evidence they call for."""

    framework: Identifier
    edition: Identifier
    title: ShortText
    kind: Annotated[str, Field(pattern=r"^(control|risk|technique)$")]
    controls: Annotated[tuple[ComplianceControl, ...], Field(max_length=512)] = ()
    evidence_requirements: Annotated[tuple[EvidenceRequirement, ...], Field(max_length=512)] = ()
    compliance_score: Score
    """1 means that nothing found touches a control of this framework; see `docs/risk.md` for the formula."""


class QualityMetrics(Contract):
    """How far the analysis itself can be trusted. Null means that there is too little to tell."""

    analysis_quality_score: Score
    confidence_distribution: dict[Annotated[str, Field(max_length=32)], Score] = Field(
        default_factory=dict, max_length=16
    )
    """Share of findings in each confidence band; the shares add up to 1 where there are findings."""
    pattern_consistency: Score | None = None
    risk_calibration: Score | None = None


class RegulatoryContext(Contract):
    """A passage of a regulation that bears on the findings."""

    framework: Identifier
    reference: Identifier
    summary: LongText
    relevance: Score


class ComplianceGuidance(Contract):
    """What a framework would have one do about a category."""

    framework: Identifier
    control_id: ControlId
    guidance: LongText
    source: Annotated[str, Field(pattern=r"^(template|retrieval|model)$")]


class RiskMitigation(Contract):
    """A step that lowers the risk."""

    category: CategoryId
    action: LongText
    priority: Severity
    source: Annotated[str, Field(pattern=r"^(template|retrieval|model)$")]


class RAGInsights(Contract):
    """Guidance on the findings; `source` of each entry says whether a template, retrieval or a model gave it."""

    regulatory_context: Annotated[tuple[RegulatoryContext, ...], Field(max_length=64)] = ()
    compliance_guidance: Annotated[tuple[ComplianceGuidance, ...], Field(max_length=128)] = ()
    risk_mitigation_suggestions: Annotated[tuple[RiskMitigation, ...], Field(max_length=64)] = ()


class AnalysisResponse(Contract):
    """Patterns, risk, compliance and quality of one orchestration response."""

    request_id: Identifier
    tenant_id: TenantId
    findings: Annotated[tuple[AttributedFinding, ...], Field(max_length=8192)]
    """All findings of all detectors, carried on for mapping."""
    pattern_analysis: PatternAnalysisResult | None = None
    """Null where the analysis type did not ask for it; the same holds for the next three."""
    risk_scores: RiskScoringResult | None = None
    compliance_mappings: Annotated[tuple[ComplianceMappingResult, ...], Field(max_length=32)] = ()
    quality_metrics: QualityMetrics | None = None
    rag_insights: RAGInsights | None = None
    processing_time_ms: Milliseconds
    version_info: VersionInfo
    provenance: Annotated[tuple[ProvenanceEntry, ...], Field(max_length=64)]


class AnalysisApi(Protocol):
    """Analyses findings. Raises `FRAMEWORK_NOT_FOUND` and `EDITION_NOT_FOUND`; too little history raises nothing."""

    async def analyze(self, request: AnalysisRequest) -> AnalysisResponse:
        """Analyse the findings for `request.tenant_id` (which must be set); remember their labels, never text."""
        ...
