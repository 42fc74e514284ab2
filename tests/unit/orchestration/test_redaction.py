"""Taking out of a content what the verdict wants redacted."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.orchestration import (
    Finding,
    Message,
    OrchestrationRequest,
    OrchestrationResponse,
    Redacted,
    Role,
    Span,
)
from llama_mapper.domain.orchestration.ports import RawFinding
from llama_mapper.domain.orchestration.redaction import redact
from tests.unit.orchestration.support import EMAIL, TOXIC, ScriptedDetector, raw_plan, request, says, service

TEXT = "write to jo@example.org or jo@example.org, not to al@example.net"
_REDACT: dict[str, Any] = {
    "default": [{"threshold": 0.5, "action": "flag"}],
    "categories": {EMAIL: [{"threshold": 0.5, "action": "redact"}]},
}


def found(word: str, label: str = "EMAIL", score: float = 0.9, text: str = TEXT, nth: int = 0) -> RawFinding:
    at = -1
    for _ in range(nth + 1):
        at = text.index(word, at + 1)
    return RawFinding(label, score, at, at + len(word))


async def answered(
    *findings: RawFinding, style: str = "label", asked: OrchestrationRequest | None = None, **terms: Any
) -> tuple[OrchestrationRequest, OrchestrationResponse]:
    plan = raw_plan(["a"]) | {"actions": _REDACT, "redaction": {"default": style, "categories": {}}}
    plan["detectors"]["terms"]["a"] |= terms
    asked = asked or request(TEXT)
    return asked, await service([ScriptedDetector("a", (EMAIL,), says(*findings))], plan).orchestrate(asked)


async def redacted(*findings: RawFinding, **options: Any) -> Redacted:
    result = redact(*await answered(*findings, **options))
    assert result is not None
    return result


async def test_each_finding_is_replaced_by_its_label() -> None:
    result = await redacted(found("jo@example.org"), found("al@example.net"))
    assert result.content == "write to [EMAIL] or jo@example.org, not to [EMAIL]"
    assert (result.replaced, result.complete, result.unplaced) == (2, True, ())


async def test_a_mask_keeps_the_length() -> None:
    result = await redacted(found("jo@example.org"), style="mask")
    assert result.content == TEXT.replace("jo@example.org", "*" * 14, 1)


async def test_equal_texts_have_equal_surrogates_and_others_have_others() -> None:
    mails = (found("jo@example.org"), found("jo@example.org", nth=1), found("al@example.net"))
    content = (await redacted(*mails, style="surrogate")).content or ""
    first, second, third = (word.strip(",") for word in content.split() if "[EMAIL-" in word)
    assert first == second != third


async def test_of_overlapping_findings_the_surest_gives_its_name_and_none_leaves_a_rest() -> None:
    result = await redacted(found("jo@example", score=0.95), found("example.org or", label=EMAIL, score=0.8))
    assert result.content == "write to [EMAIL] jo@example.org, not to al@example.net"
    assert result.replaced == 1


async def test_of_equally_sure_findings_the_longer_gives_its_name() -> None:
    result = await redacted(found("jo@example.org", label=EMAIL), found("jo", label="EMAIL"))
    assert result.content is not None and result.content.startswith(f"write to [{EMAIL}] or")


async def test_what_has_no_place_is_told() -> None:
    result = await redacted(found("jo@example.org"), RawFinding(EMAIL, 0.9))
    assert (result.complete, result.unplaced) == (False, (EMAIL,))


async def test_nothing_is_redacted_for_another_verdict() -> None:
    assert redact(*await answered(found("jo@example.org", score=0.4))) is None


async def test_other_categories_findings_stay() -> None:
    result = await redacted(found("jo@example.org"), found("not", label=TOXIC))
    assert result.content == TEXT.replace("jo@example.org", "[EMAIL]", 1)


async def test_findings_below_their_threshold_stay() -> None:
    mails = (found("jo@example.org", label=EMAIL), found("al@example.net", score=0.7))
    assert (await redacted(*mails, thresholds={"EMAIL": 0.8})).replaced == 1


async def test_every_message_is_redacted_in_its_place() -> None:
    first, second = "I am jo@example.org", "Hello jo@example.org, hello"
    asked = OrchestrationRequest(
        messages=(Message(role=Role.USER, content=first), Message(role=Role.ASSISTANT, content=second)), tenant_id="t1"
    )
    whole = f"{first}\n\n{second}"
    mails = (found("jo@example.org", text=whole), found("jo@example.org", text=whole, nth=1))
    result = await redacted(*mails, asked=asked)
    assert [message.content for message in result.messages] == ["I am [EMAIL]", "Hello [EMAIL], hello"]
    assert [message.role for message in result.messages] == [Role.USER, Role.ASSISTANT]
    assert result.content is None


async def test_a_finding_across_messages_leaves_nothing_in_either() -> None:
    asked = OrchestrationRequest(
        messages=(Message(role=Role.USER, content="I am Jo"), Message(role=Role.USER, content="Doe, hello")),
        tenant_id="t1",
    )
    result = await redacted(RawFinding("EMAIL", 0.9, 5, 12), asked=asked)
    assert [message.content for message in result.messages] == ["I am [EMAIL]", "[EMAIL], hello"]


async def test_what_a_record_cannot_hold_makes_the_redaction_incomplete() -> None:
    result = await redacted(*[found("jo@example.org", score=0.5 + number / 10_000) for number in range(1001)])
    assert not result.complete


_SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from([0.6, 0.7, 0.9])), max_size=12)


@given(spans=_SPANS)
def test_no_character_of_any_finding_survives_and_every_other_does(spans: list[tuple[int, int, float]]) -> None:
    text = "".join(chr(0x4E00 + at) for at in range(60))  # every character once
    response = _response(text, spans)
    result = redact(OrchestrationRequest(content=text), response)
    assert result is not None and result.content is not None
    taken = {text[at] for start, length, _ in spans for at in range(start, start + length)}
    assert not taken & set(result.content)
    assert [one for one in text if one not in taken] == [one for one in result.content if one in text]


def _response(text: str, spans: list[tuple[int, int, float]]) -> OrchestrationResponse:
    findings = tuple(
        Finding(label="EMAIL", score=score, category=EMAIL, span=Span(start=start, end=start + length))
        for start, length, score in spans
    )
    result = _BASE.detector_results[0].model_copy(update={"findings": findings})
    return _BASE.model_copy(update={"detector_results": (result,)})


def _base() -> OrchestrationResponse:
    import asyncio

    with asyncio.Runner() as runner:
        return runner.run(answered(found("jo@example.org")))[1]


_BASE = _base()
