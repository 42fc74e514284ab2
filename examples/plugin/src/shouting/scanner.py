"""Finds words in capitals. Runs in llama-mapper's worker processes."""

from __future__ import annotations

import re

from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection, RawFinding

_WORD = re.compile(r"\b[A-Z]{4,}\b")


class ShoutingScanner:
    """Says `SHOUTING` for every word of four capitals or more."""

    descriptor = DetectorDescriptor(
        name="shouting",
        vendor="example",
        vendor_version="1",
        categories=("content.toxic_language",),
        labels=("SHOUTING",),
        languages=(),
        cost_ms_per_kchar=0.05,
        vocabulary={"SHOUTING": "content.toxic_language"},
    )

    def load(self) -> None:
        """Nothing to load."""

    def scan(self, text: str) -> Inspection:
        """Find the words."""
        return Inspection(tuple(RawFinding("SHOUTING", 0.6, word.start(), word.end()) for word in _WORD.finditer(text)))


def shouting_scanner() -> ShoutingScanner:
    """The factory that llama-mapper calls in its worker process."""
    return ShoutingScanner()
