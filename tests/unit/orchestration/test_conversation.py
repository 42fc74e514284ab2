"""Messages with roles, judged as one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from llama_mapper.domain.contracts.orchestration import Message, OrchestrationRequest, Role, Span
from llama_mapper.domain.orchestration.conversation import places_of, text_of
from llama_mapper.domain.orchestration.ports import Inquiry, Inspection, RawFinding, Turn
from tests.unit.orchestration.support import EMAIL, ScriptedDetector, raw_plan, service

FIRST, SECOND = "my mail is jo@example.org", "thanks, jo@example.org"


def conversation(*texts: str) -> OrchestrationRequest:
    roles = (Role.USER, Role.ASSISTANT)
    return OrchestrationRequest(
        messages=tuple(Message(role=roles[at % 2], content=text) for at, text in enumerate(texts)), tenant_id="t1"
    )


async def test_every_message_is_judged_and_spans_are_within_their_message() -> None:
    async def every(text: str) -> Inspection:
        starts = [at for at in range(len(text)) if text.startswith("jo@example.org", at)]
        return Inspection(tuple(RawFinding("EMAIL", 0.9, at, at + 14) for at in starts))

    detector = ScriptedDetector("a", (EMAIL,), every)
    answer = await service([detector], raw_plan(["a"])).orchestrate(conversation(FIRST, SECOND))
    first, second = answer.detector_results[0].findings
    assert (first.message, first.span) == (0, Span(start=11, end=25))
    assert (second.message, second.span) == (1, Span(start=8, end=22))
    assert first.digest == second.digest


async def test_detectors_are_told_the_turns() -> None:
    seen: list[Inquiry] = []

    class Watching(ScriptedDetector):
        async def inspect(self, inquiry: Inquiry) -> Inspection:
            seen.append(inquiry)
            return Inspection()

    await service([Watching("a")], raw_plan(["a"])).orchestrate(conversation("one", "three"))
    [inquiry] = seen
    assert inquiry.turns == (Turn(Role.USER, 0, 3), Turn(Role.ASSISTANT, 5, 10))
    assert [inquiry.text[turn.start : turn.end] for turn in inquiry.turns] == ["one", "three"]


@given(st.lists(st.text(st.characters(blacklist_categories=["Cc", "Cs"]), min_size=1, max_size=20), min_size=1))
def test_a_span_within_a_message_comes_back_as_it_is(texts: list[str]) -> None:
    whole, turns = text_of(conversation(*texts))
    for index, turn in enumerate(turns):
        assert whole[turn.start : turn.end] == texts[index]
        for start in range(len(texts[index])):
            end = len(texts[index])
            assert places_of(turn.start + start, turn.start + end, turns) == [(index, start, end)]


def test_a_span_across_messages_has_a_place_in_each() -> None:
    _, turns = text_of(conversation("one", "two", "six"))
    assert places_of(1, 12, turns) == [(0, 1, 3), (1, 0, 3), (2, 0, 2)]
    assert places_of(3, 7, turns) == [(1, 0, 2)]
    assert places_of(3, 5, turns) == []


async def test_findings_that_several_messages_make_too_many_are_told_as_dropped() -> None:
    async def all_of_it(text: str) -> Inspection:
        return Inspection(tuple(RawFinding("EMAIL", 0.9, at, len(text)) for at in range(600)))

    detector = ScriptedDetector("a", (EMAIL,), all_of_it)
    answer = await service([detector], raw_plan(["a"]), content_limit=2000).orchestrate(conversation("x" * 700, "y"))
    [result] = answer.detector_results
    assert (len(result.findings), result.findings_dropped) == (1000, 200)


@pytest.mark.parametrize("fields", [{}, {"content": "a", "messages": [{"role": "user", "content": "a"}]}])
def test_a_request_has_content_or_messages(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        OrchestrationRequest.model_validate(fields, strict=False)


def test_all_messages_together_are_bounded() -> None:
    with pytest.raises(ValidationError, match="all messages together"):
        conversation(*["x" * 600_000] * 2)
