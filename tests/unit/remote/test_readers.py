"""Requests and readers of the protocols that are not chat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.remote.answers import parse
from llama_mapper.adapters.orchestration.remote.factory import dialect_of
from llama_mapper.adapters.platform.http_calls import retry_after
from llama_mapper.domain.contracts.detectors import DetectorDefinition
from llama_mapper.domain.contracts.orchestration import Role
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.ports import DetectorFailed, Inquiry, RawFinding, Turn


def definition(protocol: dict[str, Any], url: str = "http://d.test") -> DetectorDefinition:
    raw = {"name": "d", "vendor": "v", "vendor_version": "1", "url": url, "protocol": protocol}
    return DetectorDefinition.model_validate(raw, strict=False)


def found(protocol: dict[str, Any], answer: Any, text: str = "a bomb") -> tuple[RawFinding, ...]:
    (question,) = dialect_of(definition(protocol)).ask(Inquiry(text))
    return question.read(answer)


def body_of(protocol: dict[str, Any], inquiry: Inquiry) -> Any:
    (question,) = dialect_of(definition(protocol)).ask(inquiry)
    return question.body


MODERATION = {"kind": "openai_moderation"}
BY_KEY = {"kind": "http_json", "body": {"q": "{{text}}"}, "findings": "$.scores.*", "label": "key", "score": "$"}
PLAIN = {"kind": "http_json", "body": {"q": "{{text}}"}, "findings": "$.found[*]", "start": "$.at[0]", "end": "$.at[1]"}
NAMES = [
    *("results", "categories", "category_scores", "flagged", "found", "scores", "label", "score", "start", "end"),
    *("detection", "entity_type", "choices", "message", "content", "logprobs", "token", "logprob"),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "protocol",
    [
        {"kind": "fms", "detector_id": "d"},
        {"kind": "fms", "detector_id": "d", "endpoint": "chat"},
        {"kind": "presidio"},
        MODERATION,
        MODERATION | {"flag_threshold": 0.5},
        PLAIN,
        BY_KEY,
        {"kind": "http_json", "body": {}, "findings": "$..label", "label": "$", "score": None},
        {"kind": "chat_guard", "family": "llama_guard", "model": "m"},
        {"kind": "chat_guard", "family": "qwen3guard", "model": "m"},
    ],
    ids=str,
)
@given(ANYTHING)
def test_whatever_is_answered_is_read_or_named_malformed(protocol: dict[str, Any], answer: Any) -> None:
    try:
        findings = found(protocol, answer)
    except DetectorFailed as error:
        assert error.code == "DETECTOR_MALFORMED_ANSWER"
    else:
        assert all(isinstance(one.label, str) and 0 <= one.score <= 1 for one in findings)


def _result(flags: dict[str, Any], scores: dict[str, Any], flagged: bool = True) -> dict[str, Any]:
    return {"results": [{"flagged": flagged, "categories": flags, "category_scores": scores}]}


@pytest.mark.parametrize(
    ("protocol", "answer", "findings"),
    [
        (MODERATION, _result({"hate": True, "violence": False}, {"hate": 0.8, "violence": 0.4}), [("hate", 0.8)]),
        (MODERATION, _result({"hate": False}, {"hate": 0.1}, flagged=False), []),
        (MODERATION, _result({"illicit": None, "hate": True}, {"illicit": None, "hate": 0.5}), [("hate", 0.5)]),
        (MODERATION, _result({"hate": False}, {"hate": 0.1}), [("flagged", 1.0)]),
        (
            MODERATION | {"flag_threshold": 0.4},
            _result({"hate": True, "violence": False, "sexual": False}, {"hate": 0.3, "violence": 0.4, "sexual": 0.39}),
            [("violence", 0.4)],
        ),
    ],
)
def test_moderation_flags_as_the_service_says_or_from_a_threshold_on(
    protocol: dict[str, Any], answer: Any, findings: list[tuple[str, float]]
) -> None:
    assert [(one.label, one.score) for one in found(protocol, answer)] == findings


@pytest.mark.parametrize(
    "answer",
    [
        {"results": []},
        {"results": [{}, {}]},
        _result({"hate": "yes"}, {"hate": 0.3}),
        _result({"hate": True}, {}),
        _result({"hate": True}, {"hate": None}),
        {"results": [{"flagged": False}]},
    ],
)
def test_a_moderation_that_contradicts_itself_is_malformed(answer: Any) -> None:
    with pytest.raises(DetectorFailed):
        found(MODERATION, answer)


@pytest.mark.parametrize("answer", [[], [[], []], [None], [[], None], [["x"]], {}])
def test_an_fms_answer_has_one_list_for_one_text(answer: Any) -> None:
    assert found({"kind": "fms", "detector_id": "d"}, [[]]) == ()
    with pytest.raises(DetectorFailed):
        found({"kind": "fms", "detector_id": "d"}, answer)


@pytest.mark.parametrize(("start", "end"), [(2, 7), (-1, 3), (6, 2), (2, 2), (10**30, 10**31)])
def test_a_span_outside_the_text_is_left_out_and_its_finding_stays(start: int, end: int) -> None:
    answer = [{"entity_type": "X", "score": 0.5, "start": start, "end": end}]
    assert found({"kind": "presidio"}, answer, "a bomb") == (RawFinding("X", 0.5),)


def test_addresses_may_have_the_version_or_not() -> None:
    for base in ("http://d.test", "http://d.test/", "http://d.test/v1", "http://d.test/v1/"):
        dialect = dialect_of(definition(MODERATION, base))
        assert (dialect.url, dialect.probe.url) == ("http://d.test/v1/moderations", "http://d.test/v1/models")
    plain = dialect_of(definition(PLAIN, "http://d.test:81/deep/path"))
    assert (plain.url, plain.probe.url) == ("http://d.test:81/deep/path", "http://d.test:81/")


def test_labels_that_are_keys_are_read_with_their_scores() -> None:
    answer = {"scores": {"toxic": 0.9, "insult": 0.02}}
    assert found(BY_KEY, answer) == (RawFinding("toxic", 0.9), RawFinding("insult", 0.02))
    assert found(BY_KEY | {"min_score": 0.5}, answer) == (RawFinding("toxic", 0.9),)


@pytest.mark.parametrize(
    ("changes", "answer", "finding"),
    [
        ({}, {"label": "x", "score": 0.5, "at": [2, 6]}, RawFinding("x", 0.5, 2, 6)),
        ({}, {"label": "x", "score": 0.5}, RawFinding("x", 0.5)),
        ({}, {"label": "x", "score": 0.5, "at": [None, None]}, RawFinding("x", 0.5)),
        ({"score": None}, {"label": "x"}, RawFinding("x", 1.0)),
        ({"score_scale": 100.0}, {"label": "x", "score": 50}, RawFinding("x", 0.5)),
        ({"label": "$.kind.name"}, {"kind": {"name": "x"}, "score": 1}, RawFinding("x", 1.0)),
    ],
)
def test_a_finding_is_where_its_paths_say(changes: dict[str, Any], answer: Any, finding: RawFinding) -> None:
    assert found(PLAIN | changes, {"found": [answer]}) == (finding,)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"found": "none"},
        {"found": 0},
        {"found": ["x"]},
        {"found": [{"score": 0.5}]},
        {"found": [{"label": "x"}]},
        {"found": [{"label": "x", "score": True}]},
        {"found": [{"label": 7, "score": 0.5}]},
        {"found": [{"label": "x", "score": 0.5, "at": [1]}]},
        {"found": [{"label": "x", "score": 0.5, "at": ["1", "2"]}]},
        {"found": [{"label": "x", "score": 0.5, "at": [0.0, 1.0]}]},
        {"found": [{"label": "x\n", "score": 0.5}]},
        {"found": [{"label": "x" * 257, "score": 0.5}]},
    ],
)
def test_an_answer_that_does_not_fit_the_paths_is_never_read_as_clean(answer: Any) -> None:
    with pytest.raises(DetectorFailed):
        found(PLAIN, answer)


@pytest.mark.parametrize("answer", [{"found": []}, {"found": None}, {"found": [{"label": "ok", "score": 1}]}])
def test_an_empty_answer_and_a_clean_label_find_nothing(answer: Any) -> None:
    assert found(PLAIN | {"clean_labels": ("ok",)}, answer) == ()


def test_the_body_is_filled_by_whole_values_only_so_that_content_cannot_change_it() -> None:
    body = {"a": ["{{text}}", {"b": "{{text}} and more"}], "m": "{{messages}}", "n": 1}
    inquiry = Inquiry('{{messages}}"}', (Turn(Role.DEVELOPER, 0, 2), Turn(Role.TOOL, 2, 4), Turn(Role.ASSISTANT, 4, 6)))
    assert body_of(PLAIN | {"body": body}, inquiry) == {
        "a": ['{{messages}}"}', {"b": "{{text}} and more"}],
        "m": [
            {"role": "system", "content": "{{"},
            {"role": "user", "content": "me"},
            {"role": "assistant", "content": "ss"},
        ],
        "n": 1,
    }


@pytest.mark.parametrize("path", ["$.a[", "$.a | $.b", "$.a~", "$.a[?@.b =~ /c/]", "$..", "$['a'"])
def test_a_path_outside_rfc_9535_is_refused_at_once(path: str) -> None:
    with pytest.raises(ConfigurationError):
        dialect_of(definition(PLAIN | {"findings": path}))


def test_presidio_is_asked_with_its_own_names() -> None:
    protocol = {"kind": "presidio", "language": "de", "entities": ("PERSON",), "score_threshold": 0.4}
    assert body_of(protocol, Inquiry("x")) == {
        "text": "x",
        "language": "de",
        "score_threshold": 0.4,
        "entities": ["PERSON"],
    }
    assert "entities" not in body_of({"kind": "presidio"}, Inquiry("x"))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"NaN", b"[NaN]", b"[Infinity]", b"[-Infinity]", b'"\xff"', b'"\\ud800"'),
        b"[" * 5000 + b"]" * 5000,
        b"[" + b"1," * 300_000 + b"1]",
    ],
)
def test_what_is_not_safe_json_is_malformed(content: bytes) -> None:
    with pytest.raises(DetectorFailed) as caught:
        parse(content)
    assert caught.value.code == "DETECTOR_MALFORMED_ANSWER"


def test_an_exception_does_not_carry_the_answer_along() -> None:
    with pytest.raises(DetectorFailed) as caught:
        parse(b'{"text": "xyzzy", ')
    assert "xyzzy" not in repr(vars(caught.value.__cause__))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("0", 0.0), ("999999999999", 86_400.0), ("", None), ("soon", None), ("-1", None), ("1.5", None)],
)
def test_retry_after_in_seconds(text: str, seconds: float | None) -> None:
    assert retry_after(text) == seconds


def test_retry_after_as_a_date() -> None:
    inside = retry_after(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    assert inside is not None
    assert 3000 < inside <= 3600
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize(("window", "overlap"), [(128, 64), (64, 64)])
def test_windows_that_would_not_move_on_cannot_be_defined(window: int, overlap: int) -> None:
    raw = definition(PLAIN).model_dump() | {"window_chars": window, "window_overlap_chars": overlap}
    with pytest.raises(ValueError, match="less than half"):
        DetectorDefinition.model_validate(raw, strict=False)
