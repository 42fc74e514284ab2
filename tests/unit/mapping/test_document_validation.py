"""Documents against their schema and the catalogue."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.base import Contract
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.mapping import LabelMappingRequest
from llama_mapper.domain.contracts.published import models
from llama_mapper.domain.contracts.validation import (
    FaultCode,
    FaultSeverity,
    ValidationFault,
    ValidationQuery,
    ValidationReport,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.mapping.service import MappingService
from llama_mapper.domain.mapping.validation.faults import warning
from llama_mapper.domain.mapping.validation.validator import Validator
from llama_mapper.entrypoints.containers.schemas import schema_versions
from tests.unit.mapping.review_queue import ListReviewQueue

_CATALOGUE = load_catalogue()
_VALIDATOR = Validator(_CATALOGUE, schema_versions, models())
LABELS = {"labels": [{"vendor": "presidio", "label": "CREDIT_CARD"}], "frameworks": ["pci_dss", "iso27001:2013"]}
Change = Callable[[dict[str, Any]], object]


def _report(model: str, document: Any, validator: Validator = _VALIDATOR) -> ValidationReport:
    return validator.validate(ValidationQuery(schema_id=f"urn:llama-mapper:schema:{model}:1", document=document))


def _codes(report: ValidationReport) -> list[tuple[str, str]]:
    return [(fault.place, fault.code.value) for fault in report.faults]


async def _mapped() -> dict[str, Any]:
    """What the service answers for those labels."""
    service = MappingService(_CATALOGUE, ListReviewQueue(), lambda: datetime.now(UTC), "0")
    asked = LabelMappingRequest.model_validate_json(json.dumps({**LABELS, "tenant_id": "acme"}))
    answer: dict[str, Any] = json.loads((await service.map_labels(asked)).model_dump_json())
    return answer


def test_a_good_request_has_no_faults() -> None:
    report = _report("LabelMappingRequest", LABELS)
    assert (report.valid, report.faults) == (True, ())


async def test_what_the_service_answers_is_valid() -> None:
    report = _report("LabelMappingResponse", await _mapped())
    assert (report.valid, report.faults) == (True, ())


@pytest.mark.parametrize(
    ("change", "place", "code", "valid"),
    [
        (lambda d: d["frameworks"].append("soc3"), "frameworks.2", "FRAMEWORK_NOT_FOUND", False),
        (lambda d: d["frameworks"].append("soc2:1999"), "frameworks.2", "EDITION_NOT_FOUND", False),
        (lambda d: d["labels"].append({"vendor": "x", "label": "y"}), "labels.1", "LABEL_UNKNOWN", True),
        (lambda d: d["labels"].append(d["labels"][0]), "labels.1", "LABEL_REPEATED", True),
        (lambda d: d.__setitem__("frameworks", ["PCI DSS"]), "frameworks.0", "SHAPE", False),
        (lambda d: d.__setitem__("colour", "red"), "colour", "SHAPE", False),
    ],
)
def test_a_fault_of_a_request_is_named(change: Change, place: str, code: str, valid: bool) -> None:
    document: dict[str, Any] = copy.deepcopy(LABELS)
    change(document)
    report = _report("LabelMappingRequest", document)
    assert _codes(report) == [(place, code)]
    assert report.valid is valid
    assert (report.errors, report.warnings) == ((0, 1) if valid else (1, 0))


@pytest.mark.parametrize(
    ("change", "place", "code", "valid"),
    [
        (lambda m: m.__setitem__("canonical", "pii.nothing"), "canonical.0", "CANONICAL_UNKNOWN", False),
        (lambda m: m.__setitem__("abstained", True), "abstained", "ABSTENTION", False),
        (lambda m: m["controls"]["pci_dss:4.0.1"].append("99.9"), "controls.pci_dss", "CONTROL_UNKNOWN", False),
        (lambda m: m["controls"].__setitem__("soc3:1", ["A"]), "controls.soc3:1", "EDITION_NOT_FOUND", False),
        (
            lambda m: m["controls"].__setitem__("eu_ai_act:2024", ["Article.5"]),
            "controls.eu_ai_act:2024.0",
            "CONTROL_UNLINKED",
            True,
        ),
    ],
)
async def test_a_fault_of_an_answer_is_named(change: Change, place: str, code: str, valid: bool) -> None:
    document = await _mapped()
    change(document["mappings"][0])
    report = _report("LabelMappingResponse", document)
    assert report.valid is valid
    assert any(found.startswith(f"mappings.0.{place}") and what == code for found, what in _codes(report)), report


async def test_a_record_of_another_taxonomy_is_told() -> None:
    document = await _mapped()
    document["version_info"]["taxonomy_version"] = "0.9.0"
    report = _report("LabelMappingResponse", document)
    assert _codes(report) == [("version_info.taxonomy_version", "VERSION_DIFFERS")]
    assert report.valid


def test_only_the_first_faults_are_told_and_all_are_counted() -> None:
    labels = [{"vendor": "x", "label": f"label {number}"} for number in range(500)]
    report = _report("LabelMappingRequest", {"labels": labels, "frameworks": ["soc3"]})
    assert (report.errors, report.warnings, len(report.faults)) == (1, 500, 200)
    assert report.faults[0].severity is FaultSeverity.ERROR


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ("urn:llama-mapper:schema:LabelMappingRequest:9", ErrorCode.SCHEMA_UNKNOWN),
        ("urn:llama-mapper:schema:LabelMappingResponse:9", ErrorCode.SCHEMA_UNKNOWN),
        ("urn:llama-mapper:schema:Nothing:1", ErrorCode.SCHEMA_UNKNOWN),
        ("Nothing", ErrorCode.INVALID_REQUEST),
    ],
)
def test_a_schema_that_is_not_served_is_refused(schema: str, code: ErrorCode) -> None:
    with pytest.raises(ValidationError) as refused:
        _VALIDATOR.validate(ValidationQuery(schema_id=schema, document={}))
    assert refused.value.error_code is code


def test_a_check_of_ones_own_comes_after_ours() -> None:
    def no_presidio(value: Contract, _: CatalogueView) -> Iterator[ValidationFault]:
        if isinstance(value, LabelMappingRequest) and any(label.vendor == "presidio" for label in value.labels):
            yield warning("labels", FaultCode.LABEL_UNKNOWN, "not here")

    own = Validator(_CATALOGUE, schema_versions, models(), (no_presidio,))
    assert _codes(_report("LabelMappingRequest", LABELS, own)) == [("labels", "LABEL_UNKNOWN")]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=10,
)


@given(_JSON)
def test_no_document_breaks_the_validator_and_no_value_is_quoted(document: Any) -> None:
    marked = {"labels": [{"vendor": "v", "label": "s3cret-marker\x00"}], "frameworks": document}
    for subject in (document, marked):
        report = _report("LabelMappingRequest", subject)
        assert not report.valid
        assert "s3cret-marker" not in report.model_dump_json()
