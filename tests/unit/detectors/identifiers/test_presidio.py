"""What the Presidio detector finds and leaves alone, and that it keeps what it reads to itself."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.scanners.identifiers.presidio_patterns import presidio_scanner
from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled, TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan import checks
from tests.support.findings import best, found
from tests.unit.detectors.identifiers.test_checks import valid_numbers


@pytest.mark.parametrize(
    ("text", "label", "value"),
    [
        ("write to jordan.example+x@mail.example.co.uk today", "EMAIL_ADDRESS", "jordan.example+x@mail.example.co.uk"),
        ("see https://www.example.com/a?b=1.", "URL", "https://www.example.com/a?b=1"),
        ("my website is example.org", "URL", "example.org"),
        ("blocked host 203.0.113.77", "IP_ADDRESS", "203.0.113.77"),
        ("ping 2001:db8::8a2e:370:7334 now", "IP_ADDRESS", "2001:db8::8a2e:370:7334"),
        ("MAC 00:1B:44:11:3A:B7", "MAC_ADDRESS", "00:1B:44:11:3A:B7"),
        ("card 4111 1111 1111 1111 12/29", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("Karte 3782-822463-10005", "CREDIT_CARD", "3782-822463-10005"),
        ("mi tarjeta es 5555555555554444", "CREDIT_CARD", "5555555555554444"),
        ("pay to GB82 WEST 1234 5698 7654 32 please", "IBAN_CODE", "GB82 WEST 1234 5698 7654 32"),
        ("mein Konto de89370400440532013000", "IBAN_CODE", "de89370400440532013000"),
        ("btc wallet 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "CRYPTO", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("my ssn is 536-22-8417", "US_SSN", "536-22-8417"),
        ("national insurance number AB 12 34 56 C", "UK_NINO", "AB 12 34 56 C"),
        ("call me at (212) 555-0142", "PHONE_NUMBER", "(212) 555-0142"),
        ("Telefon 030 12345678", "PHONE_NUMBER", "030 12345678"),
        ("llámame al móvil 612 345 678", "PHONE_NUMBER", "612 345 678"),
        ("+44 20 7946 0958", "PHONE_NUMBER", "+44 20 7946 0958"),
        ("téléphone 01 23 45 67 89", "PHONE_NUMBER", "01 23 45 67 89"),
        ("phone: 9876543210", "PHONE_NUMBER", "9876543210"),
        ("212-555-0142 12 items", "PHONE_NUMBER", "212-555-0142"),
    ],
)
def test_an_identifier_is_found_whole(presidio: TextScanner, text: str, label: str, value: str) -> None:
    assert (label, value) in found(presidio, text)


@pytest.mark.parametrize(
    "text",
    [
        "Your order number is 2125550142.",
        "Invoice 4111111111111112 was paid.",
        "Version 10.2.0.1 is out; v1.2.3.4 is not.",
        "ISBN 978-3-16-148410-0 is out of print.",
        "Run setup.py, then read README.md and main.rs.",
        "The match ended 3-1 on 2024-03-14 at 20:45.",
        "We sold 1,234,567.89 worth of goods in 2023/2024.",
        "Follow @example on the forum, not user@localhost.",
        "Ticket 123-45-678 and part 99-1234-5.",
        "He said e.g. this, i.e. that.Then he left.",
        "use std::vector::iterator and a::b",
    ],
)
def test_a_harmless_look_alike_stays_below_one_half(presidio: TextScanner, text: str) -> None:
    assert found(presidio, text) == set()


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_card_number_is_found_with_its_check_digit_and_not_without(
    presidio: TextScanner, data: st.DataObject
) -> None:
    value = data.draw(valid_numbers(checks.luhn, data.draw(st.sampled_from(["4", "51", "6011"])), 16))
    place, shift = data.draw(st.integers(4, 15)), data.draw(st.integers(1, 9))
    wrong = value[:place] + str((int(value[place]) + shift) % 10) + value[place + 1 :]
    assert best(presidio, f"credit card {value}", "CREDIT_CARD") > 0.9
    assert best(presidio, f"credit card {wrong}", "CREDIT_CARD") == 0


@settings(max_examples=50, deadline=None)
@given(body=st.text("0123456789", min_size=18, max_size=18), shift=st.integers(1, 96))
def test_an_iban_is_found_with_its_check_digits_and_not_without(presidio: TextScanner, body: str, shift: int) -> None:
    right = 98 - int(f"{body}131400") % 97  # DE00 moved to the end, letters as 13 and 14 (ISO 13616)
    wrong = (right - 2 + shift) % 97 + 2
    assert best(presidio, f"IBAN DE{right:02d}{body}", "IBAN_CODE") > 0.9
    assert best(presidio, f"IBAN DE{wrong:02d}{body}", "IBAN_CODE") == 0


def test_context_raises_a_score(presidio: TextScanner) -> None:
    assert best(presidio, "4111111111111111", "CREDIT_CARD") < best(presidio, "visa 4111111111111111", "CREDIT_CARD")
    assert best(presidio, "9876543210", "PHONE_NUMBER") < 0.5 < best(presidio, "tel 9876543210", "PHONE_NUMBER")
    assert best(presidio, "536228417", "US_SSN") < 0.5 < best(presidio, "ssn 536228417", "US_SSN")


def test_an_identifier_is_found_wherever_the_windows_are_cut(presidio: TextScanner) -> None:
    for offset in (1790, 2040, 2047, 2048, 2049, 4090, 4096, 10_000):
        text = "x" * 3 + " " * offset + "jordan@example.com and card 4111 1111 1111 1111" + " y" * 3000
        assert {("EMAIL_ADDRESS", "jordan@example.com"), ("CREDIT_CARD", "4111 1111 1111 1111")} <= found(
            presidio, text
        )
        assert len(presidio.scan(text).findings) == len(set(presidio.scan(text).findings))


def test_no_text_reaches_a_log_at_debug_level(presidio: TextScanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("presidio-analyzer", "decision_process", "tldextract"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    marked = (
        "MARKED7Q mail marked7q@example.com card 4111111111111111 iban gb82west12345698765432 ssn 536-22-8417 "
        "tel 2125550142"
    )
    assert len(presidio.scan(marked).findings) >= 5
    assert caplog.records == []


def test_nothing_reaches_the_network_or_a_file() -> None:
    script = """
import sys
seen = []
def audit(event, args):
    if event.startswith("socket."):
        seen.append(event)
    elif event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append(event)
    elif event in ("os.mkdir", "os.rename"):
        seen.append(event)
from llama_mapper.adapters.orchestration.scanners.identifiers.presidio_patterns import presidio_scanner
scanner = presidio_scanner()
scanner.load()
sys.addaudithook(audit)
scanner.load()
found = scanner.scan(
    "jordan@example.com https://example.co.uk/x example.org 203.0.113.7 4111111111111111 +49 30 12345678"
)
assert len(found.findings) >= 6, found
assert not seen, seen
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    scanner = presidio_scanner()
    assert scanner.descriptor.vendor == "presidio"
    with pytest.raises(ScannerNotInstalled, match=r"llama-mapper\[detectors\]"):
        scanner.load()
    with pytest.raises(RuntimeError, match="not loaded"):
        scanner.scan("x")
