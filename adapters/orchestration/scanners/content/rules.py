"""Rules over folded text: a label, a score, a pattern, and a cheap test for whether the pattern is worth running.

Patterns are linear in the text by construction: they start with a word, and every gap is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llama_mapper.domain.orchestration.ports import RawFinding

from .folding import FoldedText

MATCHES_PER_RULE = 32
"""A rule reports this many matches at the most; one is enough for a verdict."""

_CONTEXT = 120


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern for folded text.

    `anchors` are literals of which a match must contain one, tested before the pattern runs; empty means always run.
    `tempered_by` is looked for in the same sentence; where found, the score becomes
    `tempered_score`.
    """

    label: str
    score: float
    pattern: re.Pattern[str]
    anchors: tuple[str, ...] = ()
    tempered_by: re.Pattern[str] | None = None
    tempered_score: float = 0.3


def matches(rules: Iterable[Rule], folded: FoldedText) -> Iterator[RawFinding]:
    """What the rules find, at offsets of the original text."""
    text = folded.text
    for rule in rules:
        if rule.anchors and not any(anchor in text for anchor in rule.anchors):
            continue
        for count, match in enumerate(rule.pattern.finditer(text)):
            if count == MATCHES_PER_RULE:
                break
            start, end = match.span()
            score = rule.score
            if rule.tempered_by is not None and rule.tempered_by.search(_sentence(text, start, end)):
                score = rule.tempered_score
            original_start, original_end = folded.span(start, end)
            yield RawFinding(rule.label, score, original_start, original_end)


def strongest(findings: Iterable[RawFinding]) -> tuple[RawFinding, ...]:
    """The findings in order of position; of overlapping ones with the same label only the highest score stays."""
    kept: dict[str, list[RawFinding]] = {}
    for finding in sorted(findings, key=lambda f: (f.label, f.start or 0, -(f.end or 0), -f.score)):
        row = kept.setdefault(finding.label, [])
        if row and (row[-1].end or 0) > (finding.start or 0):
            if finding.score > row[-1].score:
                row[-1] = finding
        else:
            row.append(finding)
    return tuple(sorted((f for row in kept.values() for f in row), key=lambda f: (f.start or 0, f.label)))


def _sentence(text: str, start: int, end: int) -> str:
    before = text[max(0, start - _CONTEXT) : start]
    cut = max(before.rfind(mark) for mark in (". ", "! ", "? ", "\n"))
    after = text[end : end + _CONTEXT // 2]
    stop = min((at for mark in ".!?\n" if (at := after.find(mark)) >= 0), default=len(after))
    return before[cut + 1 :] + text[start:end] + after[:stop]
