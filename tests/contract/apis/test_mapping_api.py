"""`MappingApi`, in process and over HTTP."""

from __future__ import annotations

from uuid import uuid4

import pytest

from llama_mapper.domain.contracts.analysis import AnalysisRequest, AnalysisResponse
from llama_mapper.domain.contracts.mapping import (
    LabelMappingRequest,
    LabelQuery,
    MappingApi,
    MappingRequest,
    MappingStage,
    MappingStrategy,
    OutputFormat,
)
from llama_mapper.domain.contracts.orchestration import OrchestrationRequest
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from tests.support.apis import Apis

MAIL = "Write to anna@example.com about TCK-1 and PRJ-2."


def a_tenant() -> str:
    return f"t{uuid4().hex}"


@pytest.fixture
async def analysed(apis: Apis) -> AnalysisResponse:
    tenant_id = a_tenant()
    answer = await apis.orchestration.orchestrate(OrchestrationRequest(content=MAIL, tenant_id=tenant_id))
    return await apis.analysis.analyze(AnalysisRequest(orchestration_response=answer, tenant_id=tenant_id))


def labels(
    *names: str, vendor: str = "presidio", tenant_id: str | None = "acme", **fields: object
) -> LabelMappingRequest:
    queries = tuple(LabelQuery(vendor=vendor, label=name) for name in names)
    return LabelMappingRequest.model_validate({"labels": queries, "tenant_id": tenant_id} | fields)


async def test_known_findings_map_and_unknown_ones_abstain_into_the_tenants_queue(
    mapping: MappingApi, analysed: AnalysisResponse
) -> None:
    answer = await mapping.map(
        MappingRequest(
            analysis_response=analysed,
            frameworks=("gdpr",),
            tenant_id=analysed.tenant_id,
            strategy=MappingStrategy.CATALOGUE_ONLY,
        )
    )
    assert answer.taxonomy == ("pii.personal_identifiers.email",)
    assert list(answer.framework_mappings) == ["gdpr:2016"]
    assert answer.abstentions == 2
    page = await mapping.reviews(analysed.tenant_id)
    assert {item.label for item in page.items} == {"TICKET", "PROJECT"}
    assert {item.tenant_id for item in page.items} == {analysed.tenant_id}
    assert (await mapping.reviews(a_tenant())).items == ()


@pytest.mark.parametrize("form", OutputFormat)
async def test_the_output_format_decides_what_is_answered(
    mapping: MappingApi, analysed: AnalysisResponse, form: OutputFormat
) -> None:
    answer = await mapping.map(
        MappingRequest(analysis_response=analysed, output_format=form, tenant_id=analysed.tenant_id)
    )
    assert bool(answer.labels) is (form is OutputFormat.FULL_RECORD)
    assert bool(answer.framework_mappings) is (form is not OutputFormat.TAXONOMY_ONLY)
    assert bool(answer.scores) is (form is not OutputFormat.FRAMEWORK_VIEW)


async def test_labels_of_a_vendor_that_nobody_lists_are_answered_by_likeness(mapping: MappingApi) -> None:
    answer = await mapping.map_labels(labels("customer_ssn", "S5", "EMAIL_ADDR", vendor="acme_finder"))
    national_id, code, email = answer.mappings
    assert national_id.canonical == "pii.personal_identifiers.national_id"
    assert national_id.stage is MappingStage.LEXICAL
    assert code.abstained
    assert email.canonical is not None
    assert email.canonical.startswith("pii.personal_identifiers")
    assert 0.6 <= national_id.confidence < 1.0
    assert [entry.component for entry in answer.provenance] == ["lexical_stage"]
    only = await mapping.map_labels(
        labels("customer_ssn", vendor="acme_finder", strategy=MappingStrategy.CATALOGUE_ONLY, min_confidence=0.1)
    )
    assert only.mappings[0].abstained


async def test_labels_are_answered_in_the_order_asked(mapping: MappingApi) -> None:
    answer = await mapping.map_labels(labels("PERSON", "nothing known", "CREDIT_CARD", frameworks=("pci_dss",)))
    assert [mapped.label for mapped in answer.mappings] == ["PERSON", "nothing known", "CREDIT_CARD"]
    assert [mapped.abstained for mapped in answer.mappings] == [False, True, False]
    assert list(answer.mappings[2].controls) == ["pci_dss:4.0.1"]


async def test_reviews_come_in_pages_without_gaps(mapping: MappingApi) -> None:
    tenant_id = a_tenant()
    names = {f"label {number}" for number in range(7)}
    await mapping.map_labels(labels(*sorted(names), vendor="acme_codes", tenant_id=tenant_id))
    seen: list[str] = []
    cursor = None
    while True:
        page = await mapping.reviews(tenant_id, limit=3, cursor=cursor)
        seen += [item.label for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == 7
    assert set(seen) == names


@pytest.mark.parametrize(
    ("framework", "code"),
    [("nobody", ErrorCode.FRAMEWORK_NOT_FOUND), ("iso27001:1913", ErrorCode.EDITION_NOT_FOUND)],
)
async def test_an_unknown_framework_or_edition_is_refused(
    mapping: MappingApi, analysed: AnalysisResponse, framework: str, code: ErrorCode
) -> None:
    with pytest.raises(ValidationError) as refusal:
        await mapping.map_labels(labels("PERSON", frameworks=(framework,)))
    assert (refusal.value.error_code, refusal.value.retryable) == (code, False)
    with pytest.raises(ValidationError) as refusal:
        await mapping.map(
            MappingRequest(analysis_response=analysed, frameworks=(framework,), tenant_id=analysed.tenant_id)
        )
    assert (refusal.value.error_code, refusal.value.retryable) == (code, False)


async def test_an_analysis_of_another_tenant_is_refused(mapping: MappingApi, analysed: AnalysisResponse) -> None:
    with pytest.raises(AuthorizationError) as refusal:
        await mapping.map(MappingRequest(analysis_response=analysed, tenant_id="globex"))
    assert (refusal.value.error_code, refusal.value.retryable) == (ErrorCode.TENANT_MISMATCH, False)


async def test_a_request_without_a_tenant_is_refused(mapping: MappingApi, analysed: AnalysisResponse) -> None:
    for call in (
        mapping.map(MappingRequest(analysis_response=analysed)),
        mapping.map_labels(labels("A", tenant_id=None)),
    ):
        with pytest.raises(ValidationError) as refusal:
            await call
        assert refusal.value.error_code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_page_of_an_impossible_size_is_refused(mapping: MappingApi, limit: int) -> None:
    with pytest.raises(ValidationError) as refusal:
        await mapping.reviews("acme", limit=limit)
    assert refusal.value.error_code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("cursor", ["", "AAAA", "x" * 300, "ü", "a&tenant_id=globex"])
async def test_a_cursor_that_is_not_ours_is_refused(mapping: MappingApi, cursor: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        await mapping.reviews("acme", cursor=cursor)
    assert refusal.value.error_code is ErrorCode.INVALID_REQUEST
