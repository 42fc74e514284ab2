"""Judging a text while it is written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mapper.domain.contracts.orchestration import DetectorStatus, Granularity, VerdictAction
from llama_mapper.domain.contracts.streaming import (
    StreamDone,
    StreamEvent,
    StreamFault,
    StreamFinding,
    StreamRelease,
    StreamStart,
    StreamVerdict,
)
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.orchestration.ports import DetectorFailed, Inspection, RawFinding
from llama_mapper.domain.orchestration.streaming.inbox import READ_AHEAD
from tests.unit.orchestration.support import EMAIL, SECRET, TOXIC, ScriptedDetector, raises, raw_plan, service

ACTIONS: dict[str, Any] = {
    "default": [{"threshold": 0.5, "action": "flag"}],
    "categories": {
        EMAIL: [{"threshold": 0.5, "action": "redact"}],
        SECRET: [{"threshold": 0.5, "action": "block"}],
    },
}


def words(found: dict[str, str], delay_s: float = 0.0) -> Callable[[str], Awaitable[Inspection]]:
    """Behaviour: find every occurrence of these words."""

    async def behave(text: str) -> Inspection:
        await asyncio.sleep(delay_s)
        return Inspection(
            tuple(
                RawFinding(label, 0.9, match.start(), match.end())
                for word, label in found.items()
                for match in re.finditer(re.escape(word), text)
            )
        )

    return behave


def detector(
    name: str = "a",
    found: dict[str, str] | None = None,
    granularity: Granularity = Granularity.SENTENCE,
    delay_s: float = 0.0,
) -> ScriptedDetector:
    made = ScriptedDetector(name, (EMAIL, SECRET, TOXIC), words(found or {}, delay_s))
    made.descriptor = replace(made.descriptor, granularity=granularity)
    return made


async def deltas(texts: Sequence[str], pause_s: float = 0.0) -> AsyncIterator[str]:
    for text in texts:
        await asyncio.sleep(pause_s)
        yield text


async def stream(
    detectors: Sequence[ScriptedDetector],
    texts: Sequence[str],
    own: dict[str, Any] | None = None,
    pause_s: float = 0.0,
    limit: int = 1000,
    **start: Any,
) -> list[StreamEvent]:
    plan = raw_plan([one.descriptor.name for one in detectors], own=own, actions=ACTIONS)
    asked = StreamStart(type="start", tenant_id="t1", **start)
    subject = service(detectors, plan, content_limit=limit)
    return [event async for event in (await subject.open_stream(asked)).events(deltas(texts, pause_s))]


def of(kind: type, events: Sequence[StreamEvent]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def shown(events: Sequence[StreamEvent]) -> str:
    return "".join(event.text for event in of(StreamRelease, events))


TEXT = "Hello there. Write to jo@example.org today! The key is s3cr3t. Bye now."

WORD = "WO. RD"
"""Has the end of a sentence in it, so that it comes in two windows if its second half is late."""

_PIECES = st.text("ab .!?\n", min_size=1, max_size=12) | st.sampled_from([WORD, "WO", "WO. ", "RD ", "WO. R"])
_CHUNKS = st.lists(_PIECES, min_size=1)


@settings(deadline=None)
@given(texts=_CHUNKS, hold=st.integers(6, 12), chunk=st.integers(64, 80))
async def test_no_part_of_a_blocked_word_ever_leaves(texts: list[str], hold: int, chunk: int) -> None:
    text = "".join(texts)
    events = await stream([detector(found={WORD: SECRET})], texts, hold_chars=hold, max_chunk_chars=chunk)
    released = shown(events)
    at = text.find(WORD)
    assert text.startswith(released)
    assert released == text if at < 0 else len(released) <= at
    done = events[-1]
    assert isinstance(done, StreamDone)
    assert (done.released, done.complete) == (len(released), at < 0)
    assert (done.response.verdict.action is VerdictAction.BLOCK) is (at >= 0)


@settings(deadline=None)
@given(texts=_CHUNKS, hold=st.integers(6, 12))
async def test_every_word_to_redact_is_replaced_and_the_rest_stays(texts: list[str], hold: int) -> None:
    text = "".join(texts)
    events = await stream([detector(found={WORD: EMAIL})], texts, hold_chars=hold, max_chunk_chars=64)
    assert shown(events) == text.replace(WORD, f"[{EMAIL}]")
    assert of(StreamDone, events)[0].complete
    found = of(StreamFinding, events)
    assert [text[one.finding.span.start : one.finding.span.end] for one in found] == [WORD] * text.count(WORD)
    assert not any(one.late for one in found)


@settings(deadline=None)
@given(texts=_CHUNKS)
async def test_releases_follow_one_another_without_a_gap(texts: list[str]) -> None:
    events = of(StreamRelease, await stream([detector()], texts, hold_chars=3))
    assert [one.start for one in events] == [0, *(one.end for one in events)][: len(events)]
    assert events[-1].end == len("".join(texts))


async def test_the_end_has_the_same_judgement_as_the_whole_text_at_once() -> None:
    found = {"jo@example.org": "EMAIL", "Bye": TOXIC}
    events = await stream([detector(found=found)], list(TEXT), hold_chars=20)
    done = of(StreamDone, events)[0].response
    assert done.verdict.action is VerdictAction.REDACT
    assert {finding.label for finding in done.detector_results[0].findings} == {"EMAIL", TOXIC}
    assert done.content_length == len(TEXT)
    assert done.detector_results[0].metadata["parts"] > 1


async def test_text_is_released_before_the_end_of_the_text() -> None:
    async def endless() -> AsyncIterator[str]:
        yield "One sentence. Another sentence. "
        await asyncio.Event().wait()

    plan = raw_plan(["a"], actions=ACTIONS)
    events = (
        await service([detector()], plan).open_stream(StreamStart(type="start", tenant_id="t1", hold_chars=4))
    ).events(endless())
    async with asyncio.timeout(5):
        first = await anext(events)
    await events.aclose()
    assert isinstance(first, StreamRelease)
    assert first.text == "One sentence. Another senten"


async def test_the_verdict_is_told_when_it_gets_stricter() -> None:
    events = await stream([detector(found={"jo@example.org": "EMAIL", "s3cr3t": SECRET})], [TEXT], hold_chars=8)
    assert [one.action for one in of(StreamVerdict, events)][-1] is VerdictAction.BLOCK
    assert "s3cr3t" not in shown(events)


async def test_a_detector_of_whole_texts_holds_nothing_and_answers_at_the_end() -> None:
    late = detector("whole", {"there. Write": TOXIC}, Granularity.WHOLE, delay_s=0.02)
    events = await stream([detector("a"), late], list(TEXT), hold_chars=4)
    assert late.asked == 1
    [finding] = of(StreamFinding, events)
    assert finding.late
    assert shown(events) == TEXT
    assert events.index(finding) > events.index(of(StreamRelease, events)[-1])
    assert of(StreamDone, events)[0].response.verdict.action is VerdictAction.FLAG


async def test_a_detector_of_paragraphs_is_asked_about_each_and_holds_nothing() -> None:
    text = "One WORD here.\n\nTwo here.\n\nThree WORD here."
    slow = detector("paragraphs", {"WORD": TOXIC}, Granularity.PARAGRAPH)
    events = await stream([detector("a"), slow], list(text), hold_chars=4)
    starts = [one.finding.span.start for one in of(StreamFinding, events)]
    assert starts == [text.index("WORD"), text.rindex("WORD")]
    assert slow.asked >= 2
    assert shown(events) == text


async def test_a_slow_detector_holds_a_part_for_its_time_and_then_no_longer() -> None:
    slow = detector("slow", delay_s=30)
    sentences = [f"This is number {number}. " for number in range(8)]
    own = {"slow": {"timeout_ms": 300}}
    events = await stream([detector("a"), slow], sentences, own, pause_s=0.02, hold_chars=4, max_hold_ms=10)
    assert shown(events) == "".join(sentences)
    assert 2 <= slow.asked <= 4  # at most three times in vain, and about the whole text
    [fault] = of(StreamFault, events)
    assert (fault.detector, fault.status) == ("slow", DetectorStatus.TIMEOUT)
    done = of(StreamDone, events)[0].response
    assert done.detector_results[1].status is DetectorStatus.TIMEOUT
    assert done.coverage_achieved == 0.5


async def test_failed_parts_are_made_good_at_the_end() -> None:
    asked = 0

    async def first_breaks(text: str) -> Inspection:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise DetectorFailed("broken")
        return await words({"Hello": TOXIC})(text)

    shaky = ScriptedDetector("shaky", (TOXIC,), first_breaks)
    events = await stream([shaky], ["Hello there. ", "And bye. "], hold_chars=2)
    done = of(StreamDone, events)[0].response
    assert done.detector_results[0].status is DetectorStatus.SUCCESS
    assert done.detector_results[0].metadata["parts_failed"] == 1
    [finding] = of(StreamFinding, events)
    assert finding.late


async def test_a_failing_detector_that_must_not_fail_blocks_at_once() -> None:
    broken = ScriptedDetector("broken", (TOXIC,), raises(DetectorFailed("broken")))
    own = {"broken": {"failure_mode": "fail_closed"}}
    events = await stream([broken], ["Hello there. ", "Bye. "], own, hold_chars=2)
    assert shown(events) == ""
    assert of(StreamDone, events)[0].response.verdict.action is VerdictAction.BLOCK


@pytest.mark.parametrize("fault", [DetectorFailed("broken"), None])
async def test_what_was_found_in_the_held_end_stands_when_the_next_part_fails(fault: DetectorFailed | None) -> None:
    asked = 0

    async def only_once(text: str) -> Inspection:
        nonlocal asked
        asked += 1
        if asked == 1:
            return await words({"s3cr3t": SECRET})(text)
        if fault is not None:
            raise fault
        await asyncio.sleep(30)
        return Inspection()

    shaky = ScriptedDetector("shaky", (SECRET,), only_once)
    texts = ["Here it is: s3cr3t. ", "And more of it follows now. ", "The end."]
    events = await stream([shaky], texts, {"shaky": {"timeout_ms": 50}}, 0.02, hold_chars=16, max_hold_ms=40)
    assert "s3cr3t" not in shown(events)
    done = of(StreamDone, events)[0].response
    assert done.verdict.action is VerdictAction.BLOCK
    assert done.detector_results[0].status is not DetectorStatus.SUCCESS
    assert done.aggregation_summary.detectors_succeeded == 0


async def test_more_findings_than_a_record_holds_are_all_redacted() -> None:
    text = "WORD a. " * 1200
    pieces = [text[at : at + 80] for at in range(0, len(text), 80)]
    events = await stream([detector(found={"WORD": EMAIL})], pieces, limit=10_000)
    assert "WORD" not in shown(events)
    [result] = of(StreamDone, events)[0].response.detector_results
    assert (len(result.findings), result.findings_dropped) == (1000, 200)


async def test_the_writer_waits_for_the_judges() -> None:
    taken = 0

    async def eager() -> AsyncIterator[str]:
        nonlocal taken
        while True:
            taken += 100
            yield "x" * 99 + "\n"

    plan = raw_plan(["a"], actions=ACTIONS)
    start = StreamStart(type="start", tenant_id="t1", max_hold_ms=60_000)
    events = (await service([detector(delay_s=30)], plan, content_limit=10**6).open_stream(start)).events(eager())
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.1)
    assert taken <= READ_AHEAD + 200
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_cancelling_lets_the_detectors_and_the_reader_go() -> None:
    slow = detector(delay_s=30)
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            yield "One sentence. "
            await asyncio.Event().wait()
        finally:
            closed.set()

    before = len(asyncio.all_tasks())
    plan = raw_plan(["a"], actions=ACTIONS)
    start = StreamStart(type="start", tenant_id="t1", max_hold_ms=60_000)
    running = asyncio.ensure_future(anext((await service([slow], plan).open_stream(start)).events(endless())))
    while not slow.asked:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.sleep(0.02)
    assert slow.cancelled == 1
    assert closed.is_set()
    assert len(asyncio.all_tasks()) <= before


@pytest.mark.parametrize(("texts", "code"), [([], "INVALID_REQUEST"), (["x" * 600, "x" * 600], "CONTENT_TOO_LARGE")])
async def test_no_text_and_too_much_text_are_errors(texts: list[str], code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        await stream([detector()], texts)
    assert caught.value.error_code == code


async def test_what_reading_raises_is_raised() -> None:
    async def broken() -> AsyncIterator[str]:
        yield "One sentence. "
        raise ServiceError("line 2 is not JSON")

    plan = raw_plan(["a"], actions=ACTIONS)
    events = (await service([detector()], plan).open_stream(StreamStart(type="start", tenant_id="t1"))).events(broken())
    with pytest.raises(ServiceError, match="line 2"):
        _ = [event async for event in events]
