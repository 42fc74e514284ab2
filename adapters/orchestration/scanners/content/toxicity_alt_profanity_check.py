"""Toxic English by alt-profanity-check: a linear model over words and their parts, judged sentence by sentence.

The model was trained on comments of a few sentences; a long text dilutes what one sentence says, so each is judged
alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection, RawFinding

from .windows import sentences

_LONGEST = 400
_REPORTED_FROM = 0.3


class ProfanityCheckScanner:
    """Toxic language in English; a finding's span is the sentence, its score the model's probability."""

    descriptor = DetectorDescriptor(
        name="toxicity",
        vendor="alt_profanity_check",
        vendor_version="1.9.1",
        categories=("content.toxic_language",),
        labels=("1",),
        languages=("en",),
        cost_ms_per_kchar=6.5,
    )

    def __init__(self) -> None:
        self._probabilities: Callable[[Sequence[str]], Any] | None = None

    def load(self) -> None:
        """Unpickle the model."""
        try:
            with warnings.catch_warnings():
                # scikit-learn warns where the model was pickled under another version; this one was checked to agree.
                warnings.simplefilter("ignore")
                from profanity_check import predict_prob
        except ImportError as error:
            raise ScannerNotInstalled("alt-profanity-check is missing: install llama-mapper[detectors]") from error
        self._probabilities = predict_prob

    def scan(self, text: str) -> Inspection:
        """Sentences that are toxic with a probability of at least 0.3."""
        if self._probabilities is None:
            raise DetectorFailed("alt-profanity-check was not loaded")
        spans = list(sentences(text, _LONGEST))
        if not spans:
            return Inspection()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = self._probabilities([text[start:end] for start, end in spans]).tolist()
        return Inspection(
            tuple(
                RawFinding("1", min(max(score, 0.0), 1.0), start, end)
                for (start, end), score in zip(spans, scores, strict=True)
                if score >= _REPORTED_FROM
            )
        )


def profanity_check_scanner() -> ProfanityCheckScanner:
    """A scanner over alt-profanity-check, not loaded yet."""
    return ProfanityCheckScanner()
