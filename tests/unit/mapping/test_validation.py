"""Each rule of the catalogue, broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llama_mapper.adapters.platform.catalogue_files import parse_document
from llama_mapper.domain.kernel.errors import CatalogueError, ErrorCode
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
from llama_mapper.domain.mapping.catalogue.validation import validate_catalogue


def test_the_shipped_catalogue_has_no_problem(shipped: RawCatalogue) -> None:
    assert validate_catalogue(shipped) == []


def _category(raw: RawCatalogue, category_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        category
        for domain in raw.taxonomy["domains"]
        for category in domain["categories"]
        if category["id"] == category_id
    ]
    return found[0]


def _presidio(raw: RawCatalogue) -> dict[str, Any]:
    version: dict[str, Any] = raw.vocabularies["vendors"]["presidio"]["versions"]["2.2.366"]
    return version


def _editions(raw: RawCatalogue, framework: str) -> dict[str, Any]:
    editions: dict[str, Any] = raw.frameworks["frameworks"][framework]["editions"]
    return editions


def _correspondence(raw: RawCatalogue) -> dict[str, Any]:
    first: dict[str, Any] = raw.crosswalk["correspondences"][0]
    return first


def unknown_severity(raw: RawCatalogue) -> None:
    _category(raw, "pii.financial_data")["severity"] = "AWFUL"


def level_3_under_another_category(raw: RawCatalogue) -> None:
    _category(raw, "pii.financial_data")["subcategories"]["pii.health_records.x"] = "Strayed"


def category_under_another_domain(raw: RawCatalogue) -> None:
    _category(raw, "policy.banned_content")["id"] = "pii.banned_content"


def repeated_id(raw: RawCatalogue) -> None:
    raw.taxonomy["domains"][0]["categories"].append(_category(raw, "pii.financial_data"))


def label_listed_twice(raw: RawCatalogue) -> None:
    _presidio(raw)["labels"]["pii.financial_data.iban"].append("PERSON")


def unknown_canonical(raw: RawCatalogue) -> None:
    _presidio(raw)["labels"]["pii.nowhere.at_all"] = ["X"]


def unknown_also(raw: RawCatalogue) -> None:
    _presidio(raw)["also"] = {"PERSON": ["pii.nowhere.at_all"]}


def also_of_a_label_that_is_not_listed(raw: RawCatalogue) -> None:
    _presidio(raw)["also"] = {"NOBODY": ["pii.demographic.age"]}


def unknown_basis(raw: RawCatalogue) -> None:
    raw.vocabularies["vendors"]["presidio"]["basis"] = "rumour"


def same_as_nothing(raw: RawCatalogue) -> None:
    raw.vocabularies["vendors"]["betterleaks"]["versions"]["2.0.0"]["same_as"] = "gitleaks:7"


def inherited_label_listed_again(raw: RawCatalogue) -> None:
    labels = raw.vocabularies["vendors"]["betterleaks"]["versions"]["2.0.0"]["labels"]
    labels["security.tokens.api_key"].append("jwt")


def left_out_label_that_was_never_in(raw: RawCatalogue) -> None:
    raw.vocabularies["vendors"]["betterleaks"]["versions"]["2.0.0"]["without"].append("never-was")


def vendor_alias_taken(raw: RawCatalogue) -> None:
    _presidio(raw)["aliases"] = ["gitleaks"]


def version_without_labels(raw: RawCatalogue) -> None:
    raw.vocabularies["vendors"]["presidio"]["versions"]["3"] = {}


def unknown_kind(raw: RawCatalogue) -> None:
    raw.frameworks["frameworks"]["soc2"]["kind"] = "wish"


def no_default_edition(raw: RawCatalogue) -> None:
    _editions(raw, "iso27001")["2022"]["default"] = False


def two_default_editions(raw: RawCatalogue) -> None:
    _editions(raw, "iso27001")["2013"]["default"] = True


def framework_alias_taken(raw: RawCatalogue) -> None:
    _editions(raw, "gdpr")["2016"]["aliases"] = ["soc2"]


def unknown_control(raw: RawCatalogue) -> None:
    raw.crosswalk["crosswalk"]["pii.financial_data"]["controls"]["iso27001:2022"].append("A.8.2.1")


def repeated_control(raw: RawCatalogue) -> None:
    raw.crosswalk["crosswalk"]["pii.financial_data"]["controls"]["soc2:2017"].append("CC6.1")


def unknown_edition(raw: RawCatalogue) -> None:
    raw.crosswalk["crosswalk"]["pii.financial_data"]["controls"]["soc2:1999"] = ["CC6.1"]


def link_from_nowhere(raw: RawCatalogue) -> None:
    raw.crosswalk["crosswalk"]["pii.nowhere"] = {"rationale": "none", "controls": {"soc2:2017": ["CC6.1"]}}


def forgotten_category(raw: RawCatalogue) -> None:
    del raw.crosswalk["crosswalk"]["content.violence"]


def category_linked_and_without(raw: RawCatalogue) -> None:
    raw.crosswalk["without"]["content.violence"] = "unsure"


def category_without_that_does_not_exist(raw: RawCatalogue) -> None:
    raw.crosswalk["without"]["content.nowhere"] = "never was"


def correspondence_with_a_gap(raw: RawCatalogue) -> None:
    del _correspondence(raw)["without"]["A.5.7"]


def correspondence_to_an_unknown_control(raw: RawCatalogue) -> None:
    _correspondence(raw)["controls"]["A.5.12"] = ["A.99.9"]


def correspondence_that_contradicts_itself(raw: RawCatalogue) -> None:
    _correspondence(raw)["without"]["A.5.12"] = "new in 2022"


def correspondence_with_an_unknown_edition(raw: RawCatalogue) -> None:
    _correspondence(raw)["to"] = "iso27001:2005"


_BREAKS: list[tuple[Callable[[RawCatalogue], None], str, str]] = [
    (unknown_severity, "taxonomy/pii.financial_data", "unknown severity 'AWFUL'"),
    (level_3_under_another_category, "taxonomy/pii.health_records.x", "not under its category"),
    (category_under_another_domain, "taxonomy/pii.banned_content", "not under its domain"),
    (repeated_id, "taxonomy/pii.financial_data", "more than once"),
    (label_listed_twice, "vocabularies/presidio/2.2.366/PERSON", "more than once"),
    (unknown_canonical, "vocabularies/presidio/2.2.366", "'pii.nowhere.at_all', which is not in the taxonomy"),
    (unknown_also, "vocabularies/presidio/2.2.366", "'pii.nowhere.at_all', which is not in the taxonomy"),
    (also_of_a_label_that_is_not_listed, "vocabularies/presidio/2.2.366/also/NOBODY", "not a label of this version"),
    (unknown_basis, "vocabularies/presidio", "unknown basis 'rumour'"),
    (same_as_nothing, "vocabularies/betterleaks/2.0.0", "does not exist"),
    (inherited_label_listed_again, "vocabularies/betterleaks/2.0.0/jwt", "already in the list it starts from"),
    (left_out_label_that_was_never_in, "vocabularies/betterleaks/2.0.0/without/never-was", "not a label of the list"),
    (vendor_alias_taken, "vocabularies/gitleaks", "names more than one"),
    (version_without_labels, "vocabularies/presidio/3", "lists no labels"),
    (unknown_kind, "frameworks/soc2", "unknown kind 'wish'"),
    (no_default_edition, "frameworks/iso27001", "0 default editions"),
    (two_default_editions, "frameworks/iso27001", "2 default editions"),
    (framework_alias_taken, "frameworks/soc2", "more than one edition"),
    (unknown_control, "crosswalk/pii.financial_data/iso27001:2022", "no control 'A.8.2.1'"),
    (repeated_control, "crosswalk/pii.financial_data/soc2:2017", "'CC6.1' more than once"),
    (unknown_edition, "crosswalk/pii.financial_data/soc2:1999", "not an edition"),
    (link_from_nowhere, "crosswalk/pii.nowhere", "not in the taxonomy"),
    (forgotten_category, "crosswalk/content.violence", "neither linked nor listed as without"),
    (category_linked_and_without, "crosswalk/content.violence", "both linked and listed as without"),
    (category_without_that_does_not_exist, "crosswalk/without/content.nowhere", "not in the taxonomy"),
    (correspondence_with_a_gap, "crosswalk/correspondences/iso27001:2022/iso27001:2013", "says nothing about 'A.5.7'"),
    (
        correspondence_to_an_unknown_control,
        "crosswalk/correspondences/iso27001:2022/iso27001:2013",
        "no control 'A.99.9'",
    ),
    (correspondence_that_contradicts_itself, "crosswalk/correspondences/iso27001:2022/iso27001:2013", "'A.5.12' more"),
    (correspondence_with_an_unknown_edition, "crosswalk/correspondences/iso27001:2022/iso27001:2005", "known editions"),
]


@pytest.mark.parametrize(("break_it", "where", "what"), _BREAKS, ids=[case[0].__name__ for case in _BREAKS])
def test_a_broken_rule_is_named_with_its_place(
    raw: RawCatalogue, break_it: Callable[[RawCatalogue], None], where: str, what: str
) -> None:
    break_it(raw)
    problems = validate_catalogue(raw)
    assert any(problem.where == where and what in problem.what for problem in problems), problems
    with pytest.raises(CatalogueError) as raised:
        Catalogue(raw)
    assert raised.value.error_code is ErrorCode.CATALOGUE_INVALID


@pytest.mark.parametrize(
    ("document", "where", "what"),
    [
        ({}, "taxonomy", "lacks 'version'"),
        ({"version": "1", "domains": {}}, "taxonomy/domains", "must be a list"),
        ({"version": "1", "domains": [7]}, "taxonomy/domains/0", "must be a mapping"),
        ({"version": 1.0, "domains": []}, "taxonomy/version", "must be a version"),
        ({"version": "1", "domains": [], "extra": 1}, "taxonomy", "unknown key 'extra'"),
    ],
)
def test_a_document_of_the_wrong_shape_is_reported_and_never_crashes(
    shipped: RawCatalogue, document: dict[str, Any], where: str, what: str
) -> None:
    raw = RawCatalogue(document, shipped.vocabularies, shipped.frameworks, shipped.crosswalk)
    assert [(p.where, p.what) for p in validate_catalogue(raw) if p.where == where and what in p.what]


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "- 1\n", "a: [1\n", ""])
def test_a_file_that_repeats_a_key_or_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(CatalogueError):
        parse_document(text, "taxonomy")
