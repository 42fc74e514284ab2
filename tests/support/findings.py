"""Reading what a scanner found."""

from __future__ import annotations

from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner


def found(scanner: TextScanner, text: str, threshold: float = 0.5) -> set[tuple[str, str]]:
    """(label, matched text) of the findings of at least `threshold`."""
    return {
        (finding.label, text[finding.start : finding.end])
        for finding in scanner.scan(text).findings
        if finding.score >= threshold
    }


def best(scanner: TextScanner, text: str, label: str) -> float:
    """The highest score of `label` in `text`; 0 where it was not found at all."""
    return max((finding.score for finding in scanner.scan(text).findings if finding.label == label), default=0.0)
