"""Check digits: known values hold, and any single wrong digit is noticed where the scheme can notice it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.scanners.textscan import checks

_KNOWN: list[tuple[Callable[[str], bool], str]] = [
    (checks.payment_card, "4111 1111 1111 1111"),
    (checks.payment_card, "3782-822463-10005"),
    (checks.payment_card, "5555555555554444"),
    (checks.payment_card, "2223003122003222"),
    (checks.payment_card, "6011000990139424"),
    (checks.payment_card, "3530111333300000"),
    (checks.payment_card, "30569309025904"),
    (checks.aba_routing, "021000021"),
    (checks.aba_routing, "011401533"),
    (checks.npi, "1234567893"),
    (checks.dea_number, "AB1234563"),
    (checks.medicare_mbi, "1EG4-TE5-MK73"),
    (checks.nhs_number, "943 476 5919"),
    (checks.de_health_insurance, "A123456780"),
    (checks.de_tax_id, "86 095 742 719"),
    (checks.es_nif, "12345678Z"),
    (checks.es_nif, "X1234567L"),
    (checks.fr_nir, "2 55 08 14 168 025 38"),
    (checks.icd10, "E11.9"),
    (checks.icd10, "I10"),
]

_SCHEMES: list[tuple[Callable[[str], bool], str, int]] = [
    (checks.luhn, "", 16),
    (checks.aba_routing, "02", 9),
    (checks.npi, "1", 10),
    (checks.nhs_number, "", 10),
    (checks.fr_nir, "1900175", 15),
    (checks.de_health_insurance, "K", 10),
]


@pytest.mark.parametrize(("check", "value"), _KNOWN)
def test_a_published_specimen_is_valid(check: Callable[[str], bool], value: str) -> None:
    assert check(value)


@pytest.mark.parametrize(("check", "prefix", "size"), _SCHEMES)
@given(data=st.data())
def test_one_wrong_digit_is_always_noticed(
    check: Callable[[str], bool], prefix: str, size: int, data: st.DataObject
) -> None:
    value = data.draw(valid_numbers(check, prefix, size))
    place = data.draw(st.integers(1 if prefix[:1].isalpha() else 0, size - 1))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != value[place]]))
    assert not check(value[:place] + digit + value[place + 1 :])


@given(st.integers(0, 99_999_999), st.integers(1, 22))
def test_a_wrong_letter_is_always_noticed_in_a_dni(number: int, shift: int) -> None:
    letters = "TRWAGMYFPDXBNJZSQVHLCKE"
    assert checks.es_nif(f"{number:08d}{letters[number % 23]}")
    assert not checks.es_nif(f"{number:08d}{letters[(number + shift) % 23]}")


@settings(max_examples=60)
@given(st.text(max_size=24))
def test_no_check_breaks_on_any_text(text: str) -> None:
    for check, _ in _KNOWN:
        assert check(text) in (True, False)


@pytest.mark.parametrize("value", ["U12", "D95.1", "E93", "12.5", "A1", "AB12", "A12.55555"])
def test_what_lies_in_no_block_is_no_icd_10_code(value: str) -> None:
    assert not checks.icd10(value)


def valid_numbers(check: Callable[[str], bool], prefix: str, size: int) -> st.SearchStrategy[str]:
    """Numbers of `size` characters that begin with `prefix` and satisfy `check`, by trying the last two digits."""

    def complete(body: str) -> str:
        for end in range(100):
            if check(value := f"{prefix}{body}{end:02d}"):
                return value
        assume(False)
        return ""

    free = size - len(prefix) - 2
    return st.text("0123456789", min_size=free, max_size=free).map(complete)
