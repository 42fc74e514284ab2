"""Takes out of a content what the verdict wants redacted.

A pure function of the request and the answer, applied where the answer leaves us: the redacted text is content, and
no record, cache or log ever holds it.

What is replaced: the spans of findings that are enforced, counted, of a category whose verdict is `redact`, and at
least as sure as that verdict's threshold. Spans that overlap are replaced together, by the one with the highest
score, then the longest, then the first: nothing of a weaker finding stays behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llama_mapper.domain.contracts.orchestration import (
    DetectorMode,
    DetectorResult,
    DetectorStatus,
    Finding,
    OrchestrationRequest,
    OrchestrationResponse,
    Redacted,
    RedactedMessage,
    RedactionStyle,
    VerdictAction,
    VerdictReason,
)

_SURROGATE_DIGITS = 12
_UNPLACED_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Place:
    """What is replaced: in which message, from where to where, as whose finding."""

    message: int | None
    start: int
    end: int
    score: float
    label: str
    digest: str
    style: RedactionStyle

    @property
    def rank(self) -> tuple[float, int, int, str]:
        """Sorts the one that gives its name to an overlap first."""
        return -self.score, self.start - self.end, self.start, self.label


def redact(request: OrchestrationRequest, response: OrchestrationResponse) -> Redacted | None:
    """The request's content as `response`, the answer to it, wants it redacted; None where the verdict is another."""
    if response.verdict.action is not VerdictAction.REDACT:
        return None
    places: dict[int | None, list[Place]] = {}
    unplaced: dict[str, None] = {}
    reasons, styles = response.verdict.reasons, response.policy.plan.redaction
    counted = [result for result in response.detector_results if _counts(result)]
    findings = [finding for result in counted for finding in result.findings]
    for place in places_in(findings, reasons, styles):
        places.setdefault(place.message, []).append(place)
    for finding in _to_redact(findings, reasons):
        if finding.span is None:
            unplaced[finding.label] = None
    count = 0
    content: str | None = None
    messages = []
    if request.content is not None:
        content, count = replaced(request.content, places.get(None, []))
    for index, message in enumerate(request.messages):
        text, more = replaced(message.content, places.get(index, []))
        count += more
        messages.append(RedactedMessage(role=message.role, content=text))
    return Redacted(
        content=content,
        messages=tuple(messages),
        replaced=count,
        complete=not unplaced and not any(result.findings_dropped for result in counted),
        unplaced=tuple(unplaced)[:_UNPLACED_LIMIT],
    )


def places_in(
    findings: Iterable[Finding], reasons: Sequence[VerdictReason], styles: Mapping[str, RedactionStyle]
) -> Iterator[Place]:
    """The places of those findings, of enforced detectors, that a verdict with these reasons wants redacted."""
    for finding in _to_redact(findings, reasons):
        if finding.span is not None:
            yield Place(
                finding.message,
                finding.span.start,
                finding.span.end,
                finding.score,
                finding.label,
                finding.digest or "",
                _style_of(finding.category or "", styles),
            )


def _counts(result: DetectorResult) -> bool:
    return result.status is DetectorStatus.SUCCESS and result.mode is DetectorMode.ENFORCE


def _to_redact(findings: Iterable[Finding], reasons: Sequence[VerdictReason]) -> Iterator[Finding]:
    thresholds = {
        reason.subject: reason.threshold or 0.0
        for reason in reasons
        if reason.enforced and reason.code == "category_flagged" and reason.action is VerdictAction.REDACT
    }
    if not thresholds:
        return
    for finding in findings:
        asked = thresholds.get(finding.category or "")
        if asked is not None and finding.score >= asked and not finding.below_threshold:
            yield finding


def _style_of(category: str, styles: Mapping[str, RedactionStyle]) -> RedactionStyle:
    domain = category.partition(".")[0] + ".*"
    return styles.get(category) or styles.get(domain) or styles.get("*") or RedactionStyle.LABEL


def replaced(text: str, places: Sequence[Place]) -> tuple[str, int]:
    """The text with every place replaced, and how many replacements that took."""
    pieces: list[str] = []
    at = count = 0
    for start, end, best in _clusters(places):
        pieces += (text[at:start], _stand_in(best, end - start))
        at = end
        count += 1
    pieces.append(text[at:])
    return "".join(pieces), count


def _clusters(places: Sequence[Place]) -> Iterator[tuple[int, int, Place]]:
    """Overlapping places as one each: where it starts and ends, and who names it."""
    ordered = sorted(places, key=lambda place: place.start)
    first = 0
    while first < len(ordered):
        start, end, after = ordered[first].start, ordered[first].end, first + 1
        while after < len(ordered) and ordered[after].start < end:
            end = max(end, ordered[after].end)
            after += 1
        yield start, end, min(ordered[first:after], key=lambda place: place.rank)
        first = after


def _stand_in(place: Place, length: int) -> str:
    if place.style is RedactionStyle.MASK:
        return "*" * length
    if place.style is RedactionStyle.SURROGATE and place.digest:
        return f"[{place.label}-{place.digest.rpartition(':')[2][:_SURROGATE_DIGITS]}]"
    return f"[{place.label}]"
