from __future__ import annotations

import asyncio
import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.analysis import AnalysisResponse, AttributedFinding
from llama_mapper.domain.contracts.base import ProvenanceEntry, VersionInfo
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.contracts.mapping import (
    LabelMappingRequest,
    LabelMappingResponse,
    LabelQuery,
    MappedLabel,
    MappingApi,
    MappingRequest,
    MappingResponse,
    MappingStage,
    OutputFormat,
)
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ServiceError, StoreError, ValidationError
from llama_mapper.domain.mapping.editions import EditionSets
from llama_mapper.domain.mapping.labelling import map_label
from llama_mapper.domain.mapping.ports import UnknownLabel
from llama_mapper.domain.mapping.service import MappingService
from tests.unit.mapping.review_queue import FullReviewQueue, ListReviewQueue

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_CATALOGUE: CatalogueView = load_catalogue()
_LABELS = ["EMAIL_ADDRESS", "CREDIT_CARD", "US_SSN", "URL", "email-address", "NEVER_HEARD_OF"]


def service(queue: ListReviewQueue | None = None) -> MappingService:
    return MappingService(_CATALOGUE, queue or ListReviewQueue(), lambda: _NOW, "9.9.9")


def finding(
    label: str,
    score: float = 0.9,
    *,
    upheld: bool = True,
    vendor: str = "presidio",
    vendor_version: str = "2.2.366",
) -> AttributedFinding:
    return AttributedFinding(
        label=label, score=score, detector="d", vendor=vendor, vendor_version=vendor_version, upheld=upheld
    )


def request(
    *findings: AttributedFinding,
    frameworks: tuple[str, ...] = (),
    output_format: OutputFormat = OutputFormat.FULL_RECORD,
    tenant_id: str | None = "acme",
) -> MappingRequest:
    analysis = AnalysisResponse(
        request_id="req_1",
        tenant_id="acme",
        findings=findings,
        processing_time_ms=1.0,
        version_info=VersionInfo(service_version="1"),
        provenance=(ProvenanceEntry(stage="analysis", component="analysis", version="1", duration_ms=1.0),),
    )
    return MappingRequest(
        analysis_response=analysis, frameworks=frameworks, output_format=output_format, tenant_id=tenant_id
    )


async def test_the_service_keeps_the_api() -> None:
    api: MappingApi = service()
    assert await api.map(request())


async def test_nothing_found_is_answered_with_full_confidence_and_no_control() -> None:
    queue = ListReviewQueue()
    answer = await service(queue).map(request())
    assert answer.taxonomy == () and answer.scores == {} and answer.labels == () and answer.abstentions == 0
    assert answer.confidence == 1.0
    assert len(answer.framework_mappings) == 11
    assert not any(mapping.controls for mapping in answer.framework_mappings.values())
    assert queue.calls == []


async def test_findings_become_canonical_labels_strongest_first_with_their_controls() -> None:
    answer = await service().map(
        request(finding("URL", 0.4), finding("EMAIL_ADDRESS", 0.6), finding("EMAIL_ADDRESS", 0.8), frameworks=("soc2",))
    )
    assert answer.taxonomy == ("pii.personal_identifiers.email", "pii.online_identifiers.url")
    assert answer.scores == {"pii.personal_identifiers.email": 0.8, "pii.online_identifiers.url": 0.4}
    assert [(label.label, label.score) for label in answer.labels] == [("URL", 0.4), ("EMAIL_ADDRESS", 0.8)]
    soc2 = {control.control_id: control for control in answer.framework_mappings["soc2:2017"].controls}
    assert soc2["CC6.1"].canonical_labels == answer.taxonomy
    assert answer.labels[1].controls == {"soc2:2017": ("CC6.1", "CC6.7", "C1.1", "P4.1", "P6.1")}


async def test_labels_of_equal_score_stand_worst_first() -> None:
    answer = await service().map(request(finding("URL"), finding("EMAIL_ADDRESS"), finding("CREDIT_CARD")))
    assert answer.taxonomy == (
        "pii.financial_data.payment_card",
        "pii.personal_identifiers.email",
        "pii.online_identifiers.url",
    )


async def test_a_finding_that_was_not_upheld_is_listed_and_counts_for_nothing() -> None:
    answer = await service().map(request(finding("EMAIL_ADDRESS", upheld=False), finding("URL", 0.3)))
    assert [label.label for label in answer.labels] == ["EMAIL_ADDRESS", "URL"]
    assert answer.taxonomy == ("pii.online_identifiers.url",)
    leading = {
        label
        for mapping in answer.framework_mappings.values()
        for control in mapping.controls
        for label in control.canonical_labels
    }
    assert leading == {"pii.online_identifiers.url"}


async def test_the_score_of_a_label_counts_upheld_findings_only() -> None:
    answer = await service().map(request(finding("URL", 0.9, upheld=False), finding("URL", 0.3)))
    assert answer.scores == {"pii.online_identifiers.url": 0.3}
    assert answer.labels[0].score == 0.9


async def test_an_unknown_label_abstains_into_the_queue_in_one_batch() -> None:
    queue = ListReviewQueue()
    answer = await service(queue).map(request(finding("XX"), finding("XX"), finding("YY"), finding("URL")))
    assert queue.calls == [
        ("acme", (UnknownLabel("presidio", "2.2.366", "XX", 2), UnknownLabel("presidio", "2.2.366", "YY", 1)))
    ]
    assert answer.abstentions == 2
    abstained = answer.labels[0]
    assert (abstained.stage, abstained.abstained, abstained.canonical, abstained.confidence, abstained.controls) == (
        MappingStage.ABSTAINED,
        True,
        None,
        0.0,
        {},
    )
    assert answer.confidence == 0.99  # of the label that was mapped


async def test_the_confidence_is_the_least_of_the_mapped_labels_and_zero_if_all_abstained() -> None:
    mixed = await service().map(request(finding("URL"), finding("email-address")))
    assert mixed.confidence == min(label.confidence for label in mixed.labels) < 0.99
    assert (await service().map(request(finding("XX")))).confidence == 0.0


async def test_a_safe_label_leads_to_no_control() -> None:
    answer = await service().map(request(finding("safe", vendor="llama_guard", vendor_version="3")))
    assert answer.taxonomy == ("meta.outcome.safe",)
    assert not any(mapping.controls for mapping in answer.framework_mappings.values())


async def test_each_output_format_answers_with_its_parts() -> None:
    async def ask(output_format: OutputFormat) -> MappingResponse:
        return await service().map(request(finding("URL"), output_format=output_format))

    full = await ask(OutputFormat.FULL_RECORD)
    assert full.labels and full.framework_mappings and full.scores and full.taxonomy
    taxonomy = await ask(OutputFormat.TAXONOMY_ONLY)
    assert (taxonomy.taxonomy, taxonomy.scores, taxonomy.confidence) == (full.taxonomy, full.scores, full.confidence)
    assert not taxonomy.labels and not taxonomy.framework_mappings
    assert taxonomy.version_info.framework_version is None
    frameworks = await ask(OutputFormat.FRAMEWORK_VIEW)
    assert (frameworks.taxonomy, frameworks.framework_mappings) == (full.taxonomy, full.framework_mappings)
    assert not frameworks.labels and not frameworks.scores


async def test_iso_27001_is_answered_in_both_editions_when_both_are_asked_for() -> None:
    answer = await service().map(request(finding("EMAIL_ADDRESS"), frameworks=("iso27001:2013", "iso27001")))
    assert list(answer.framework_mappings) == ["iso27001:2013", "iso27001:2022"]
    ids = {
        ref: {control.control_id for control in mapping.controls} for ref, mapping in answer.framework_mappings.items()
    }
    assert "A.8.2.1" in ids["iso27001:2013"] and "A.5.12" in ids["iso27001:2022"]
    assert answer.version_info.framework_version == "iso27001:2013,iso27001:2022"


async def test_the_answer_carries_versions_costs_and_the_steps_so_far() -> None:
    answer = await service().map(request(finding("URL")))
    info = answer.version_info
    assert (info.service_version, info.taxonomy_version) == ("9.9.9", _CATALOGUE.versions.taxonomy)
    assert info.framework_version is not None and info.framework_version.startswith("soc2:2017,iso27001:2022,")
    assert info.model_version is None
    assert [step.stage for step in answer.provenance] == ["analysis", "mapping"]
    cost = answer.cost_metrics
    assert cost.inference_cost == 0 and cost.resource_utilization.labels == 1
    assert cost.compute_time_ms <= answer.processing_time_ms


async def test_what_the_service_builds_unchecked_passes_the_contracts_own_checks() -> None:
    findings = [
        finding(label, vendor=vendor, vendor_version=version)
        for vendor, version, label in (
            ("presidio", "2.2.366", "US_NPI"),
            ("llama_guard", "1", "O1"),
            ("gitleaks", "8", "jwt"),
            ("presidio", "2.2.366", "XX"),
        )
    ]
    every = tuple(edition.ref for edition in _CATALOGUE.frameworks())
    answer = await service().map(request(*findings, frameworks=every))
    assert MappingResponse.model_validate_json(answer.model_dump_json()) == answer
    labels = await service().map_labels(
        LabelMappingRequest(
            labels=tuple(LabelQuery(vendor=f.vendor, label=f.label) for f in findings), frameworks=every, tenant_id="t"
        )
    )
    assert LabelMappingResponse.model_validate_json(labels.model_dump_json()) == labels


async def test_changing_an_answers_mappings_does_not_change_the_next_answer() -> None:
    mapper = service()
    first = await mapper.map(request(finding("URL")))
    expected = first.model_dump()
    first.labels[0].controls.clear()
    first.framework_mappings.clear()
    again = (await mapper.map(request(finding("URL")))).model_dump()
    for measured in ("processing_time_ms", "cost_metrics", "provenance"):
        del expected[measured], again[measured]
    assert again == expected


async def test_labels_are_answered_in_the_order_asked_across_batches() -> None:
    labels = [f"{index}-{name}" if name == "NEVER_HEARD_OF" else name for index, name in enumerate(_LABELS * 400)]
    queue = ListReviewQueue()
    queries = tuple(LabelQuery(vendor="presidio", label=label) for label in labels)
    answer = await service(queue).map_labels(LabelMappingRequest(labels=queries, tenant_id="acme"))
    assert [mapped.label for mapped in answer.mappings] == labels
    assert all(mapped.score == 1.0 for mapped in answer.mappings)
    assert [len(batch) for _, batch in queue.calls] == [400]


async def test_repeated_unknown_labels_are_queued_once_with_their_number() -> None:
    queue = ListReviewQueue()
    mapper = service(queue)
    query = LabelQuery(vendor="nobody", label="X", score=0.5)
    asked = LabelMappingRequest(labels=(query, query, query), tenant_id="acme")
    await mapper.map_labels(asked)
    await mapper.map_labels(asked)
    (item,) = (await mapper.reviews("acme")).items
    assert (item.vendor, item.label, item.occurrences) == ("nobody", "X", 6)
    assert (await mapper.reviews("other")).items == ()


async def test_a_queue_that_fails_fails_the_call() -> None:
    mapper = service(FullReviewQueue())
    with pytest.raises(StoreError):
        await mapper.map(request(finding("XX")))
    with pytest.raises(StoreError):
        await mapper.map_labels(LabelMappingRequest(labels=(LabelQuery(vendor="v", label="x"),), tenant_id="acme"))
    assert (await mapper.map(request(finding("URL")))).taxonomy  # nothing to queue, so nothing fails


@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [
        (request(tenant_id=None), ValidationError, ErrorCode.INVALID_REQUEST),
        (request(tenant_id="other"), AuthorizationError, ErrorCode.TENANT_MISMATCH),
        (request(frameworks=("soc3",)), ValidationError, ErrorCode.FRAMEWORK_NOT_FOUND),
        (request(frameworks=("gdpr:1995",)), ValidationError, ErrorCode.EDITION_NOT_FOUND),
    ],
)
async def test_a_request_that_cannot_be_answered_is_an_error_with_its_code(
    asked: MappingRequest, kind: type[ServiceError], code: ErrorCode
) -> None:
    with pytest.raises(kind) as raised:
        await service().map(asked)
    assert raised.value.error_code is code


async def test_bare_labels_need_a_tenant() -> None:
    with pytest.raises(ValidationError):
        await service().map_labels(LabelMappingRequest(labels=(LabelQuery(vendor="v", label="x"),)))


@pytest.mark.parametrize("limit", [0, 1_001])
async def test_a_review_page_has_1_to_1000_items(limit: int) -> None:
    with pytest.raises(ValidationError):
        await service().reviews("acme", limit=limit)


_FINDINGS = st.lists(
    st.builds(
        finding,
        st.sampled_from(_LABELS),
        st.floats(min_value=0, max_value=1),
        upheld=st.booleans(),
    ),
    max_size=12,
)


@given(_FINDINGS, _FINDINGS)
def test_more_findings_never_lower_a_score_or_take_a_label_or_a_control_away(
    some: list[AttributedFinding], more: list[AttributedFinding]
) -> None:
    mapper = service()
    less, all_of_them = (asyncio.run(mapper.map(request(*findings))) for findings in (some, some + more))
    assert set(less.taxonomy) <= set(all_of_them.taxonomy)
    for canonical, score in less.scores.items():
        assert all_of_them.scores[canonical] >= score
    for ref, mapping in less.framework_mappings.items():
        known = {control.control_id for control in all_of_them.framework_mappings[ref].controls}
        assert {control.control_id for control in mapping.controls} <= known


@given(_FINDINGS)
def test_labels_scores_and_controls_agree_with_each_other(findings: list[AttributedFinding]) -> None:
    answer = asyncio.run(service().map(request(*findings)))
    assert list(answer.scores) == list(answer.taxonomy)
    assert sorted(answer.scores.values(), reverse=True) == list(answer.scores.values())
    assert len({(label.vendor, label.vendor_version, label.label) for label in answer.labels}) == len(answer.labels)
    assert answer.abstentions == sum(label.abstained for label in answer.labels)
    for label in answer.labels:
        assert label.abstained == (label.canonical is None)
    for ref, mapping in answer.framework_mappings.items():
        ids = [control.control_id for control in mapping.controls]
        assert len(set(ids)) == len(ids)
        expected = {
            control_id
            for label in answer.labels
            if label.canonical in answer.scores
            for control_id in label.controls.get(ref, ())
        }
        assert set(ids) == expected


@pytest.mark.parametrize("label", ["CREDIT_CARD", "credit-card", "no such label"])
def test_an_answer_made_quickly_is_the_same_as_one_that_was_validated(label: str) -> None:
    query = LabelQuery(vendor="presidio", label=label, score=0.5)
    made = map_label(_CATALOGUE, query, EditionSets(_CATALOGUE).named(("soc2",)))
    validated = MappedLabel.model_validate(dict(made))
    assert made == validated
    assert list(dict(made)) == list(MappedLabel.model_fields)
    assert made.model_fields_set == validated.model_fields_set
    assert made.model_dump_json() == json_form(made).decode() == validated.model_dump_json()
    assert made.model_copy(update={"confidence": 0.25}).confidence == 0.25
    assert made.confidence == validated.confidence
    assert pickle.loads(pickle.dumps(made)) == made
