"""Judges a text while it is written, and releases what may be shown.

Sentences go to the detectors that judge sentences, in windows that overlap by `hold_chars`; text is released up to
`hold_chars` before the end of what was judged. A finding of at most that length which ends within the judged text
lies wholly in the window that ended there; one that does not end there yet begins in what is held back. So nothing of
it has left when it is found.

Detectors that judge paragraphs are asked at the ends of paragraphs, those that judge whole texts at the end, and
nothing waits for either. The same goes for a detector that cannot keep up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from itertools import compress
from time import monotonic

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.orchestration import (
    DetectorFault,
    DetectorMode,
    DetectorResult,
    DetectorStatus,
    Granularity,
    PolicyDecision,
    VerdictAction,
    VerdictReason,
)
from llama_mapper.domain.contracts.streaming import (
    StreamDone,
    StreamEvent,
    StreamFault,
    StreamFinding,
    StreamRelease,
    StreamStart,
    StreamVerdict,
)
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.orchestration.fanout import Call, FanOut
from llama_mapper.domain.orchestration.findings import MalformedAnswer, Reading
from llama_mapper.domain.orchestration.judging import Judge, call_for, response_of, result_of
from llama_mapper.domain.orchestration.own_words import AS_SHIPPED, Words
from llama_mapper.domain.orchestration.ports import Inspection
from llama_mapper.domain.orchestration.redaction import places_in, replaced
from llama_mapper.domain.orchestration.routing import Route
from llama_mapper.domain.orchestration.streaming.chunks import PARAGRAPH, SENTENCE, forced_cut, last_end, lead_in
from llama_mapper.domain.orchestration.streaming.inbox import Inbox
from llama_mapper.domain.orchestration.streaming.track import Said, Track

_STRENGTH = {action: strength for strength, action in enumerate(VerdictAction)}


class TextStream:
    """One text from its first delta to its judgement."""

    def __init__(
        self,
        start: StreamStart,
        tenant_id: str,
        route: Route,
        decision: PolicyDecision,
        judge: Judge,
        fan_out: FanOut,
        content_limit: int,
        service_version: str,
        words: Words = AS_SHIPPED,
        provenance: Sequence[ProvenanceEntry] = (),
    ) -> None:
        self._catalogue, self._overlay_version = words.catalogue, words.version
        self._provenance = provenance
        self._began = monotonic()
        self._service_version = service_version
        self._start = start
        self._tenant_id = tenant_id
        self._route = route
        self._decision = decision
        self._judge = judge
        self._fan_out = fan_out
        self._tracks = [Track(seat) for seat in route.seats]
        self._inbox = Inbox(content_limit)
        self._judged = 0  # sentence detectors have seen everything before
        self._certain = 0  # and what they say about everything before is final
        self._released = 0
        self._paragraphs = 0  # paragraph detectors have been asked about everything before
        self._behind: asyncio.Task[list[StreamEvent]] | None = None
        self._action = VerdictAction.ALLOW
        self._reasons: tuple[VerdictReason, ...] = ()

    async def events(self, deltas: AsyncIterator[str]) -> AsyncGenerator[StreamEvent, None]:
        """Everything up to the end of the text or the first `block`; see `OpenStream.events`."""
        reading = asyncio.create_task(self._inbox.fill(deltas))
        try:
            while self._action is not VerdictAction.BLOCK:
                cut = self._next_cut()
                if cut is not None:
                    for event in await self._judge_up_to(cut):
                        yield event
                    for event in self._from_behind():
                        yield event
                    self._start_behind()
                elif reading.done():
                    reading.result()
                    break
                else:
                    await self._inbox.more()
            reading.cancel()  # after a block nothing more is read
            if self._inbox.length == 0:
                raise ValidationError("the stream brought no text")
            if self._action is not VerdictAction.BLOCK:
                for event in self._settle(self._inbox.length):
                    yield event
            for event in await self._finish():
                yield event
        finally:
            tasks = [task for task in (reading, self._behind) if task is not None and not task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- sentences ---------------------------------------------------------------------------------------------------

    def _next_cut(self) -> int | None:
        """Up to where the text is to be judged next; None to wait for more of it."""
        inbox = self._inbox
        start = self._judged - inbox.tail_at
        if inbox.ended:
            return inbox.length if inbox.length > self._judged else None
        end = last_end(inbox.tail, start, SENTENCE)
        if end is None and len(inbox.tail) - start >= self._start.max_chunk_chars:
            end = forced_cut(inbox.tail, start)
        return None if end is None or end <= start else inbox.tail_at + end

    async def _judge_up_to(self, cut: int) -> list[StreamEvent]:
        inbox, hold = self._inbox, self._start.hold_chars
        begin = lead_in(inbox.tail, max(0, self._judged - hold - inbox.tail_at))
        text = inbox.tail[begin : cut - inbox.tail_at]
        begin += inbox.tail_at
        gates = [index for index, track in enumerate(self._tracks) if track.gates]
        answers, events = await self._ask(gates, text, begin, self._start.max_hold_ms / 1e3)
        # What lies wholly in text that was certain before has been said before; half words may say otherwise.
        before, certain = self._judged, self._certain
        for index, answer in answers.items():
            kept = [
                raw
                for raw in answer.findings
                if not (isinstance(raw.start, int) and isinstance(raw.end, int))
                or raw.start + begin >= certain
                or raw.end + begin > before
            ]
            # Whoever gave no answer this time has still said what it said last time.
            self._tracks[index].said = Said(begin, text, replace(answer, findings=tuple(kept)))
        self._judged = cut
        events += self._settle(max(self._certain, cut - hold))
        keep = max(0, min(self._released, cut - hold - 64, self._paragraphs if self._reads_paragraphs() else cut))
        inbox.keep_from(max(inbox.tail_at, keep), cut)
        return events

    def _settle(self, certain: int) -> list[StreamEvent]:
        """Make everything before `certain` final: tell its findings, judge, release."""
        events: list[StreamEvent] = []
        for index, track in enumerate(self._tracks):
            if (said := track.said) is not None:
                found = said.answer.findings
                final = [raw for raw in found if not isinstance(raw.start, int) or raw.start + said.begin < certain]
                events += self._told(index, replace(said.answer, findings=tuple(final)), said.text, said.begin)
        self._certain = certain
        failed = any(track.fault is not None for track in self._tracks if track.gates)
        if events or failed:
            events += self._verdict_so_far()
        if self._action is not VerdictAction.BLOCK:
            events += self._release(certain)
        return events

    def _release(self, end: int) -> list[StreamEvent]:
        if end <= self._released:
            return []
        start, tail_at = self._released, self._inbox.tail_at
        found = (
            finding for track in self._tracks if track.seat.terms.mode is DetectorMode.ENFORCE for finding in track.open
        )
        styles = self._route.decision.plan.redaction
        places = [place for place in places_in(found, self._reasons, styles) if place.end > start and place.start < end]
        end = max([end, *(place.end for place in places)])
        shown, count = replaced(
            self._inbox.tail[start - tail_at : end - tail_at],
            [replace(place, start=max(place.start, start) - start, end=place.end - start) for place in places],
        )
        self._released = end
        for track in self._tracks:
            track.released(end)
        return [StreamRelease(type="release", start=start, end=end, text=shown, redacted=count > 0)]

    # --- whatever nothing waits for ----------------------------------------------------------------------------------

    def _reads_paragraphs(self) -> bool:
        return any(track.seat.descriptor.granularity is Granularity.PARAGRAPH for track in self._tracks)

    def _start_behind(self) -> None:
        """Ask the paragraph detectors about the paragraphs that have ended, if they are not busy."""
        if self._behind is not None or not self._reads_paragraphs():
            return
        inbox = self._inbox
        end = last_end(inbox.tail, self._paragraphs - inbox.tail_at, PARAGRAPH)
        if end is not None:
            start, self._paragraphs = self._paragraphs, inbox.tail_at + end
            text = inbox.tail[start - inbox.tail_at : end]
            self._behind = asyncio.create_task(self._ask_behind(Granularity.PARAGRAPH, text, start))

    def _from_behind(self) -> list[StreamEvent]:
        if self._behind is None or not self._behind.done():
            return []
        events = self._behind.result()
        self._behind = None
        return events + self._verdict_so_far() if events else events

    async def _ask_behind(self, granularity: Granularity, text: str, begin: int) -> list[StreamEvent]:
        asked = [index for index, track in enumerate(self._tracks) if track.seat.descriptor.granularity is granularity]
        answers, events = await self._ask(asked, text, begin, self._route.plan.timeout_ms / 1e3)
        for index, answer in answers.items():
            events += self._told(index, answer, text, begin)
        return events

    async def _finish(self) -> list[StreamEvent]:
        """Ask who has not judged everything yet, and judge for good."""
        events: list[StreamEvent] = []
        if self._behind is not None:
            events += await self._behind
            self._behind = None
        whole = self._inbox.whole()
        if self._reads_paragraphs() and self._paragraphs < len(whole):
            events += await self._ask_behind(Granularity.PARAGRAPH, whole[self._paragraphs :], self._paragraphs)
        owing = [index for index, track in enumerate(self._tracks) if track.owes and track.seat.detector is not None]
        answers, faults = await self._ask(owing, whole, 0, self._route.plan.timeout_ms / 1e3, good=True)
        events += faults
        for index, answer in answers.items():
            events += self._told(index, answer, whole, 0)
        gathered = monotonic()
        results = self._results()
        judgement = self._judge.judge(self._route, results, self._undecided(), self._heard(results))
        language = next((track.language for track in self._tracks if track.language), None)
        verdict = judgement.verdict
        if _STRENGTH[verdict.action] > _STRENGTH[self._action]:
            self._action = verdict.action
            events.append(
                StreamVerdict(type="verdict", action=verdict.action, reasons=verdict.reasons, judged=len(whole))
            )
        response = response_of(
            self._start,
            self._route,
            decision=self._decision,
            tenant_id=self._tenant_id,
            length=len(whole),
            language=language,
            results=results,
            judgement=judgement,
            service_version=self._service_version,
            policy_ms=0.0,
            began=self._began,
            gathered=gathered,
            told=self._provenance,
            overlay_version=self._overlay_version,
        )
        complete = self._released == len(whole)
        return [*events, StreamDone(type="end", released=self._released, complete=complete, response=response)]

    # --- asking and telling ------------------------------------------------------------------------------------------

    async def _ask(
        self, asked: Sequence[int], text: str, begin: int, limit_s: float, *, good: bool = False
    ) -> tuple[dict[int, Inspection], list[StreamEvent]]:
        """The answers of these tracks about a part, and news of faults. `good`: the part is the whole text."""
        calls: dict[int, Call] = {}
        for index in asked:
            call = call_for(self._tracks[index].seat)
            if call is not None:
                calls[index] = call
        to_ask = [call for call in calls.values() if call.fault is None]
        if to_ask:
            await self._fan_out.run(to_ask, text, (), monotonic(), limit_s)
        answers: dict[int, Inspection] = {}
        events: list[StreamEvent] = []
        for index, call in calls.items():
            track = self._tracks[index]
            if call.fault is None:
                try:  # once here, so that nothing malformed is worked with
                    self._judge.reading(self._tenant_id, text, (), track.seat, call, self._catalogue)
                except MalformedAnswer as error:
                    call.status = DetectorStatus.FAILED
                    call.fault = DetectorFault(code="MALFORMED_FINDING", message=str(error))
            if call.fault is None and call.answer is not None:
                answers[index] = call.answer
                track.made_good(call) if good else track.answered(call)
            elif call.fault is not None and track.failed(call):
                events.append(
                    StreamFault(
                        type="fault",
                        detector=track.seat.descriptor.name,
                        status=call.status,
                        fault=call.fault,
                        start=begin,
                        end=begin + len(text),
                    )
                )
        return answers, events

    def _told(self, index: int, answer: Inspection, text: str, begin: int) -> list[StreamEvent]:
        """Take an answer over and tell what is new in it."""
        track = self._tracks[index]
        call = Call(track.seat.descriptor.name, track.seat.detector, 0.0) if track.seat.detector else None
        if call is None or not (answer.findings or answer.language):
            return []
        call.answer = answer
        reading: Reading = self._judge.reading(self._tenant_id, text, (), track.seat, call, self._catalogue)
        late = not track.gates
        return [
            StreamFinding(
                type="finding",
                detector=track.seat.descriptor.name,
                finding=finding,
                late=finding.span.start < self._released if finding.span is not None else late,
            )
            for finding in track.add(reading, begin)
        ]

    def _results(self) -> tuple[DetectorResult, ...]:
        language = next((track.language for track in self._tracks if track.language), None)
        return tuple(result_of(track.seat, track.call(), track.reading(), language) for track in self._tracks)

    def _heard(self, results: Sequence[DetectorResult]) -> tuple[DetectorResult, ...]:
        """The results as far as their findings count."""
        return tuple(
            result.model_copy(update={"status": DetectorStatus.SUCCESS}) if track.heard else result
            for result, track in zip(results, self._tracks, strict=True)
        )

    def _undecided(self) -> list[str]:
        return [track.seat.descriptor.name for track in self._tracks if track.undecided or track.heard]

    def _verdict_so_far(self) -> list[StreamEvent]:
        results = self._results()
        asked = [track.parts > 0 for track in self._tracks]
        judged, heard = list(compress(results, asked)), list(compress(self._heard(results), asked))
        verdict = self._judge.so_far(self._route, judged, heard, self._undecided())
        self._reasons = verdict.reasons
        if _STRENGTH[verdict.action] <= _STRENGTH[self._action]:
            return []
        self._action = verdict.action
        return [StreamVerdict(type="verdict", action=verdict.action, reasons=verdict.reasons, judged=self._judged)]
