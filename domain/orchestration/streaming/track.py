"""What one detector has said about a text so far, put together from what it said about its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from llama_mapper.domain.contracts.orchestration import DetectorFault, DetectorStatus, Finding, Granularity, Span
from llama_mapper.domain.orchestration.fanout import Call
from llama_mapper.domain.orchestration.findings import FINDINGS_LIMIT, Reading
from llama_mapper.domain.orchestration.ports import Inspection
from llama_mapper.domain.orchestration.routing import Seat

_STRIKES = 3
"""Times in a row that a detector may be late before the stream goes on without it."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, and the part of the text that it is about: where that begins, and what it is."""

    begin: int
    text: str
    answer: Inspection


@dataclass(slots=True)
class Track:
    """One seat's findings in order of their certainty, and how it fared.

    `said` is its last answer about sentences, with the part that it was about. `open` are certain findings in text that
    was not released yet, however many there are.
    """

    seat: Seat
    said: Said | None = None
    open: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    dropped: int = 0
    undecided: bool = False
    language: str | None = None
    parts: int = 0
    parts_failed: int = 0
    elapsed_ms: float = 0.0
    status: DetectorStatus = DetectorStatus.SUCCESS
    fault: DetectorFault | None = None
    _strikes: int = 0
    _known: set[tuple[str, int, int]] = field(default_factory=set)
    _spanless: dict[str, float] = field(default_factory=dict)

    @property
    def gates(self) -> bool:
        """Whether text waits for it: it judges sentences and keeps up."""
        return self.seat.descriptor.granularity is Granularity.SENTENCE and self._strikes < _STRIKES

    @property
    def owes(self) -> bool:
        """Whether it has to be asked about the whole text in the end: parts of it were not judged."""
        return self.seat.descriptor.granularity is Granularity.WHOLE or self.parts_failed > 0 or not self.parts

    @property
    def heard(self) -> bool:
        """Whether it answered about some part and not about another: what it found counts, its silence does not."""
        return self.fault is not None and self.parts > self.parts_failed

    def failed(self, call: Call) -> bool:
        """A part got no answer; True where that is news: another status or fault than the last part's."""
        news = self.fault is None or call.fault is None or call.fault.code != self.fault.code
        self.parts += 1
        self.parts_failed += 1
        self.elapsed_ms += call.elapsed_ms
        self.status, self.fault = call.status, call.fault
        self._strikes = self._strikes + 1 if call.status is DetectorStatus.TIMEOUT else 0
        return news

    def answered(self, call: Call) -> None:
        """A part was answered."""
        self.parts += 1
        self.elapsed_ms += call.elapsed_ms
        self._strikes = 0

    def made_good(self, call: Call) -> None:
        """The whole text was judged in the end, so that failed parts no longer matter."""
        self.answered(call)
        self.status, self.fault = DetectorStatus.SUCCESS, None

    def add(self, reading: Reading, shift: int) -> list[Finding]:
        """Take over what was read about the part that begins at `shift`; give what is new, in the text's places."""
        new = []
        self.undecided = self.undecided or reading.undecided
        self.language = self.language or reading.language
        self.dropped += reading.dropped
        for finding in reading.findings:
            if finding.span is None:
                if finding.score <= self._spanless.get(finding.label, -1.0):
                    continue
                self._spanless[finding.label] = finding.score
            else:
                span = Span(start=finding.span.start + shift, end=finding.span.end + shift)
                key = (finding.label, span.start, span.end)
                if key in self._known:
                    continue
                self._known.add(key)
                finding = finding.model_copy(update={"span": span})
            new.append(finding)
            if len(self.findings) < FINDINGS_LIMIT:
                self.findings.append(finding)
            else:
                self.dropped += 1
        self.open += [finding for finding in new if finding.span is not None]
        return new

    def released(self, end: int) -> None:
        """Everything before `end` has left."""
        self.open = [finding for finding in self.open if finding.span is not None and finding.span.end > end]

    def call(self) -> Call | None:
        """All parts as the one call that a result is made from."""
        if self.seat.detector is None:
            return None
        call = Call(self.seat.descriptor.name, self.seat.detector, self.seat.timeout_s)
        call.status, call.fault = self.status, self.fault
        call.answer = Inspection()
        call.asked, call.ended = 1.0, 1.0 + self.elapsed_ms / 1e3
        return call

    def reading(self) -> Reading:
        """All that was read."""
        notes: dict[str, str | bool | int | float] = {"parts": self.parts}
        if self.parts_failed:
            notes["parts_failed"] = self.parts_failed
        return Reading(tuple(self.findings), self.dropped, self.language, self.undecided, notes)
