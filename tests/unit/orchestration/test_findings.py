"""Reading what detectors answer."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.orchestration.findings import FINDINGS_LIMIT, FindingReader, MalformedAnswer, Reading
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection, RawFinding
from tests.unit.orchestration.support import EMAIL, HmacDigests, SmallCatalogue

CONTENT = "write to jo@example.org"
DESCRIPTOR = DetectorDescriptor("a", "acme", "1.0", (EMAIL,), (), (), 0.1)


def read(answer: object, content: str = CONTENT) -> Reading:
    return FindingReader(SmallCatalogue(), HmacDigests()).read("t1", content, (), DESCRIPTOR, {}, answer)


def finding(label: Any = "EMAIL", score: Any = 0.9, start: Any = None, end: Any = None) -> Inspection:
    return Inspection((RawFinding(label, score, start, end),))


def test_a_finding_gets_its_category_span_and_keyed_digest() -> None:
    [one] = read(finding(start=9, end=23)).findings
    assert one.category == EMAIL
    assert one.span is not None
    assert (one.span.start, one.span.end) == (9, 23)
    assert one.digest == HmacDigests().digest("t1", "jo@example.org")


def test_a_finding_without_a_span_has_no_digest() -> None:
    [one] = read(finding()).findings
    assert (one.span, one.digest) == (None, None)


def test_an_unknown_label_is_kept_without_a_category() -> None:
    reading = read(finding("NEVER_SEEN"))
    assert (reading.findings[0].category, reading.undecided) == (None, True)


def test_a_label_that_says_safe_keeps_that_as_its_category() -> None:
    reading = read(finding("safe"))
    assert (reading.findings[0].category, reading.undecided) == ("meta.outcome", False)


def test_a_label_that_says_ambiguous_leaves_the_detector_undecided() -> None:
    reading = read(finding("controversial"))
    assert (reading.findings[0].category, reading.undecided) == ("meta.outcome", True)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, -0.01, 1.01, 10**400, True, "0.9", None])
def test_a_score_that_is_no_score_makes_the_answer_malformed(score: Any) -> None:
    with pytest.raises(MalformedAnswer, match="score"):
        read(finding(score=score))


@pytest.mark.parametrize("label", ["", "  ", "x" * 257, None, 7, b"EMAIL", "\ud800", "a\x00b", "a\n"])
def test_a_label_that_is_no_label_makes_the_answer_malformed(label: Any) -> None:
    with pytest.raises(MalformedAnswer, match="label"):
        read(finding(label))


@pytest.mark.parametrize("answer", [None, [], {"findings": []}, Inspection(None), Inspection(("EMAIL",))])  # type: ignore[arg-type]  # wrong on purpose
def test_an_answer_of_another_shape_is_malformed(answer: Any) -> None:
    with pytest.raises(MalformedAnswer):
        read(answer)


@pytest.mark.parametrize(
    "span", [(0, 24), (-1, 3), (5, 5), (6, 5), (None, 4), (4, None), (0.0, 4), (True, 4), (10**30, 10**31)]
)
def test_a_wrong_span_is_left_out_and_the_finding_stays(span: tuple[Any, Any]) -> None:
    [one] = read(finding(start=span[0], end=span[1])).findings
    assert (one.label, one.span, one.digest) == ("EMAIL", None, None)


def test_spans_count_code_points() -> None:
    [one] = read(finding(start=2, end=3), "\U0001f600\u00e9x").findings
    assert one.digest == HmacDigests().digest("t1", "x")


def test_the_strongest_findings_are_kept_in_their_order_and_the_rest_is_counted() -> None:
    raw = tuple(RawFinding("EMAIL", (at % 1500) / 1500) for at in range(1500))
    reading = read(Inspection(raw))
    scores = [one.score for one in reading.findings]
    assert (len(scores), reading.dropped) == (FINDINGS_LIMIT, 500)
    assert scores == sorted(scores)
    assert scores[0] == 500 / 1500


@pytest.mark.parametrize(("code", "read_as"), [("de", "de"), ("yue", "yue"), ("DE", None), ("german", None), (7, None)])
def test_only_iso_639_codes_are_languages(code: Any, read_as: str | None) -> None:
    assert read(Inspection((), code)).language == read_as


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(
    st.builds(
        Inspection,
        st.lists(st.builds(RawFinding, anything, anything, anything, anything), max_size=4).map(tuple),
        anything,
    )
)
def test_no_answer_does_worse_than_being_malformed(answer: Inspection) -> None:
    try:
        read(answer)
    except MalformedAnswer as error:
        assert CONTENT not in str(error)
