"""Labels that nobody declared, and the text that they are about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.orchestration.findings import FindingReader
from llama_mapper.domain.orchestration.label_screen import MOST_LABELS, WITHHELD, LabelScreen
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection, RawFinding
from tests.unit.orchestration.support import EMAIL, HmacDigests, SmallCatalogue

TEXT = "Jonas O'Neill-Krämer (born 1971-03-05) pays with 4111 1111 1111 1111 in Łódź; ask Bob. 王小明也在 🔪"
UNDECLARED = DetectorDescriptor("a", "nobody", "1", (EMAIL,), (), (), 0.1)


def shown(label: str, text: str = TEXT) -> str:
    return LabelScreen("t1", text, HmacDigests()).shown(label)


@pytest.mark.parametrize(
    "label",
    [
        "Jonas",
        "JONAS",
        "jona",
        "PERSON: Jonas",
        "person_jonas",
        "PersonJonas",
        "\uff2a\uff2f\uff2e\uff21\uff33",
        "KRÄMER",
        "oneill",
        "ONeill",
        "4111111111111111",
        "card 4111-1111-1111-1111",
        "1111",
        "born 1971",
        "name=Bob",
        "łódź",
        "人名:王小明",
        "小明",
        "🔪",
        "x" * 65,
        "one two six ten zip zap zoo zen nil",
    ],
)
def test_a_label_that_tells_of_the_text_is_replaced_by_its_keyed_digest(label: str) -> None:
    assert shown(label) == WITHHELD + HmacDigests().digest("t1", label)


@pytest.mark.parametrize(
    "label", ["EMAIL_ADDRESS", "toxic", "LABEL_1", "S5", "B-LOC", "category 12", "hap", "🔥", "Ärger", "人身攻击", "~"]
)
def test_a_label_that_says_nothing_of_the_text_stays(label: str) -> None:
    assert shown(label) == label


@given(st.text(min_size=12, max_size=60).filter(lambda text: sum(map(str.isalnum, text)) >= 8), st.data())
def test_no_piece_of_eight_letters_of_the_text_is_ever_shown(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text) - 8))
    piece = text[at : at + data.draw(st.integers(8, 40))]
    if sum(map(str.isalnum, piece)) >= 8 and piece.isprintable():
        assert piece not in shown(piece, text)


def test_an_answer_with_very_many_undeclared_labels_says_none_beyond_the_first() -> None:
    screen = LabelScreen("t1", "nothing alike", HmacDigests())
    labels = [screen.shown(f"q{number:04}") for number in range(100)]
    assert labels[:MOST_LABELS] == [f"q{number:04}" for number in range(MOST_LABELS)]
    assert all(label.startswith(WITHHELD) for label in labels[MOST_LABELS:])
    assert screen.shown("q0000") == "q0000"


@pytest.mark.parametrize(
    ("descriptor", "thresholds"),
    [
        (DetectorDescriptor("a", "acme", "1.0", (EMAIL,), (), (), 0.1), {}),
        (DetectorDescriptor("a", "nobody", "1", (EMAIL,), (), (), 0.1, {"EMAIL": EMAIL}), {}),
        (DetectorDescriptor("a", "nobody", "1", (EMAIL,), ("EMAIL",), (), 0.1), {}),
        (UNDECLARED, {"EMAIL": 0.5}),
    ],
    ids=["catalogue", "registration", "declaration", "policy"],
)
def test_a_label_that_somebody_declared_is_never_touched(
    descriptor: DetectorDescriptor, thresholds: dict[str, float]
) -> None:
    reader, text = FindingReader(SmallCatalogue(), HmacDigests()), "my email is my own"
    said = Inspection((RawFinding("EMAIL", 0.9),))
    assert reader.read("t1", text, (), descriptor, thresholds, said).findings[0].label == "EMAIL"
    [withheld] = reader.read("t1", text, (), UNDECLARED, {}, said).findings
    assert withheld.label.startswith(WITHHELD)


def test_a_withheld_label_is_still_a_finding_that_nobody_knows() -> None:
    reader = FindingReader(SmallCatalogue(), HmacDigests())
    said = Inspection((RawFinding("Jonas", 0.9, 0, 5), RawFinding("Jonas", 0.8)))
    reading = reader.read("t1", TEXT, (), UNDECLARED, {}, said)
    assert reading.undecided
    assert [one.category for one in reading.findings] == [None, None]
    assert reading.findings[0].label == reading.findings[1].label == f"{WITHHELD}{reading.findings[0].digest}"
