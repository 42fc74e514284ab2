"""Stored records under another version of the taxonomy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.taxonomies import RemappedAssessment
from llama_mapper.domain.mapping.taxonomies.migrations import Migration
from llama_mapper.domain.mapping.taxonomies.present import current_ids
from llama_mapper.domain.mapping.taxonomies.remapping import Remapping, remapped_assessment, remapped_response
from tests.support.records import Found, assessment
from tests.unit.mapping.taxonomies.strategies import IDS, id_sets

EMAIL, MAIL = "pii.personal_identifiers.email", "pii.contact.mail"
MOVED = Migration("1.0.0", "2", renamed={EMAIL: MAIL, "pii.personal_identifiers": "pii.contact"})


def written_under(record: Assessment, version: str) -> Assessment:
    info = record.mapping.version_info.model_copy(update={"taxonomy_version": version})
    return record.model_copy(update={"mapping": record.mapping.model_copy(update={"version_info": info})})


def canonical_ids(value: Any) -> set[str]:
    """Every id in what a mapping response says of canonical labels."""
    found = {*value["taxonomy"], *value["scores"]}
    for label in value["labels"]:
        found |= {label["canonical"], label["instead_of"], *label["also"]}
    for mapping in value["framework_mappings"].values():
        for control in mapping["controls"]:
            found |= {*control["canonical_labels"]}
    return found - {None}


def test_a_record_is_read_under_the_present_ids_and_its_evidence_stays() -> None:
    record = written_under(assessment(Found(canonical=EMAIL, category="pii.personal_identifiers")), "1.0.0")
    view = remapped_assessment(record, current_ids((MOVED,), "2", {MAIL, "pii.contact"}), "2")
    assert view.mapping.taxonomy == (MAIL,)
    assert list(view.mapping.scores) == [MAIL]
    assert [label.canonical for label in view.mapping.labels] == [MAIL]
    assert view.taxonomy_view.changed == {EMAIL: MAIL, "pii.personal_identifiers": "pii.contact"}
    assert (view.taxonomy_view.written_under, view.taxonomy_view.read_under) == ("1.0.0", "2")
    assert {finding.category for finding in view.analysis.findings} == {"pii.contact"}
    assert view.mapping.version_info.taxonomy_version == view.version_info.taxonomy_version == "2"
    assert view.evidence == record.evidence
    assert view.verdict == record.verdict
    RemappedAssessment.model_validate_json(json_form(view))


def test_what_nothing_stands_for_is_left_out_and_named() -> None:
    record = written_under(assessment(Found(canonical=EMAIL)), "1.0.0")
    gone = Migration("1.0.0", "2", removed={EMAIL: "x", "pii.personal_identifiers": "x"})
    view = remapped_assessment(record, current_ids((gone,), "2", {"other.thing"}), "2")
    assert view.mapping.taxonomy == () and view.mapping.scores == {}
    (label,) = view.mapping.labels
    assert (label.canonical, label.abstained, label.stage) == (None, True, MappingStage.ABSTAINED)
    assert EMAIL in view.taxonomy_view.unresolved
    assert {ref: len(each.controls) for ref, each in view.mapping.framework_mappings.items()} == {
        ref: len(each.controls) for ref, each in record.mapping.framework_mappings.items()
    }


@pytest.mark.parametrize("scores", [(0.4, 0.9), (0.9, 0.4)])
def test_labels_that_became_one_have_the_higher_score_once(scores: tuple[float, float]) -> None:
    one, other = "d.a.x", "d.a.y"
    record = assessment(Found(canonical=one, score=scores[0]), Found(label="B", canonical=other, score=scores[1]))
    written = {one: scores[0], other: scores[1]}
    record = record.model_copy(update={"mapping": record.mapping.model_copy(update={"scores": written})})
    merged = Migration("1", "2", merged={one: "d.a", other: "d.a"})
    mapped = remapped_response(
        record.mapping, Remapping(lambda name: current_ids((merged,), "2", {"d.a"})(name, "1")), "2"
    )
    assert mapped.taxonomy == ("d.a",)
    assert mapped.scores == {"d.a": 0.9}


def test_a_record_of_the_present_version_is_as_it_was() -> None:
    record = written_under(assessment(Found(canonical=EMAIL, category="pii.personal_identifiers")), "2")
    view = remapped_assessment(record, current_ids((), "2", {EMAIL, "pii.personal_identifiers"}), "2")
    assert json_form(view.mapping) == json_form(record.mapping)
    assert view.taxonomy_view.changed == {} and view.taxonomy_view.unresolved == ()


@given(canonical=st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True), present=id_sets(), data=st.data())
def test_no_id_off_the_present_version_is_ever_shown_and_reading_twice_changes_nothing(
    canonical: list[str], present: frozenset[str], data: st.DataObject
) -> None:
    renamed = data.draw(st.dictionaries(st.sampled_from(IDS), st.sampled_from(IDS), max_size=4))
    migration = Migration("1", "2", renamed=renamed)
    record = assessment(*(Found(label=name, canonical=name) for name in canonical))
    current = current_ids((migration,), "2", present)
    once = remapped_response(record.mapping, Remapping(lambda name: current(name, "1")), "2")
    assert canonical_ids(once.model_dump()) <= present
    again = remapped_response(once, Remapping(lambda name: current(name, "2")), "2")
    assert again == once
