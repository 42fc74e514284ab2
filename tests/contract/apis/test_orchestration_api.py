"""`OrchestrationApi`, in process and over HTTP."""

from __future__ import annotations

import pytest

from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.orchestration import (
    DetectorStatus,
    OrchestrationApi,
    OrchestrationRequest,
    OrchestrationResponse,
)
from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError, PolicyEnforcementError, ValidationError

MAIL = "Write to anna@example.com about TCK-1."


def request(content: str = MAIL, tenant_id: str | None = "acme", **fields: object) -> OrchestrationRequest:
    return OrchestrationRequest.model_validate({"content": content, "tenant_id": tenant_id} | fields, strict=False)


async def test_findings_have_spans_categories_and_digests(orchestration: OrchestrationApi) -> None:
    answer = await orchestration.orchestrate(request())
    assert isinstance(answer, OrchestrationResponse)
    assert answer.tenant_id == "acme"
    [mail] = [result for result in answer.detector_results if result.detector == "mail"]
    [finding] = mail.findings
    assert finding.span is not None
    assert MAIL[finding.span.start : finding.span.end] == "anna@example.com"
    assert finding.category == "pii.personal_identifiers"
    assert finding.digest is not None


async def test_equal_text_has_equal_digests_within_a_tenant_only(orchestration: OrchestrationApi) -> None:
    async def digest(tenant_id: str) -> str | None:
        results = (await orchestration.orchestrate(request(tenant_id=tenant_id))).detector_results
        return next(result for result in results if result.detector == "mail").findings[0].digest

    assert await digest("acme") == await digest("acme") != await digest("globex")


async def test_a_request_with_more_fields_is_taken_for_its_own(orchestration: OrchestrationApi) -> None:
    more = AssessmentRequest(content=MAIL, tenant_id="acme", frameworks=("soc2",))
    answer = await orchestration.orchestrate(more)
    assert "mail" in {result.detector for result in answer.detector_results if result.findings}


async def test_one_failing_detector_raises_nothing_and_is_named(orchestration: OrchestrationApi) -> None:
    answer = await orchestration.orchestrate(request("crash mail and TCK-1"))
    results = {result.detector: result for result in answer.detector_results}
    assert results["mail"].status is DetectorStatus.FAILED
    assert results["mail"].fault is not None
    assert results["codes"].output == "TICKET"


async def test_insufficient_coverage_is_an_answer_and_no_error(orchestration: OrchestrationApi) -> None:
    answer = await orchestration.orchestrate(request())
    assert not answer.coverage.sufficient


async def test_every_detector_is_listed(orchestration: OrchestrationApi) -> None:
    listed = {detector.name: detector for detector in await orchestration.detectors()}
    assert {"mail", "codes"} <= listed.keys()
    assert listed["mail"].ready
    assert listed["mail"].vendor == "presidio"


async def test_the_shipped_policies_are_listed_for_any_tenant(orchestration: OrchestrationApi) -> None:
    bundles = {policy.bundle for policy in await orchestration.policies("acme")}
    assert {"default", "strict"} <= bundles


async def test_an_unknown_policy_is_policy_not_found(orchestration: OrchestrationApi) -> None:
    with pytest.raises(PolicyEnforcementError) as refusal:
        await orchestration.orchestrate(request(policy_bundle="nobody"))
    assert (refusal.value.error_code, refusal.value.retryable) == (ErrorCode.POLICY_NOT_FOUND, False)
    assert "nobody" in refusal.value.message


async def test_an_unknown_category_is_category_not_found(orchestration: OrchestrationApi) -> None:
    with pytest.raises(ValidationError) as refusal:
        await orchestration.orchestrate(request(categories=["pii.nothing"]))
    assert (refusal.value.error_code, refusal.value.retryable) == (ErrorCode.CATEGORY_NOT_FOUND, False)


async def test_content_beyond_the_limit_is_content_too_large(orchestration: OrchestrationApi) -> None:
    for content in ("x" * 10_001, "x" * 1_000_000):
        with pytest.raises(ValidationError) as refusal:
            await orchestration.orchestrate(request(content))
        assert (refusal.value.error_code, refusal.value.retryable) == (ErrorCode.CONTENT_TOO_LARGE, False)


async def test_no_answering_detector_is_all_detectors_unavailable(orchestration: OrchestrationApi) -> None:
    with pytest.raises(OrchestrationError) as refusal:
        await orchestration.orchestrate(request("crash all"))
    assert (refusal.value.error_code, refusal.value.retryable) == (ErrorCode.ALL_DETECTORS_UNAVAILABLE, True)


async def test_a_request_without_a_tenant_is_refused(orchestration: OrchestrationApi) -> None:
    with pytest.raises(ValidationError) as refusal:
        await orchestration.orchestrate(request(tenant_id=None))
    assert refusal.value.error_code is ErrorCode.INVALID_REQUEST
