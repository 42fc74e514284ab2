"""How tests read an inspection."""

from __future__ import annotations

from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner

THRESHOLD = 0.5


def flagged(scanner: TextScanner, text: str) -> set[str]:
    """Labels found at the policies' default threshold."""
    return {f.label for f in scanner.scan(text).findings if f.score >= THRESHOLD}


def spans(scanner: TextScanner, text: str, label: str) -> list[str]:
    """The words that findings with `label` point at."""
    return [text[f.start : f.end] for f in scanner.scan(text).findings if f.label == label]
