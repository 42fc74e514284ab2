"""Each judgement is asked once, and no fold lets a method know what it is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.evaluation.folds import grouped_folds, leave_one_family_out
from llama_mapper.domain.mapping.evaluation.items import (
    category_of,
    evaluation_items,
    family_of,
    form_of,
    known_elsewhere,
    of_vendors,
)
from llama_mapper.domain.mapping.labels import KnownLabel
from tests.unit.mapping.evaluation.labels import CARD, EMAIL, HATE, KNOWN, PHONE, known

VENDORS = st.sampled_from(["a", "b", "c", "d", "e"])
KNOWN_LABELS = st.lists(
    st.builds(
        known, VENDORS, st.sampled_from(["EMAIL", "e-mail", "Card", "hate", "@"]), st.sampled_from([EMAIL, CARD, HATE])
    ),
    min_size=1,
    max_size=40,
)
FAMILIES = st.dictionaries(VENDORS, st.sampled_from(["one", "two"]))


@given(labels=KNOWN_LABELS, families=FAMILIES)
def test_a_family_is_asked_once_for_each_form_and_meaning(labels: list[KnownLabel], families: dict[str, str]) -> None:
    items = evaluation_items(labels, families)
    asked = [(item.family, item.form, item.gold) for item in items]
    assert len(asked) == len(set(asked))
    assert set(asked) == {
        (family_of(one.key.vendor, families), form_of(one.key.label), one.canonical) for one in labels
    }


@given(labels=KNOWN_LABELS, families=FAMILIES, folds=st.integers(2, 6), seed=st.integers(0, 9))
def test_nothing_that_a_fold_asks_is_known_in_it_and_every_item_is_asked_once(
    labels: list[KnownLabel], families: dict[str, str], folds: int, seed: int
) -> None:
    items = evaluation_items(labels, families)
    for made in (leave_one_family_out(items), grouped_folds(items, folds, seed)):
        asked = [item for fold in made for item in fold.items(items)]
        assert sorted(asked, key=repr) == sorted(items, key=repr)
        for fold in made:
            known_there = {family_of(one.key.vendor, families) for one in fold.known(labels, families)}
            assert not known_there & {item.family for item in fold.items(items)}
            assert known_there | fold.families >= {family_of(one.key.vendor, families) for one in labels}


def test_grouped_folds_are_about_equally_large_and_repeat_with_the_seed() -> None:
    labels = [known(f"v{number}", f"label {place}", EMAIL) for number in range(12) for place in range(number + 1)]
    items = evaluation_items(labels, {})
    folds = grouped_folds(items, 3, seed=1)
    assert sorted(len(fold.items(items)) for fold in folds) == [26, 26, 26]
    assert folds == grouped_folds(items, 3, seed=1)


def test_one_fold_is_refused() -> None:
    with pytest.raises(ValidationError, match="two folds"):
        grouped_folds(evaluation_items(KNOWN, {}), 1, 0)


def test_versions_that_agree_are_one_item_and_versions_that_differ_are_two() -> None:
    labels = [
        known("guard", "S5", EMAIL, version="3"),
        known("guard", "s5", EMAIL, version="2"),
        known("guard", "S5", CARD, version="1"),
    ]
    items = evaluation_items(labels, {})
    assert [(item.key.vendor_version, item.gold) for item in items] == [("3", EMAIL), ("1", CARD)]


def test_a_label_is_hard_where_no_other_family_has_its_form() -> None:
    items = evaluation_items(KNOWN, {})
    hard = {item.key.label for item, easy in zip(items, known_elsewhere(items, KNOWN, {}), strict=True) if not easy}
    assert hard == {"CARD", "payment"}
    joined = {"alpha": "ab", "beta": "ab"}
    items = evaluation_items(KNOWN, joined)
    hard = {item.key.label for item, easy in zip(items, known_elsewhere(items, KNOWN, joined), strict=True) if not easy}
    assert hard == {"Phone Number", "CARD", "payment"}


def test_only_the_vendors_named_are_asked_about() -> None:
    assert {one.key.vendor for one in of_vendors(KNOWN, ["beta"])} == {"beta"}
    with pytest.raises(ValidationError, match="delta"):
        of_vendors(KNOWN, ["beta", "delta"])


def test_a_category_is_the_first_two_parts_of_an_id() -> None:
    assert category_of(PHONE) == category_of("pii.contact_information") == "pii.contact_information"
