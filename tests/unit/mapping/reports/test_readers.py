"""Frameworks as their readers know them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
from llama_mapper.domain.contracts.catalogue import FrameworkEdition, FrameworkKind
from llama_mapper.domain.contracts.mapping import FrameworkControl, FrameworkMapping
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.reports.readers import adapted, adapter_of
from llama_mapper.domain.mapping.reports.views import in_order, view_of_labels, view_of_mapping

FRAMEWORKS = load_raw_catalogue().frameworks["frameworks"]
CONTROLS = {
    f"{framework}:{edition}": [*listed["controls"]]
    for framework, entry in FRAMEWORKS.items()
    for edition, listed in entry["editions"].items()
}
LISTS = {"owasp_llm:2025", "mitre_atlas:5.6.0"}
"""Frameworks that are lists, without parts."""


def test_every_shipped_edition_has_an_adapter() -> None:
    assert adapted() == CONTROLS.keys()


@pytest.mark.parametrize("ref", sorted(CONTROLS.keys() - LISTS))
def test_every_shipped_control_is_in_a_part_of_its_framework(ref: str) -> None:
    adapter = adapter_of(ref)
    parts = {control: adapter.part_of(control) for control in CONTROLS[ref]}
    assert [control for control, part in parts.items() if part not in adapter.parts] == []
    assert {*adapter.first} <= {*adapter.parts}


@pytest.mark.parametrize(
    ("ref", "control", "part"),
    [
        ("soc2:2017", "CC6.1", "CC6"),
        ("soc2:2017", "PI1.4", "PI1"),
        ("iso27001:2022", "A.5.34", "A.5"),
        ("iso27001:2013", "A.18.1.4", "A.18"),
        ("hipaa:2013", "164.312(a)(1)", "164.312"),
        ("hipaa:2013", "164.306", "164.306"),
        ("gdpr:2016", "Article.4", "I"),
        ("gdpr:2016", "Article.9", "II"),
        ("gdpr:2016", "Article.32", "IV"),
        ("gdpr:2016", "Article.99", "XI"),
        ("eu_ai_act:2024", "Article.5", "II"),
        ("eu_ai_act:2024", "Article.50", "IV"),
        ("nist_ai_rmf:1.0", "MEASURE-2.10", "MEASURE"),
        ("nist_800_53:r5", "SC-28", "SC"),
        ("pci_dss:4.0.1", "12.10.1", "12"),
        ("iso42001:2023", "A.10.2", "A.10"),
        ("mitre_atlas:5.6.0", "AML.T0051", None),
        ("acme_policy:2026", "D-1", None),
        ("soc2:2017", "ZZ9.1", None),
    ],
)
def test_a_control_is_in_the_part_where_its_readers_look_for_it(ref: str, control: str, part: str | None) -> None:
    assert adapter_of(ref).part_of(control) == part


def test_a_view_has_what_a_label_touches_and_nothing_else(catalogue: Catalogue) -> None:
    for edition in catalogue.frameworks():
        for label in catalogue.labels:
            view = view_of_labels(catalogue, edition, [label])
            ids = [control.id for group in view.groups for control in group.controls]
            assert sorted(ids) == sorted({link.control_id for link in catalogue.controls(label, edition)})
            assert view.controls == len(ids)
            assert all(group.controls for group in view.groups)


def test_groups_and_controls_stand_in_the_frameworks_order(catalogue: Catalogue) -> None:
    for edition in catalogue.frameworks():
        view = view_of_labels(catalogue, edition, [*catalogue.labels])
        order = [*adapter_of(edition.ref).parts, ""]
        assert [group.id for group in view.groups] == [each for each in order if each in {g.id for g in view.groups}]
        for group in view.groups:
            ids = [control.id for control in group.controls]
            assert ids == sorted(ids, key=in_order)
            assert all(control.evidence and control.title for control in group.controls)
    gdpr = view_of_labels(catalogue, catalogue.resolve_frameworks(("gdpr",))[0], [*catalogue.labels])
    principles = next(group for group in gdpr.groups if group.id == "II")
    assert [each.id for each in principles.controls][-2:] == ["Article.9", "Article.10"]


def test_an_answers_own_controls_stand_even_where_the_catalogue_has_them_no_more(catalogue: Catalogue) -> None:
    control = FrameworkControl(control_id="Z.1", title="Gone", canonical_labels=("pii.financial_data",))
    mapping = FrameworkMapping(framework="acme", edition="1", title="Acme", controls=(control,))
    view = view_of_mapping(catalogue, None, mapping)
    assert (view.ref, view.controls, view.groups[0].id) == ("acme:1", 1, "")
    assert view.groups[0].controls[0].canonical_labels == ("pii.financial_data",)


@given(st.lists(st.text(alphabet="A.1(b)-90", min_size=1, max_size=8)))
def test_any_control_ids_can_be_put_in_order(ids: list[str]) -> None:
    ordered = sorted(ids, key=in_order)
    assert sorted(ordered) == sorted(ids)
    assert [in_order(each) for each in ordered] == sorted(in_order(each) for each in ids)


def test_kinds_are_those_of_the_edition(catalogue: Catalogue) -> None:
    edition = FrameworkEdition("acme", "1", "Acme", FrameworkKind.TECHNIQUE, "Always.", "")
    assert view_of_labels(catalogue, edition, []).kind == "technique"
