"""Other spellings of a label: deterministic, different, and still readable as the same words."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.mapping.catalogue.normalisation import normalise
from llama_mapper.domain.mapping.training.augmentation import FORMATS, is_opaque, variants_of, words_of
from llama_mapper.domain.mapping.training.wording import SAME, SHORT_FORMS

WORDS = st.lists(
    st.sampled_from(["credit", "card", "email", "address", "hate", "social", "number"]), min_size=1, max_size=4
)


@pytest.mark.parametrize(
    "label", ["creditCard", "CREDIT_CARD", "Credit Card", "credit/card", "credit-card", "CreditCard"]
)
def test_words_are_found_in_every_format(label: str) -> None:
    assert words_of(label) == ("credit", "card")


@given(words=WORDS)
def test_a_format_changes_no_word(words: list[str]) -> None:
    for written in FORMATS:
        assert normalise(written(words)) == "".join(words)


@given(label=st.text(max_size=40), count=st.integers(0, 6), seed=st.integers())
def test_variants_are_new_bounded_and_the_same_for_the_same_seed(label: str, count: int, seed: int) -> None:
    found = variants_of(label, count, Random(seed))
    assert found == variants_of(label, count, Random(seed))
    assert len(set(found)) == len(found) <= count
    assert label not in found
    assert all(0 < len(each) <= 256 and not is_opaque(each) for each in found)


@pytest.mark.parametrize("label", ["S5", "0", "LABEL"[:2], "--", ""])
def test_a_code_has_no_other_spelling(label: str) -> None:
    assert variants_of(label, 5, Random(0)) == ()


def test_paraphrases_abbreviations_and_plurals_are_among_the_variants() -> None:
    found = {" ".join(words_of(each)) for seed in range(60) for each in variants_of("PHONE_NUMBER", 4, Random(seed))}
    assert any("telephone" in each or "mobile" in each for each in found), found
    assert any(each.split()[-1] in ("num", "nbr", "nr", "no") for each in found), found
    assert any("numbers" in each for each in found), found


def test_no_phrase_stands_for_two_things() -> None:
    phrases = [phrase for group in SAME for phrase in group]
    assert len(phrases) == len(set(phrases))
    assert all(phrase == " ".join(words_of(phrase)) for phrase in phrases)
    assert all(word not in shorts for word, shorts in SHORT_FORMS.items())
