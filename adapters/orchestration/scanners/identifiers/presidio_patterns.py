"""The `presidio` detector: Presidio's pattern recognisers in one pass, without its engine and without a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from llama_mapper.adapters.orchestration.scanners.identifiers.phone_numbers import PHONE_NUMBER, find_phones
from llama_mapper.adapters.orchestration.scanners.identifiers.presidio_library import pattern_recognizers
from llama_mapper.adapters.orchestration.scanners.identifiers.presidio_scores import FLOOR, WORTH, score_hit
from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan.rules import strongest
from llama_mapper.adapters.orchestration.scanners.textscan.windows import windows
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection, RawFinding

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

PRESIDIO_VERSION = "2.2.366"

_DESCRIPTOR = DetectorDescriptor(
    name="presidio",
    vendor="presidio",
    vendor_version=PRESIDIO_VERSION,
    categories=("pii.personal_identifiers", "pii.financial_data", "pii.online_identifiers"),
    labels=(*WORTH, PHONE_NUMBER),
    languages=("en", "de", "es", "fr"),
    cost_ms_per_kchar=1.6,
)

_DIGIT = re.compile(r"\d")
_SIX_DIGITS = re.compile(r"(?:\d[^\d\n]{0,3}){5}\d")
_NEEDS: dict[str, Callable[[str], bool]] = {
    "EMAIL_ADDRESS": lambda text: "@" in text,
    "URL": lambda text: "." in text,
    "IP_ADDRESS": lambda text: "." in text or ":" in text,
    "MAC_ADDRESS": lambda text: ":" in text or "-" in text or "." in text,
    **dict.fromkeys(("CRYPTO", "IBAN_CODE", "IT_FISCAL_CODE", "IN_PAN"), lambda text: _DIGIT.search(text) is not None),
}
"""What text must have for a recogniser to be worth running; the others need six digits close together."""


class PresidioPatternScanner:
    """Finds contact, identity, payment and network identifiers by pattern and check digit."""

    def __init__(self) -> None:
        self._recognizers: list[tuple[str, PatternRecognizer]] | None = None

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What it declares."""
        return _DESCRIPTOR

    def load(self) -> None:
        """Import Presidio (2 to 3 s) and build the recognisers; raise `ScannerNotInstalled` where it is missing."""
        self._recognizers = [(recognizer.supported_entities[0], recognizer) for recognizer in pattern_recognizers()]

    def scan(self, text: str) -> Inspection:
        """Judge `text`; raise `DetectorFailed` if a recogniser breaks and `RuntimeError` before `load`."""
        if self._recognizers is None:
            raise RuntimeError("the presidio scanner was not loaded")
        return Inspection(strongest(self._find(text, self._recognizers)))

    def _find(self, text: str, recognizers: list[tuple[str, PatternRecognizer]]) -> Iterator[RawFinding]:
        for window in windows(text):
            digits = _SIX_DIGITS.search(window.text) is not None
            for label, recognizer in recognizers:
                needs = _NEEDS.get(label)
                if not (digits if needs is None else needs(window.text)):
                    continue
                for start, end, raw in _hits(recognizer, label, window.text):
                    if window.low <= window.base + start < window.high:
                        score = score_hit(label, raw, window.text, start, end)
                        if score >= FLOOR:
                            yield RawFinding(label, score, window.base + start, window.base + end)
            if digits:
                for phone in find_phones(window.text):
                    start, end = window.base + (phone.start or 0), window.base + (phone.end or 0)
                    if window.low <= start < window.high:
                        yield RawFinding(PHONE_NUMBER, phone.score, start, end)


def _hits(recognizer: PatternRecognizer, label: str, text: str) -> list[tuple[int, int, float]]:
    try:
        return [(hit.start, hit.end, hit.score) for hit in recognizer.analyze(text, [label], None)]
    except Exception as error:
        # Not chained: a library's message may quote the text.
        raise DetectorFailed(f"presidio's recogniser for {label} raised {type(error).__name__}") from None


def presidio_scanner() -> TextScanner:
    """A scanner of Presidio's patterns, not yet loaded."""
    return PresidioPatternScanner()
