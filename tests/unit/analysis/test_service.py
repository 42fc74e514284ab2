"""The analysis service: every part where it was asked for, honest where it could not be had."""

from __future__ import annotations

import pytest

from llama_mapper.domain.analysis.service import AnalysisService
from llama_mapper.domain.contracts.analysis import (
    AnalysisApi,
    AnalysisRequest,
    AnalysisResponse,
    AnalysisType,
    DataSufficiency,
)
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from tests.unit.analysis.support import (
    EMAIL,
    NOW,
    SECRET,
    TOXIC,
    HistoryInMemory,
    SmallCatalogue,
    finding,
    orchestrated,
    outcome,
    past_entries,
)

FOUND = (finding("EMAIL", 0.9), finding("AWS_KEY", 0.8), finding("toxic", 0.7))
CLEARED = (outcome(TOXIC, flagged=False, by=(), not_by=("two",)),)


def service(history: HistoryInMemory | None = None) -> AnalysisService:
    return AnalysisService(SmallCatalogue(), history or HistoryInMemory(), lambda: NOW, "0.1.0")


def request(wanted: AnalysisType = AnalysisType.FULL, frameworks: tuple[str, ...] = ()) -> AnalysisRequest:
    return AnalysisRequest(
        orchestration_response=orchestrated(FOUND, outcomes=CLEARED),
        analysis_type=wanted,
        frameworks=frameworks,
        tenant_id="acme",
    )


async def test_a_full_analysis_has_every_part_and_survives_json() -> None:
    api: AnalysisApi = service()
    answer = await api.analyze(request())
    assert answer.request_id == "req_1"
    assert [f.upheld for f in answer.findings] == [True, True, False]
    assert answer.pattern_analysis is not None
    assert answer.risk_scores is not None
    assert answer.quality_metrics is not None
    assert answer.rag_insights is not None
    assert [m.framework for m in answer.compliance_mappings] == ["soc2", "iso27001", "hipaa", "owasp_llm"]
    assert AnalysisResponse.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.parametrize(
    ("wanted", "parts"),
    [
        (AnalysisType.PATTERNS, {"pattern_analysis"}),
        (AnalysisType.RISK, {"risk_scores"}),
        (AnalysisType.COMPLIANCE, {"compliance_mappings", "rag_insights"}),
        (AnalysisType.QUALITY, {"quality_metrics"}),
    ],
)
async def test_the_analysis_type_selects_the_parts(wanted: AnalysisType, parts: set[str]) -> None:
    answer = await service().analyze(request(wanted))
    names = ("pattern_analysis", "risk_scores", "compliance_mappings", "quality_metrics", "rag_insights")
    assert {name for name in names if getattr(answer, name)} == parts
    assert len(answer.findings) == 3


async def test_a_cleared_finding_counts_for_nothing() -> None:
    answer = await service().analyze(request())
    assert answer.risk_scores is not None
    assert {f.category for f in answer.risk_scores.risk_factors} == {EMAIL, SECRET}
    touched = {label for m in answer.compliance_mappings for c in m.controls for label in c.canonical_labels}
    assert TOXIC not in touched


async def test_nothing_found_is_answered_with_full_marks_and_no_guidance() -> None:
    answer = await service().analyze(AnalysisRequest(orchestration_response=orchestrated(), tenant_id="acme"))
    assert answer.risk_scores is not None
    assert answer.risk_scores.overall_risk_score == 0.0
    assert {m.compliance_score for m in answer.compliance_mappings} == {1.0}
    assert answer.rag_insights is None


async def test_versions_and_provenance_are_filled() -> None:
    answer = await service().analyze(request(frameworks=("soc2", "hipaa")))
    versions = answer.version_info
    assert (versions.service_version, versions.taxonomy_version) == ("0.1.0", "1.0.0")
    assert (versions.vocabulary_version, versions.crosswalk_version) == ("1.0.1", "1.0.2")
    assert (versions.framework_version, versions.policy_version) == ("soc2:2017,hipaa:2013", "default@1")
    assert versions.detectors == {"one": "1", "two": "1"}
    (step,) = answer.provenance
    assert (step.stage, step.component, step.version) == ("analysis", "analysis", "0.1.0")
    assert step.detail == "full; risk formula 1.0.0"


async def test_a_response_of_another_tenant_is_refused() -> None:
    other = AnalysisRequest(orchestration_response=orchestrated(tenant="other"), tenant_id="acme")
    with pytest.raises(AuthorizationError) as refused:
        await service().analyze(other)
    assert refused.value.error_code is ErrorCode.TENANT_MISMATCH


async def test_a_request_without_a_tenant_is_refused() -> None:
    with pytest.raises(ValidationError):
        await service().analyze(AnalysisRequest(orchestration_response=orchestrated()))


async def test_an_unknown_framework_is_refused_and_nothing_recorded() -> None:
    analysis = service()
    with pytest.raises(ValidationError) as refused:
        await analysis.analyze(request(frameworks=("nosuch",)))
    assert refused.value.error_code is ErrorCode.FRAMEWORK_NOT_FOUND
    assert analysis.recorder.waiting == 0


async def test_upheld_findings_are_remembered_by_category_and_clean_requests_too() -> None:
    history = HistoryInMemory()
    analysis = service(history)
    await analysis.start()
    await analysis.analyze(request())
    clean = orchestrated(request_id="req_2")
    await analysis.analyze(AnalysisRequest(orchestration_response=clean, tenant_id="acme"))
    await analysis.stop()
    assert {key: dict(entry.counts) for key, entry in history.entries.items()} == {
        ("acme", "req_1"): {EMAIL: 1, SECRET: 1},
        ("acme", "req_2"): {},
    }


async def test_the_past_shows_in_patterns_and_temporal_risk() -> None:
    history = HistoryInMemory()
    await history.record(past_entries({EMAIL: list(range(1, 31))}))
    answer = await service(history).analyze(request())
    assert answer.pattern_analysis is not None
    assert answer.pattern_analysis.temporal_analysis.sufficiency is DataSufficiency.SUFFICIENT
    assert answer.pattern_analysis.history_as_of == NOW
    assert answer.risk_scores is not None
    assert answer.risk_scores.temporal_risk > 0


async def test_a_history_that_is_down_costs_the_patterns_and_nothing_else() -> None:
    history = HistoryInMemory()
    history.down = True
    analysis = service(history)
    answer = await analysis.analyze(request())
    assert answer.pattern_analysis is not None
    assert answer.pattern_analysis.anomaly_analysis.sufficiency is DataSufficiency.NOT_COMPUTED
    assert "STORE_UNAVAILABLE" in answer.provenance[0].detail
    assert answer.risk_scores is not None
    assert answer.risk_scores.overall_risk_score > 0.5
    assert answer.risk_scores.temporal_risk == 0.0
    assert (analysis.memo.read_failures, analysis.recorder.waiting) == (1, 1)


async def test_compliance_alone_never_asks_the_history() -> None:
    history = HistoryInMemory()
    await service(history).analyze(request(AnalysisType.COMPLIANCE))
    assert history.reads == 0


async def test_the_window_is_bounded() -> None:
    with pytest.raises(ValueError, match="1 to 90"):
        AnalysisService(SmallCatalogue(), HistoryInMemory(), lambda: NOW, "0.1.0", window_days=91)
