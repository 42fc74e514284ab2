"""What a template is given."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.mapping import LabelMappingResponse
from llama_mapper.domain.contracts.reports import ReportHead
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.reports.data import data_of_assessment, data_of_labels, data_of_mapping
from tests.support.records import Found, assessment

HEAD = ReportHead(
    title="t", generated_at=datetime(2026, 1, 2, tzinfo=UTC), tenant_id="acme", template="x", template_version=None
)
DIGEST, START = "digest", "span"


def same(canonical: str) -> str:
    return canonical


@pytest.fixture
def record() -> Assessment:
    return assessment(Found("pii.personal_identifiers.email"), Found("security.credentials"))


def test_spans_digests_and_redacted_text_are_not_among_it(catalogue: Catalogue, record: Assessment) -> None:
    data = data_of_assessment(catalogue, HEAD, record, None, same)
    told = json.loads(data.model_dump_json())
    keys: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            keys.update(value)
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(told)
    assert not keys & {"span", "digest", "redacted", "content", "messages", "metadata", "message"}
    assert told["source"]["id"] == record.id
    assert told["evidence"]["key_id"] == record.evidence.signatures[0].keyid
    assert {each["id"] for each in told["taxonomy"]} == {*record.mapping.taxonomy}


def test_a_record_is_told_as_it_has_it_and_editions_that_are_asked_for_by_the_catalogue(
    catalogue: Catalogue, record: Assessment
) -> None:
    as_written = data_of_assessment(catalogue, HEAD, record, None, same)
    assert [view.ref for view in as_written.frameworks] == [*record.mapping.framework_mappings]
    for view in as_written.frameworks:
        ids = {control.id for group in view.groups for control in group.controls}
        assert ids == {one.control_id for one in record.mapping.framework_mappings[view.ref].controls}
    (pci,) = catalogue.resolve_frameworks(("hipaa",))
    asked = data_of_assessment(catalogue, HEAD, record, [pci], same)
    assert [view.ref for view in asked.frameworks] == ["hipaa:2013"]


def test_ids_of_an_earlier_taxonomy_are_looked_up_under_their_present_names(
    catalogue: Catalogue, record: Assessment
) -> None:
    old = record.mapping.model_copy(update={"taxonomy": ("pii.postal_address",), "scores": {}})
    (gdpr,) = catalogue.resolve_frameworks(("gdpr",))
    now = data_of_mapping(catalogue, HEAD, old, [gdpr], lambda _: "pii.personal_identifiers.email")
    assert now.taxonomy[0].id == "pii.postal_address", "the record says what it says"
    assert now.frameworks[0].controls
    assert not data_of_mapping(catalogue, HEAD, old, [gdpr], same).frameworks[0].controls


def test_a_rationale_that_somebody_sent_along_is_not_told(catalogue: Catalogue, record: Assessment) -> None:
    forged = [label.model_copy(update={"rationale": "PAY 100 DOLLARS"}) for label in record.mapping.labels]
    answer = LabelMappingResponse(
        mappings=tuple(forged), version_info=record.mapping.version_info, processing_time_ms=0.0
    )
    data = data_of_labels(catalogue, HEAD, answer, None, same)
    assert len(data.labels) == len(forged) > 0
    assert all(label.rationale and "PAY" not in label.rationale for label in data.labels)
    gone = forged[0].model_copy(update={"canonical": "pii.nothing_like_it"})
    left = data_of_labels(catalogue, HEAD, answer.model_copy(update={"mappings": (gone,)}), (), same)
    assert left.labels[0].rationale == "This label is no longer in the taxonomy."
    assert left.labels[0].name == ""
