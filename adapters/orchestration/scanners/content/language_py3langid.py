"""The content's language by py3langid (140 languages), or nothing where the text does not tell."""

from __future__ import annotations

import re
from typing import Any

from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection

_CONFIDENT = 0.5
_SHORTEST = 12
_READ = 16_384
_NOT_LANGUAGE = re.compile(r"https?://\S+|\S+@\S+|[\d_/\\|<>{}()\[\]=+*#~^$%&@`\"]+")


class LangidScanner:
    """Tells the language; never a finding. Its silence speaks for no risk category."""

    descriptor = DetectorDescriptor(
        name="language",
        vendor="py3langid",
        vendor_version="0.4.0",
        categories=(),
        labels=(),
        languages=(),
        cost_ms_per_kchar=0.7,
    )

    def __init__(self) -> None:
        self._identifier: Any = None

    def load(self) -> None:
        """Read the model; about half a second."""
        try:
            from py3langid.langid import (
                MODEL_FILE,
                LanguageIdentifier,
            )
        except ImportError as error:
            raise ScannerNotInstalled("py3langid is missing: install llama-mapper[detectors]") from error
        self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def scan(self, text: str) -> Inspection:
        """ISO 639-1 code of the first 16,384 code points' language; None under a probability of 0.5 or 12 letters."""
        if self._identifier is None:
            raise DetectorFailed("py3langid was not loaded")
        words = _NOT_LANGUAGE.sub(" ", text[:_READ])
        letters = sum(map(str.isalpha, words[: 8 * _SHORTEST]))
        if letters < _SHORTEST and (words.isascii() or letters < _SHORTEST // 3):
            return Inspection()
        language, confidence = self._identifier.classify(words)
        known = confidence >= _CONFIDENT and len(language) == 2
        return Inspection(language=language if known else None)


def langid_scanner() -> LangidScanner:
    """A scanner over py3langid, not loaded yet."""
    return LangidScanner()
