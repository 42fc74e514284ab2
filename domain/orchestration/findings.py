"""Turns a detector's raw answer into findings, or says what is malformed about it.

A detector is outside our control: it may run elsewhere, be new, or be wrong. What it says is checked here once, so
that no answer can break the request.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llama_mapper.domain.contracts.catalogue import CatalogueView, MatchStage, category_of
from llama_mapper.domain.contracts.orchestration import Finding, Span
from llama_mapper.domain.orchestration.conversation import places_of
from llama_mapper.domain.orchestration.label_screen import LabelScreen
from llama_mapper.domain.orchestration.ports import (
    NO_NOTES,
    DetectorDescriptor,
    Inspection,
    RawFinding,
    TextDigests,
    Turn,
)

FINDINGS_LIMIT = 1000
_NOTES_LIMIT = 16
_NOWHERE: tuple[tuple[int | None, int, int], ...] = ((None, 0, 0),)
# What the contract admits as a label. Lone surrogates are out as well: no JSON answer can carry them.
_LABEL = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}")
_UNDECIDED = frozenset({"meta.outcome.ambiguous", "meta.outcome.unmapped"})


class MalformedAnswer(ValueError):
    """The detector's answer cannot be used. The message never quotes it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a detector's answer amounts to: at most 1,000 findings in its order, and how many weaker ones were left.

    `undecided`: it gave a label that nobody knows, or one that says `ambiguous`, so that what it does not say
    elsewhere must not be read as `clean`.
    """

    findings: tuple[Finding, ...] = ()
    dropped: int = 0
    language: str | None = None
    undecided: bool = False
    notes: Mapping[str, str | bool | int | float] = field(default_factory=dict)


_SILENCE = Reading()


class FindingReader:
    """Reads answers with the catalogue's vocabularies and the tenants' keyed digests."""

    def __init__(self, catalogue: CatalogueView, digests: TextDigests) -> None:
        self._catalogue = catalogue
        self._digests = digests

    def read(
        self,
        tenant_id: str,
        content: str,
        turns: tuple[Turn, ...],
        descriptor: DetectorDescriptor,
        thresholds: Mapping[str, float],
        answer: object,
        catalogue: CatalogueView | None = None,
    ) -> Reading:
        """The findings of `answer` about `content`, those below their label's threshold marked.

        Raises `MalformedAnswer` for anything but an `Inspection` of findings with a label of 1 to 256 characters and
        a finite score from 0 to 1. A span that is empty, half given or outside the content is left out and the finding
        stays: what was found is worth more than where. One that crosses messages is a finding in each. A language that
        is not an ISO 639 code is left out. A label that nobody declared and that tells of the content is replaced; see
        `LabelScreen`. `catalogue` is the tenant's view, where that is not what ships.
        """
        if not isinstance(answer, Inspection):
            raise MalformedAnswer("the answer is not an inspection")
        language = answer.language if _is_language(answer.language) else None
        if not isinstance(answer.findings, tuple | list):
            raise MalformedAnswer("the findings are not a sequence of findings")
        notes = _notes(answer.notes)
        if not answer.findings:
            return Reading(language=language, notes=notes) if notes or language is not None else _SILENCE
        scored = [(_score(raw), raw) for raw in answer.findings]
        dropped = max(0, len(scored) - FINDINGS_LIMIT)
        if dropped:
            strongest = heapq.nlargest(FINDINGS_LIMIT, range(len(scored)), key=lambda at: (scored[at][0], -at))
            scored = [scored[at] for at in sorted(strongest)]
        findings, undecided = [], False
        screen: LabelScreen | None = None
        known = catalogue or self._catalogue
        for score, raw in scored:
            label = raw.label
            match = known.match(descriptor.vendor, descriptor.vendor_version, label)
            declared = descriptor.vocabulary.get(label) if match is None else None
            if match is None and declared is None and label not in descriptor.labels and label not in thresholds:
                screen = screen or LabelScreen(tenant_id, content, self._digests)
                label = screen.shown(label)
            canonical = declared if match is None else match.canonical
            undecided = undecided or canonical is None or canonical in _UNDECIDED
            digest = None
            places: Sequence[tuple[int | None, int, int]] = ()
            start, end = raw.start, raw.end
            if type(start) is int and type(end) is int and 0 <= start < end <= len(content):
                digest = self._digests.digest(tenant_id, content[start:end])
                places = places_of(start, end, turns)
            for message, start, end in places or _NOWHERE:
                findings.append(
                    Finding(
                        label=label,
                        score=score,
                        category=None if canonical is None else category_of(canonical),
                        span=Span(start=start, end=end) if start < end else None,
                        message=message,
                        below_threshold=score < thresholds.get(label, 0.0),
                        declared=declared,
                        meant=canonical if match is not None and match.stage is MatchStage.OVERLAY else None,
                        digest=digest,
                    )
                )
        if len(findings) > FINDINGS_LIMIT:  # where one is in several messages
            dropped += len(findings) - FINDINGS_LIMIT
            del findings[FINDINGS_LIMIT:]
        return Reading(tuple(findings), dropped, language, undecided, notes)


def _score(raw: object) -> float:
    """The score of a well-formed raw finding."""
    if not isinstance(raw, RawFinding):
        raise MalformedAnswer("a finding is of another type")
    label, score = raw.label, raw.score
    if not isinstance(label, str) or not _LABEL.fullmatch(label) or label.isspace():
        raise MalformedAnswer("a finding's label is not text of 1 to 256 characters without control characters")
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise MalformedAnswer("a finding's score is not a number")
    if not 0.0 <= score <= 1.0:  # NaN and the infinities are not either
        raise MalformedAnswer("a finding's score is outside 0 to 1")
    return float(score)


def _notes(notes: object) -> Mapping[str, str | bool | int | float]:
    """What of a detector's notes a record can carry: at most 16, short, finite."""
    if not notes or not isinstance(notes, Mapping):
        return NO_NOTES
    kept: dict[str, str | bool | int | float] = {}
    for name, value in notes.items():
        if len(kept) == _NOTES_LIMIT:
            break
        if isinstance(name, str) and 1 <= len(name) <= 64 and _is_note(value):
            kept[name] = value
    return kept


def _is_note(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= 128 and value.isprintable()
    return isinstance(value, bool | int | float) and math.isfinite(value)


def _is_language(code: object) -> bool:
    return isinstance(code, str) and 2 <= len(code) <= 3 and code.isascii() and code.isalpha() and code.islower()
