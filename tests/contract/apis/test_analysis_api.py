"""`AnalysisApi`, in process and over HTTP."""

from __future__ import annotations

import pytest

from llama_mapper.domain.contracts.analysis import AnalysisApi, AnalysisRequest, AnalysisType
from llama_mapper.domain.contracts.orchestration import OrchestrationRequest, OrchestrationResponse
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from tests.support.apis import Apis

MAIL = "Write to anna@example.com about TCK-1 and PRJ-2."


@pytest.fixture
async def orchestrated(apis: Apis) -> OrchestrationResponse:
    return await apis.orchestration.orchestrate(OrchestrationRequest(content=MAIL, tenant_id="acme"))


async def test_findings_are_carried_on_with_their_detectors(
    analysis: AnalysisApi, orchestrated: OrchestrationResponse
) -> None:
    answer = await analysis.analyze(AnalysisRequest(orchestration_response=orchestrated, tenant_id="acme"))
    assert (answer.request_id, answer.tenant_id) == (orchestrated.request_id, "acme")
    carried = {(finding.detector, finding.label, finding.digest) for finding in answer.findings}
    assert carried == {
        (result.detector, finding.label, finding.digest)
        for result in orchestrated.detector_results
        for finding in result.findings
    }
    assert len(carried) == 3


@pytest.mark.parametrize("wanted", AnalysisType)
async def test_only_the_parts_asked_for_are_computed(
    analysis: AnalysisApi, orchestrated: OrchestrationResponse, wanted: AnalysisType
) -> None:
    answer = await analysis.analyze(
        AnalysisRequest(orchestration_response=orchestrated, analysis_type=wanted, tenant_id="acme")
    )
    full = wanted is AnalysisType.FULL
    assert (answer.pattern_analysis is not None) is (full or wanted is AnalysisType.PATTERNS)
    assert (answer.risk_scores is not None) is (full or wanted is AnalysisType.RISK)
    assert bool(answer.compliance_mappings) is (full or wanted is AnalysisType.COMPLIANCE)
    assert (answer.quality_metrics is not None) is (full or wanted is AnalysisType.QUALITY)


async def test_the_edition_asked_for_is_answered(analysis: AnalysisApi, orchestrated: OrchestrationResponse) -> None:
    answer = await analysis.analyze(
        AnalysisRequest(orchestration_response=orchestrated, frameworks=("iso27001:2013", "iso27001"), tenant_id="acme")
    )
    assert [(each.framework, each.edition) for each in answer.compliance_mappings] == [
        ("iso27001", "2013"),
        ("iso27001", "2022"),
    ]


@pytest.mark.parametrize(
    ("framework", "code"),
    [("nobody", ErrorCode.FRAMEWORK_NOT_FOUND), ("iso27001:1913", ErrorCode.EDITION_NOT_FOUND)],
)
async def test_an_unknown_framework_or_edition_is_refused(
    analysis: AnalysisApi, orchestrated: OrchestrationResponse, framework: str, code: ErrorCode
) -> None:
    with pytest.raises(ValidationError) as refusal:
        await analysis.analyze(
            AnalysisRequest(orchestration_response=orchestrated, frameworks=(framework,), tenant_id="acme")
        )
    assert (refusal.value.error_code, refusal.value.retryable) == (code, False)


async def test_findings_of_another_tenant_are_refused(
    analysis: AnalysisApi, orchestrated: OrchestrationResponse
) -> None:
    with pytest.raises(AuthorizationError) as refusal:
        await analysis.analyze(AnalysisRequest(orchestration_response=orchestrated, tenant_id="globex"))
    assert (refusal.value.error_code, refusal.value.retryable) == (ErrorCode.TENANT_MISMATCH, False)


async def test_a_request_without_a_tenant_is_refused(
    analysis: AnalysisApi, orchestrated: OrchestrationResponse
) -> None:
    with pytest.raises(ValidationError) as refusal:
        await analysis.analyze(AnalysisRequest(orchestration_response=orchestrated))
    assert refusal.value.error_code is ErrorCode.INVALID_REQUEST
