"""A tenant's words over the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.catalogue_files import load_catalogue, load_raw_catalogue
from llama_mapper.domain.contracts.catalogue import CatalogueView, LabelMatch, MatchStage
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.mapping.catalogue.confidence import REVIEWED
from llama_mapper.domain.mapping.documents.ports import ReviewedMeaning
from llama_mapper.domain.mapping.frameworks.editions import UploadedEdition, own_editions
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.overlays.tables import UploadedVocabulary, overlay_of
from llama_mapper.domain.mapping.overlays.vocabularies import own_problems
from llama_mapper.domain.mapping.tenants.layered import LayeredCatalogue

SHIPPED = load_catalogue()
RAW = load_raw_catalogue()
EMAIL, CARD, IBAN = "pii.personal_identifiers.email", "pii.financial_data.payment_card", "pii.financial_data.iban"


def same(canonical: str, _: str) -> str | None:
    return canonical


def reviewed(label: str, canonical: str, *, vendor: str = "acme", version: str | None = "1", at: int = 1) -> Any:
    return ReviewedMeaning(LabelKey(vendor, version, label), canonical, at, "1.1.0")


def uploaded(versions: Mapping[str, Any], *, vendor: str = "acme", at: int = 1, basis: str = "docs") -> Any:
    return UploadedVocabulary(vendor, at, {"source": "x", "basis": basis, "versions": versions}, "1.1.0")


def layered(*uploads: Any, reviews: Any = (), current: Any = same) -> CatalogueView:
    return LayeredCatalogue(SHIPPED, overlay_of(uploads, reviews, lambda: RAW.vocabularies["vendors"], current))


def matched(catalogue: CatalogueView, vendor: str, version: str | None, label: str) -> LabelMatch:
    found = catalogue.match(vendor, version, label)
    assert found is not None
    return found


def test_a_reviewed_label_means_what_the_reviewer_said() -> None:
    found = matched(layered(reviews=[reviewed("TICKET", EMAIL)]), "acme", "1", "TICKET")
    assert (found.canonical, found.stage, found.confidence) == (EMAIL, MatchStage.OVERLAY, REVIEWED)


def test_an_unknown_label_of_the_vendor_stays_unknown() -> None:
    assert layered(reviews=[reviewed("TICKET", EMAIL)]).match("acme", "1", "OTHER") is None


def test_another_spelling_is_trusted_less_and_another_version_less_again() -> None:
    catalogue = layered(reviews=[reviewed("My Ticket", EMAIL)])
    exact, spelt, version = (
        matched(catalogue, "acme", *each).confidence
        for each in (("1", "My Ticket"), ("1", "my_ticket"), ("9", "My Ticket"))
    )
    assert exact > spelt > version


def test_versions_that_disagree_are_trusted_less_where_another_stands_in() -> None:
    agreed = layered(reviews=[reviewed("S5", EMAIL), reviewed("S5", EMAIL, version="2", at=2)])
    disputed = layered(reviews=[reviewed("S5", EMAIL), reviewed("S5", CARD, version="2", at=2)])
    assert matched(disputed, "acme", "3", "S5").confidence < matched(agreed, "acme", "3", "S5").confidence
    assert matched(disputed, "acme", "3", "S5").canonical == CARD  # the decision made last
    assert matched(disputed, "acme", "1", "S5").canonical == EMAIL


def test_a_label_without_a_version_has_its_own_decision() -> None:
    catalogue = layered(reviews=[reviewed("X", EMAIL, version=None), reviewed("X", CARD, version="1", at=2)])
    assert matched(catalogue, "acme", "1", "X").canonical == CARD
    assert matched(catalogue, "acme", None, "X").canonical == CARD  # whichever version: the latest decision
    assert matched(layered(reviews=[reviewed("X", EMAIL, version=None)]), "acme", None, "X").canonical == EMAIL


def test_the_tenants_exact_word_stands_over_ours_and_the_answer_says_instead_of_what() -> None:
    catalogue = layered(reviews=[reviewed("CREDIT_CARD", IBAN, vendor="presidio", version=None)])
    found = matched(catalogue, "presidio", None, "CREDIT_CARD")
    assert (found.canonical, found.stage, found.instead_of) == (IBAN, MatchStage.OVERLAY, CARD)
    agreeing = layered(reviews=[reviewed("CREDIT_CARD", CARD, vendor="presidio", version=None)])
    assert matched(agreeing, "presidio", None, "CREDIT_CARD").instead_of is None


def test_our_exact_word_stands_over_the_tenants_likeness() -> None:
    catalogue = layered(reviews=[reviewed("credit card", IBAN, vendor="presidio", version=None)])
    assert matched(catalogue, "presidio", None, "CREDIT_CARD").canonical == CARD
    assert matched(catalogue, "presidio", None, "credit card").canonical == IBAN
    spelt = matched(catalogue, "presidio", None, "Credit-Card")  # neither is exact
    assert (spelt.canonical, spelt.instead_of) == (IBAN, CARD)


def test_another_vendor_is_answered_by_the_shipped_catalogue_itself() -> None:
    catalogue = layered(reviews=[reviewed("TICKET", EMAIL)])
    assert catalogue.match("presidio", None, "CREDIT_CARD") is SHIPPED.match("presidio", None, "CREDIT_CARD")


def test_an_uploaded_list_has_families_aliases_and_further_labels() -> None:
    catalogue = layered(
        uploaded(
            {
                "2": {
                    "labels": {EMAIL: ["MAIL"]},
                    "families": {CARD: ["PAY/Card"]},
                    "also": {"MAIL": [CARD]},
                    "aliases": ["acme_two"],
                }
            }
        )
    )
    assert matched(catalogue, "acme", "2", "MAIL").also == (CARD,)
    assert matched(catalogue, "acme", "2", "PAY/Card.B").canonical == CARD
    assert matched(catalogue, "acme_two", "whatever", "MAIL").canonical == EMAIL


def test_an_uploaded_list_may_start_from_a_shipped_one() -> None:
    listed = next(iter(RAW.vocabularies["vendors"]["presidio"]["versions"]))
    catalogue = layered(uploaded({"1": {"same_as": f"presidio:{listed}", "without": ["CREDIT_CARD"]}}))
    assert matched(catalogue, "acme", "1", "EMAIL_ADDRESS").canonical == EMAIL
    assert catalogue.match("acme", "1", "CREDIT_CARD") is None


def test_a_list_that_starts_from_what_is_gone_has_its_own_labels_left() -> None:
    catalogue = layered(uploaded({"1": {"same_as": "nobody:1", "labels": {EMAIL: ["MAIL"]}}}))
    assert matched(catalogue, "acme", "1", "MAIL").canonical == EMAIL


@pytest.mark.parametrize(("reviewed_at", "uploaded_at", "means"), [(2, 1, CARD), (1, 2, EMAIL)])
def test_of_a_decision_and_a_list_the_later_one_holds(reviewed_at: int, uploaded_at: int, means: str) -> None:
    catalogue = layered(
        uploaded({"1": {"labels": {EMAIL: ["MAIL"]}}}, at=uploaded_at),
        reviews=[reviewed("MAIL", CARD, at=reviewed_at)],
    )
    assert matched(catalogue, "acme", "1", "MAIL").canonical == means


def test_ids_of_an_earlier_taxonomy_are_read_as_present_ones() -> None:
    def moved(canonical: str, _: str) -> str | None:
        return {EMAIL: CARD}.get(canonical)

    catalogue = layered(
        uploaded({"1": {"labels": {EMAIL: ["MAIL"], IBAN: ["GONE"]}}}),
        reviews=[reviewed("R", EMAIL), reviewed("S", IBAN, at=2)],
        current=moved,
    )
    assert matched(catalogue, "acme", "1", "MAIL").canonical == CARD
    assert matched(catalogue, "acme", "1", "R").canonical == CARD
    assert catalogue.match("acme", "1", "GONE") is None and catalogue.match("acme", "1", "S") is None


LABELS = st.sampled_from(["MAIL", "mail", "B-MAIL", "m a i l", "CREDIT_CARD", "credit-card", "X.1", "Ω"])
VERSIONS = st.none() | st.sampled_from(["1", "2", "2.2.366"])
DECISIONS = st.lists(
    st.tuples(st.sampled_from(["acme", "presidio"]), VERSIONS, LABELS, st.sampled_from([EMAIL, CARD, IBAN])), max_size=6
)


@given(decisions=DECISIONS, vendor=st.sampled_from(["acme", "presidio", "gitleaks"]), version=VERSIONS, label=LABELS)
def test_a_decided_label_always_has_its_decision_and_a_foreign_exact_one_always_ours(
    decisions: list[tuple[str, str | None, str, str]], vendor: str, version: str | None, label: str
) -> None:
    reviews = {
        (name, number, text): reviewed(text, canonical, vendor=name, version=number, at=position)
        for position, (name, number, text, canonical) in enumerate(decisions)
    }
    catalogue = layered(reviews=list(reviews.values()))
    for key, each in reviews.items():
        if key[1] is not None:
            assert matched(catalogue, *key).canonical == each.canonical
    found, shipped = catalogue.match(vendor, version, label), SHIPPED.match(vendor, version, label)
    if not any(name == vendor for name, _, _ in reviews):
        assert found == shipped
    verbatim = any(name == vendor and text == label for name, _, text in reviews)
    if shipped is not None and shipped.stage is MatchStage.EXACT and not verbatim:
        assert found == shipped
    assert found is None or found.canonical in SHIPPED.labels
    assert catalogue.match(vendor, version, label) == found


ACME = {
    "title": "Acme policy",
    "kind": "control",
    "applies_when": "Always.",
    "basis": "own",
    "controls": {
        "D-1": {"title": "No mail", "evidence": "The log."},
        "D-2": {"title": "No cards", "evidence": "The list.", "condition": "With cards."},
    },
    "crosswalk": {
        "pii.personal_identifiers": {"rationale": "Mail.", "controls": ["D-1"]},
        "pii.financial_data": {"rationale": "Money.", "controls": ["D-2", "D-1"]},
        IBAN: {"rationale": "No card.", "controls": ["D-1"]},
    },
}


def test_an_own_framework_answers_beside_the_shipped_ones() -> None:
    own = own_editions([UploadedEdition("acme_policy", "2026", ACME, "1.1.0")], SHIPPED.labels, same)
    catalogue = LayeredCatalogue(SHIPPED, own=own)
    edition, gdpr = catalogue.resolve_frameworks(("acme_policy", "gdpr"))
    assert (edition.ref, gdpr.ref) == ("acme_policy:2026", "gdpr:2016")
    assert [link.control_id for link in catalogue.controls(CARD, edition)] == ["D-1", "D-2"]
    assert [link.control_id for link in catalogue.controls(IBAN, edition)] == ["D-1"]
    assert catalogue.controls(CARD, gdpr) == SHIPPED.controls(CARD, gdpr)
    assert catalogue.evidence_requirement("D-1", edition) == "The log."
    assert catalogue.resolve_frameworks(()) == SHIPPED.resolve_frameworks(())
    assert edition in catalogue.frameworks() and edition not in SHIPPED.frameworks()
    with pytest.raises(ValidationError, match="acme_policy:2026") as caught:
        catalogue.resolve_frameworks(("nope",))
    assert caught.value.error_code is ErrorCode.FRAMEWORK_NOT_FOUND


def test_a_frameworks_name_means_its_default_edition() -> None:
    editions = [
        UploadedEdition("acme_policy", "2025", ACME, "1.1.0"),
        UploadedEdition("acme_policy", "2026", {**ACME, "default": True}, "1.1.0"),
        UploadedEdition("acme_policy", "2027", ACME, "1.1.0"),
    ]
    catalogue = LayeredCatalogue(SHIPPED, own=own_editions(editions, SHIPPED.labels, same))
    assert catalogue.resolve_frameworks(("acme_policy",))[0].edition == "2026"


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ({"1": {}}, "lists no labels"),
        ({"1": {"labels": {EMAIL: ["A"], CARD: ["A"]}}}, "is listed more than once"),
        ({"1": {"labels": {"pii.nope": ["A"]}}}, "not in the taxonomy"),
        ({"1": {"labels": {EMAIL: ["A"]}, "also": {"B": [CARD]}}}, "is not a label of this version"),
        ({"1": {"same_as": "nobody:1"}}, "does not exist"),
        ({"1": {"labels": {EMAIL: ["A"]}, "aliases": ["presidio"]}}, "names more than one vendor or version"),
    ],
)
def test_an_own_vocabulary_obeys_the_rules_of_the_shipped_ones(versions: Any, problem: str) -> None:
    own = {"acme": {"source": "x", "basis": "docs", "versions": versions}}
    found = own_problems(own, RAW.vocabularies["vendors"], SHIPPED.labels)
    assert any(problem in what for _, what in found), found


def test_a_vocabulary_of_a_shipped_vendor_is_no_problem() -> None:
    own = {"presidio": {"source": "x", "basis": "docs", "versions": {"1": {"labels": {EMAIL: ["A"]}}}}}
    assert own_problems(own, RAW.vocabularies["vendors"], SHIPPED.labels) == []
