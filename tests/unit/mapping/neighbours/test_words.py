"""What a label says, and which labels say nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.mapping.neighbours.abbreviations import spelled_out
from llama_mapper.domain.mapping.neighbours.words import is_opaque, telling, words_of


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("CREDIT_CARD", "credit card"),
        ("creditCardNumber", "credit card number"),
        ("self-harm/intent", "self harm intent"),
        ("B-PER", "per"),
        ("PIIDetector", "pii detector"),
        ("ICD10_CODE", "icd 10 code"),
        ("violence.graphic", "violence graphic"),
        ("Secrets", "secret"),
        ("categories", "category"),
        ("\uff43\uff41\uff52\uff44\uff3f\uff49\uff44", "card id"),
        ("em\u200bail", "email"),
        ("aaaaaaaaaaaa", "aa"),
        ("---", ""),
    ],
)
def test_words(label: str, words: str) -> None:
    assert " ".join(words_of(label)) == words


def test_a_country_and_words_about_labels_tell_nothing() -> None:
    assert telling(("us", "passport")) == ("passport",)
    assert telling(("harm", "category", "hate")) == ("harm", "hate")
    assert telling(("name",)) == ("name",)
    assert telling(("123",)) == ()


@pytest.mark.parametrize(
    "label", ["S5", "O3", "LABEL_1", "LABEL_0", "1", "0", "category_7", "---", "S-12", "class 3", ""]
)
def test_codes_are_opaque(label: str) -> None:
    assert is_opaque(label)


@pytest.mark.parametrize("label", ["IP", "PIN", "ID", "hate", "ICD10", "ipv4", "US_SSN", "base64 string"])
def test_short_words_are_no_codes(label: str) -> None:
    assert not is_opaque(label)


@given(st.text(max_size=400))
def test_no_label_says_more_than_is_looked_at(label: str) -> None:
    words = words_of(label)
    assert len(words) <= 32
    assert all(0 < len(word) <= 48 for word in words)
    assert is_opaque(label) in (True, False)
    spelled_out(words_of(label), {"dob": "date of birth"})


def test_abbreviations_are_spelled_out_beside_themselves() -> None:
    assert spelled_out(words_of("PATIENT_DOB"), {"dob": "date of birth"}) == "patient dob date of birth"
