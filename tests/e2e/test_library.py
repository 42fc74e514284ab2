"""The library door: asynchronous and plain, with detectors of one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from llama_mapper import LlamaMapper, assess
from llama_mapper.domain.contracts.mapping import LabelQuery, MappingStage, OutputFormat
from llama_mapper.domain.contracts.orchestration import DetectorStatus
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, ServiceError
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inquiry, Inspection, RawFinding


class TicketDetector:
    """Finds the words of a ticket system, as an application might."""

    descriptor = DetectorDescriptor(
        name="tickets",
        vendor="acme_tickets",
        vendor_version="7",
        categories=("policy.banned_content",),
        labels=("TICKET",),
        languages=(),
        cost_ms_per_kchar=0.01,
    )
    readiness: str | None = None

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        at = inquiry.text.find("TCK-")
        return Inspection((RawFinding("TICKET", 0.9, at, at + 4),) if at >= 0 else ())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mapper(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LlamaMapper]:
    folder = tmp_path_factory.mktemp("library")
    async with LlamaMapper.open(data_dir=folder, tenant_id="acme", more_detectors=[TicketDetector()]) as opened:
        yield opened


async def test_an_assessment_is_stored_and_fetched_equal(mapper: LlamaMapper) -> None:
    assessment = await mapper.assess("Write to anna@example.com", frameworks=["gdpr"])
    assert assessment.tenant_id == "acme"
    assert "pii.personal_identifiers.email" in assessment.mapping.taxonomy
    assert set(assessment.mapping.framework_mappings) == {"gdpr:2016"}
    assert await mapper.get(assessment.id) == assessment


async def test_arguments_are_plain_values(mapper: LlamaMapper) -> None:
    assessment = await mapper.assess(
        "Patient John Doe, MRN: 84729103, takes metformin 500 mg",
        content_type="clinical",
        processing_mode="critical",
        categories=["pii.health_records"],
        metadata={"route": "intake", "attempt": 2},
        output_format="taxonomy_only",
    )
    assert assessment.mapping.output_format is OutputFormat.TAXONOMY_ONLY
    assert assessment.mapping.labels == ()
    assert {label.rsplit(".", 1)[0] for label in assessment.mapping.taxonomy} == {"pii.health_records"}


async def test_a_detector_of_the_application_is_asked_and_its_unknown_label_abstains(mapper: LlamaMapper) -> None:
    assessment = await mapper.assess("See TCK-1234")
    [result] = [result for result in assessment.orchestration.detector_results if result.detector == "tickets"]
    assert (result.status, result.output) == (DetectorStatus.SUCCESS, "TICKET")
    [label] = [label for label in assessment.mapping.labels if label.vendor == "acme_tickets"]
    assert label.abstained
    assert label.stage is MappingStage.ABSTAINED
    assert assessment.mapping.abstentions == 1


async def test_labels_are_mapped_without_content(mapper: LlamaMapper) -> None:
    answer = await mapper.map_labels(
        [LabelQuery(vendor="presidio", label="CREDIT_CARD"), LabelQuery(vendor="nobody", label="x")],
        frameworks=["pci_dss"],
    )
    known, unknown = answer.mappings
    assert known.canonical == "pii.financial_data.payment_card"
    assert list(known.controls) == ["pci_dss:4.0.1"]
    assert unknown.abstained


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"content": ""}, ErrorCode.INVALID_REQUEST),
        ({"content": "a\x00b"}, ErrorCode.UNPROCESSABLE_CONTENT),
        ({"content": "x" * 300_000}, ErrorCode.CONTENT_TOO_LARGE),
        ({"content": "x", "content_type": "poem"}, ErrorCode.INVALID_REQUEST),
        ({"content": "x", "frameworks": ["nobody"]}, ErrorCode.FRAMEWORK_NOT_FOUND),
        ({"content": "x", "policy_bundle": "nobody"}, ErrorCode.POLICY_NOT_FOUND),
    ],
)
async def test_bad_arguments_are_errors_with_codes(
    mapper: LlamaMapper, arguments: dict[str, object], code: ErrorCode
) -> None:
    with pytest.raises(ServiceError) as refusal:
        await mapper.assess(**arguments)  # type: ignore[arg-type]  # bad on purpose
    assert refusal.value.error_code is code


async def test_what_the_tenant_does_not_have_is_not_found(mapper: LlamaMapper) -> None:
    with pytest.raises(ServiceError) as refusal:
        await mapper.get("asm_none")
    assert refusal.value.error_code is ErrorCode.NOT_FOUND


def test_the_plain_call_needs_no_event_loop(tmp_path: Path) -> None:
    with LlamaMapper.open_sync(data_dir=tmp_path, detectors=["presidio", "personal_context"]) as mapper:
        first = mapper.assess("Write to anna@example.com")
        assert mapper.get(first.id) == first
        assert mapper.map_labels([LabelQuery(vendor="presidio", label="PERSON")]).mappings[0].canonical
    again = assess("Write to anna@example.com", data_dir=tmp_path, detectors=["presidio", "personal_context"])
    assert again.mapping.taxonomy == first.mapping.taxonomy
    assert again.id != first.id


def test_a_wrong_setting_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="colour"), LlamaMapper.open_sync(data_dir=tmp_path, colour="red"):
        pass
    with (
        pytest.raises(ConfigurationError, match="nobody"),
        LlamaMapper.open_sync(data_dir=tmp_path, detectors=["nobody"]),
    ):
        pass
