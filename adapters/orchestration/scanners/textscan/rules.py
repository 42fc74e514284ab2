"""Rules that turn text into findings: a cue, a gap and a value in one bounded pattern, and a check on the value.

Patterns must run in linear time over 256 KiB: every repetition before a required element has an upper bound, and a
cue word, not a free repetition, begins the pattern wherever that is possible.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llama_mapper.domain.orchestration.ports import RawFinding

GAP = r"[^\n;!?]{0,24}?"
"""What may stand between a cue and its value: up to 24 characters of the same line and clause."""

MARK = (
    r"(?:\s{0,3}(?:number|nummer|num|no|nr|núm|n[º°o]|code|id"
    r"|#)\b\.?)?[\s:#=.\-\u2013\u2014(\"']{0,6}(?:is|was|ist|lautet|es|est)?[\s:\"']{0,3}"
)
"""The usual words and signs between the name of an identifier and the identifier."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Matches of `pattern` are findings of `label`: its group `v` if it has one, else the whole match.

    `score` is the probability, by judgement, that such a match is what the label says. A value that fails `check`
    is no finding. `near`, where given, is a pattern to look for within `reach` characters either side; without a
    match there, the score is `otherwise` (0 drops the finding).
    """

    label: str
    pattern: re.Pattern[str]
    score: float
    check: Callable[[str], bool] | None = None
    near: re.Pattern[str] | None = None
    otherwise: float = 0.0
    reach: int = 80

    def apply(self, text: str) -> Iterable[RawFinding]:
        """Every finding in `text`, in order; two of them never overlap."""
        group = "v" if "v" in self.pattern.groupindex else 0
        for match in self.pattern.finditer(text):
            start, end = match.span(group)
            if self.check is not None and not self.check(text[start:end]):
                continue
            score = self.score
            if self.near is not None and not is_near(self.near, text, start, end, self.reach):
                score = self.otherwise
            if score > 0:
                yield RawFinding(self.label, score, start, end)


def is_near(pattern: re.Pattern[str], text: str, start: int, end: int, before: int, after: int | None = None) -> bool:
    """Whether `pattern` matches within `before` characters ahead of the span or `after` (default: as many) behind."""
    if pattern.search(text, max(0, start - before), start):
        return True
    return pattern.search(text, end, end + (before if after is None else after)) is not None


def words(*alternatives: str) -> str:
    """A pattern for any of the alternatives (themselves patterns) as whole words."""
    return rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)"


def cued(cue: str, value: str, gap: str = GAP) -> re.Pattern[str]:
    """A case-insensitive cue, a gap, then `value` (kept as written) as group `v`, not inside a longer word."""
    return re.compile(rf"(?i:{cue}){gap}(?P<v>(?<![\w]){value})(?!\w)")


def strongest(findings: Iterable[RawFinding]) -> tuple[RawFinding, ...]:
    """The findings by position; of two with the same label that overlap, the higher score stays, then the longer."""
    kept: dict[str, list[RawFinding]] = {}
    for finding in sorted(findings, key=lambda f: (f.start or 0, -(f.end or 0))):
        same = kept.setdefault(finding.label, [])
        if same and (same[-1].end or 0) > (finding.start or 0):
            if finding.score > same[-1].score:
                same[-1] = finding
        else:
            same.append(finding)
    return tuple(sorted((f for same in kept.values() for f in same), key=lambda f: (f.start or 0, f.end or 0, f.label)))


def scan_rules(text: str, rules: Sequence[Rule]) -> tuple[RawFinding, ...]:
    """What the rules find in `text`, reduced by `strongest`."""
    return strongest(finding for rule in rules for finding in rule.apply(text))
