"""What the financial-context detector finds, and what it leaves alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.scanners.identifiers.financial_context import financial_context_scanner
from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan import checks
from tests.support.findings import best, found
from tests.unit.detectors.identifiers.test_checks import valid_numbers

_FINANCIAL = financial_context_scanner()


@pytest.mark.parametrize(
    ("text", "label", "value"),
    [
        ("routing number 021000021", "US_ROUTING_NUMBER", "021000021"),
        ("BIC: DEUTDEFF500", "SWIFT_BIC", "DEUTDEFF500"),
        ("the SWIFT code is CHASUS33", "SWIFT_BIC", "CHASUS33"),
        ("cvv 123", "CARD_SECURITY_CODE", "123"),
        ("the security code of my Visa card is 4321", "CARD_SECURITY_CODE", "4321"),
        ("Kartenprüfnummer: 321", "CARD_SECURITY_CODE", "321"),
        ("el código de seguridad de la tarjeta es 737", "CARD_SECURITY_CODE", "737"),
        ("my card expires 12/29", "CARD_EXPIRY", "12/29"),
        ("Kreditkarte, gültig bis 08/2028", "CARD_EXPIRY", "08/2028"),
        ("la tarjeta caduca el 05/29", "CARD_EXPIRY", "05/29"),
        ("bank account number 000123456789", "US_BANK_ACCOUNT", "000123456789"),
        ("Kontonummer 1234567 bei der Bank", "US_BANK_ACCOUNT", "1234567"),
        ("número de cuenta 12345678 del banco", "US_BANK_ACCOUNT", "12345678"),
    ],
)
def test_financial_data_is_found(financial: TextScanner, text: str, label: str, value: str) -> None:
    assert (label, value) in found(financial, text)


@pytest.mark.parametrize(
    "text",
    [
        "The order 021000021 has shipped.",
        "Enter the security code 4829 to sign in.",
        "The offer expires 12/29.",
        "The voucher is valid until 08/28 in all shops.",
        "Your customer account number is 12345678.",
        "A SWIFT response is appreciated by EVERYONE.",
        "Der Sicherheitscode 1234 öffnet die Tür.",
        "Routing table entry 123456789 was dropped.",
        "El pedido vence el 05/29.",
    ],
)
def test_a_harmless_look_alike_stays_below_one_half(financial: TextScanner, text: str) -> None:
    assert found(financial, text) == set()


@given(valid_numbers(checks.aba_routing, "02", 9), st.integers(2, 8), st.integers(1, 9))
def test_a_routing_number_is_found_with_its_check_digit_and_not_without(value: str, place: int, shift: int) -> None:
    wrong = value[:place] + str((int(value[place]) + shift) % 10) + value[place + 1 :]
    assert best(_FINANCIAL, f"ABA routing: {value}", "US_ROUTING_NUMBER") > 0.9
    assert best(_FINANCIAL, f"ABA routing: {wrong}", "US_ROUTING_NUMBER") == 0
