"""An abbreviation of two senses is told apart by the other words of a label, and by what a known text means."""

from __future__ import annotations

import pytest

from llama_mapper.domain.mapping.neighbours.abbreviations import Abbreviations, spelled_out
from llama_mapper.domain.mapping.neighbours.references import Reference
from llama_mapper.domain.mapping.neighbours.words import words_of
from tests.unit.mapping.neighbours.test_neighbours import LEXICON, REFERENCES, first

CARD, TAX = "pii.financial_data.payment_card", "pii.personal_identifiers.tax_id"
BANK = "pii.financial_data.bank_account"
PHRASES = {"pan": "primary account number payment card", "dob": "date of birth", "auth": "authentication"}
OWN = [
    Reference("payment card", CARD),
    Reference("primary account number", CARD),
    Reference("tax number", TAX),
    Reference("bank account", BANK),
]


@pytest.mark.parametrize(
    ("label", "canonical"),
    [
        ("CARD_PAN", CARD),
        ("pan_card", CARD),
        ("CREDIT_CARD_PAN", CARD),
        ("payment-pan", CARD),
        ("PAN", TAX),
        ("india_pan", TAX),
        ("PAN_TAX_ID", TAX),
        ("card_pin", "pii.financial_data.card_security_code"),
    ],
)
async def test_the_other_words_of_a_label_say_which_sense_is_meant(label: str, canonical: str) -> None:
    assert await first(label) == canonical


def known(text: str, meaning: str, *origins: str) -> Abbreviations:
    return Abbreviations(PHRASES, [*OWN, Reference(text, meaning, frozenset(origins))])


def test_a_known_text_that_means_something_else_has_the_other_sense() -> None:
    made = known("IN_PAN", TAX, "acme")
    assert made.other_in_text(("in", "pan"), TAX) == {"pan"}
    assert made.other_in_text(("pan",), CARD) == frozenset()
    assert made.other_in_text(("pan",), BANK) == frozenset(), "the category is the sense's own"


def test_without_a_text_in_another_sense_nothing_changes() -> None:
    made = known("PAN", CARD, "acme")
    assert made.other_in_label(("pan",)) == frozenset()
    assert made.of("pan") == ("primary", "account", "number", "payment", "card")


def test_a_word_that_both_senses_have_tells_nothing_apart() -> None:
    made = known("IN_PAN", TAX, "acme")
    assert made.other_in_label(("pan", "number")) == {"pan"}
    assert made.other_in_label(("pan", "payment")) == frozenset()


def test_what_only_vendors_left_out_say_is_not_known() -> None:
    made = known("IN_PAN", TAX, "acme")
    assert made.other_in_label(("pan",), without={"acme", "other"}) == frozenset()
    assert made.other_in_label(("pan",), without={"other"}) == {"pan"}


def test_one_word_for_another_is_a_spelling_and_no_sense() -> None:
    made = Abbreviations(
        PHRASES, [*OWN, Reference("authentication", CARD), Reference("auth", TAX, frozenset({"acme"}))]
    )
    assert made.other_in_label(("auth",)) == frozenset()


def test_the_other_sense_is_not_spelled_out() -> None:
    words = words_of("PATIENT_DOB_PAN")
    assert spelled_out(words, PHRASES, {"pan"}) == "patient dob date of birth pan"


def test_the_shipped_texts_use_few_abbreviations_in_two_senses() -> None:
    made = Abbreviations(LEXICON.abbreviations, REFERENCES)
    assert {word for word in LEXICON.abbreviations if made.other_in_label((word,))} == {"pan", "pin"}
