"""Guard models' judgements: read in their closed form, and in no other."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.remote.chat_guard_detector import FAMILIES, read, request_of
from llama_mapper.adapters.orchestration.remote.factory import dialect_of
from llama_mapper.adapters.orchestration.remote.guards.qwen3guard import CATEGORIES
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.detectors import ChatGuardDetector, DetectorDefinition, GuardFamily
from llama_mapper.domain.contracts.orchestration import Role
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.ports import DetectorFailed, Inquiry, RawFinding, Turn

LLAMA, GRANITE, SHIELD, QWEN = GuardFamily


def completion(text: Any, *places: dict[str, float], finish: str = "stop") -> dict[str, Any]:
    """An OpenAI chat completion; each place is its likely tokens with their probabilities, the chosen one first."""
    content = [
        {
            "token": next(iter(place)),
            "logprob": math.log(next(iter(place.values()))),
            "top_logprobs": [{"token": token, "logprob": math.log(chance)} for token, chance in place.items()],
        }
        for place in places
    ]
    choice = {
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
        "logprobs": {"content": content} if places else None,
    }
    return {"choices": [choice]}


def judged(family: GuardFamily, answer: dict[str, Any], risk: str = "harm") -> list[tuple[str, float]]:
    return [(one.label, round(one.score, 6)) for one in read(answer, FAMILIES[family], risk)]


@pytest.mark.parametrize(
    ("family", "text", "found"),
    [
        (LLAMA, "\n\nsafe", []),
        (LLAMA, "\n\nunsafe\nS1,S9", [("S1", 1.0), ("S9", 1.0)]),
        (LLAMA, "unsafe\nS14", [("S14", 1.0)]),
        (LLAMA, "unsafe\nS1, S1", [("S1", 1.0)]),
        (LLAMA, "unsafe", [("unsafe", 1.0)]),
        (GRANITE, "No", []),
        (GRANITE, "Yes", [("harm", 1.0)]),
        (GRANITE, "Yes\n<confidence> High </confidence>", [("harm", 0.9)]),
        (GRANITE, "Yes\n<confidence> Low </confidence>", [("harm", 0.6)]),
        (GRANITE, "No\n<confidence> Low </confidence>", []),
        (GRANITE, "<score> yes </score>", [("harm", 1.0)]),
        (GRANITE, "<think>\n</think>\n\n<score> no </score>", []),
        (SHIELD, "Yes", [("harm", 1.0)]),
        (SHIELD, "No", []),
        (QWEN, "Safety: Safe\nCategories: None", []),
        (QWEN, "Safety: Safe\nCategories: None\nRefusal: Yes", []),
        (QWEN, "Safety: Unsafe\nCategories: Violent, PII", [("Violent", 1.0), ("PII", 1.0)]),
        (
            QWEN,
            "Safety: Controversial\nCategories: Politically Sensitive Topics",
            [("Politically Sensitive Topics", 0.5)],
        ),
        (QWEN, "Safety: Unsafe\nCategories: None", [("Unsafe", 1.0)]),
    ],
)
def test_each_family_is_read_in_its_form(family: GuardFamily, text: str, found: list[tuple[str, float]]) -> None:
    assert judged(family, completion(text)) == found


@pytest.mark.parametrize("family", GuardFamily)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "SAFE",
        "safe.",
        "safe safe",
        "unsafe S1",
        "unsafe\nS0",
        "unsafe\nS1,",
        "unsafe\nS100",
        "unsafe\nS1\nsafe",
        "yes no",
        "Yes, because",
        "No!",
        "Yes <confidence> Medium </confidence>",
        "<score> maybe </score>",
        "<think>the text says <score> no </score></think><score> yes </score>",
        "<score> no </score><score> yes </score>",
        "Safety: Safe",
        "Safety: Harmless\nCategories: None",
        "Safety: Unsafe\nCategories: Rudeness",
        "Safety: Unsafe\nCategories: Violent\nSafety: Safe\nCategories: None",
        "As you asked, I answer: safe",
        "\uff53\uff41\uff46\uff45",
    ],
)
def test_anything_else_is_malformed(family: GuardFamily, text: str) -> None:
    with pytest.raises(DetectorFailed) as caught:
        judged(family, completion(text))
    assert caught.value.code == "DETECTOR_MALFORMED_ANSWER"


@pytest.mark.parametrize("family", GuardFamily)
@given(st.text(max_size=60))
def test_no_text_breaks_a_reader_or_is_quoted(family: GuardFamily, text: str) -> None:
    try:
        found = judged(family, completion(text))
    except DetectorFailed as error:
        assert len(text) < 12 or text not in str(error)
    else:
        assert all(0 <= score <= 1 for _, score in found)


@pytest.mark.parametrize(
    ("family", "text", "places", "score"),
    [
        (LLAMA, "\n\nunsafe\nS1", ({"\n\n": 0.99}, {"unsafe": 0.75, "safe": 0.25}), 0.75),
        (GRANITE, "Yes", ({"Yes": 0.6, " yes": 0.1, "No": 0.3},), 0.7),
        (GRANITE, "<score> yes </score>", ({"<score>": 1.0}, {" yes": 0.8, " no": 0.2}), 0.8),
        (SHIELD, "Yes", ({"Yes": 0.9, "No": 0.1},), 0.9),
        (SHIELD, "Yes", ({"Yes": 0.9},), 1.0),
        (
            QWEN,
            "Safety: Unsafe\nCategories: PII",
            ({"Safety": 1.0}, {" Unsafe": 0.5, " Safe": 0.3, " Controversial": 0.2}),
            0.5,
        ),
    ],
)
def test_the_score_is_the_probability_of_the_judgement_where_it_is_told(
    family: GuardFamily, text: str, places: tuple[dict[str, float], ...], score: float
) -> None:
    assert {found for _, found in judged(family, completion(text, *places))} == {score}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"choices": []},
        {"choices": [{}, {}]},
        {"choices": [{"message": None}]},
        completion(None),
        completion(["safe"]),
        completion("safe", finish="length"),
        {"choices": [{"message": {"content": "safe"}, "logprobs": {"content": [{"token": 1, "logprob": 0}]}}]},
        {"choices": [{"message": {"content": "safe"}, "logprobs": {"content": "x"}}]},
    ],
)
def test_an_answer_that_is_no_completion_is_malformed(answer: Any) -> None:
    with pytest.raises(DetectorFailed) as caught:
        judged(LLAMA, answer)
    assert caught.value.code == "DETECTOR_MALFORMED_ANSWER"


def test_one_token_is_all_that_shieldgemma_is_to_say() -> None:
    assert judged(SHIELD, completion("Yes", finish="length"), "Harassment") == [("Harassment", 1.0)]


def _definition(family: GuardFamily, *risks: str) -> DetectorDefinition:
    protocol = ChatGuardDetector(kind="chat_guard", family=family, model="m", risks=risks)
    return DetectorDefinition(name="g", vendor="v", vendor_version="1", url="http://g.test/v1", protocol=protocol)


@pytest.mark.parametrize(
    ("family", "risks"),
    [
        (LLAMA, [""]),
        (QWEN, [""]),
        (GRANITE, ["harm"]),
        (SHIELD, ["Dangerous Content", "Harassment", "Hate Speech", "Sexually Explicit Information"]),
    ],
)
def test_each_default_risk_is_one_question(family: GuardFamily, risks: list[str]) -> None:
    dialect = dialect_of(_definition(family))
    assert dialect.url == "http://g.test/v1/chat/completions"
    assert [question.subject for question in dialect.ask(Inquiry("x"))] == risks


def test_the_risk_goes_to_the_servers_template_and_the_content_only_into_the_message() -> None:
    questions = dialect_of(_definition(GRANITE, "jailbreak", "violence")).ask(Inquiry("ignore </score> {{x}}"))
    assert [question.body["chat_template_kwargs"]["guardian_config"]["risk_name"] for question in questions] == [
        "jailbreak",
        "violence",
    ]
    for question in questions:
        assert question.body["messages"] == [{"role": "user", "content": "ignore </score> {{x}}"}]
        assert question.body["temperature"] == 0


def test_all_messages_of_a_conversation_are_judged() -> None:
    inquiry = Inquiry("hi\n\nhello", (Turn(Role.USER, 0, 2), Turn(Role.ASSISTANT, 4, 9)))
    protocol = ChatGuardDetector(kind="chat_guard", family=LLAMA, model="m")
    assert request_of(inquiry, protocol, "")["messages"] == [{"role": "user", "content": "hi\n\nhello"}]


@pytest.mark.parametrize(("family", "risk"), [(GRANITE, "groundedness"), (SHIELD, "Rudeness"), (LLAMA, "S1")])
def test_a_risk_that_the_family_cannot_be_asked_about_is_refused(family: GuardFamily, risk: str) -> None:
    with pytest.raises(ConfigurationError, match=risk):
        dialect_of(_definition(family, risk))


@pytest.mark.parametrize(
    ("vendor", "version", "labels"),
    [
        ("llama_guard", "3", [f"S{number}" for number in range(1, 15)]),
        ("llama_guard", "4", [f"S{number}" for number in range(1, 15)]),
        ("granite_guardian", "3", sorted(FAMILIES[GRANITE].known_risks)),
        ("qwen3guard", "1", [*CATEGORIES, "Controversial"]),
        ("shieldgemma", "1", sorted(FAMILIES[SHIELD].known_risks)),
    ],
)
def test_the_catalogue_knows_the_families_labels(vendor: str, version: str, labels: list[str]) -> None:
    catalogue = load_catalogue()
    assert [label for label in labels if catalogue.match(vendor, version, label) is None] == []


def test_findings_of_one_judgement_are_raw_findings_without_a_span() -> None:
    assert read(completion("unsafe\nS1"), FAMILIES[LLAMA], "") == (RawFinding("S1", 1.0),)
