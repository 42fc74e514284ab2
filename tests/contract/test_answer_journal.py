"""What every journal of models' answers promises, in memory and in a file; and what the file promises beyond."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mapper.adapters.mapping.jsonl_answer_journal import open_answer_journal
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, ValidationError
from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking
from llama_mapper.domain.mapping.generation.answers import AnswerJournal, MemoryAnswerJournal

RANKINGS = st.builds(
    Ranking,
    st.lists(st.builds(Candidate, st.sampled_from(["a.b", "a.c"]), st.floats(0, 1), st.floats(0, 1)), max_size=3).map(
        tuple
    ),
    st.one_of(st.none(), st.just("gguf_invalid_answer")),
    st.integers(0, 9_999),
    st.integers(0, 99),
    st.sampled_from(["", "gguf/small"]),
    st.decimals(0, 1_000, places=6),
    st.sampled_from(["", "gguf/small@1/option8/hints"]),
)
Opened = Callable[[], AbstractContextManager[AnswerJournal]]


@pytest.fixture(params=["memory", "file"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    if request.param == "memory":
        return lambda: contextlib.nullcontext(MemoryAnswerJournal())
    return lambda: open_answer_journal(tmp_path / "answers.jsonl")


def test_the_first_answer_to_a_question_stays(opened: Opened) -> None:
    with opened() as journal:
        assert journal.known("q") is None
        first = Ranking((Candidate("a.b", 0.5),), None, 3, 1, "gguf/small", Decimal("0.25"), "gguf/small@1")
        journal.keep("q", first)
        journal.keep("q", Ranking())
        assert journal.known("q") == first
        assert journal.known("other") is None


@settings(max_examples=30)
@given(kept=st.dictionaries(st.text("abc", min_size=1, max_size=3), RANKINGS, max_size=3), cut=st.floats(0, 1))
def test_a_file_cut_short_anywhere_loses_the_broken_line_alone(
    tmp_path_factory: pytest.TempPathFactory, kept: dict[str, Ranking], cut: float
) -> None:
    path = tmp_path_factory.mktemp("journal") / "answers.jsonl"
    with open_answer_journal(path) as journal:
        for question, ranking in kept.items():
            journal.keep(question, ranking)
    whole = path.read_bytes()
    path.write_bytes(whole[: round(cut * len(whole))])
    lines = max(0, path.read_bytes().count(b"\n") - 1)
    with open_answer_journal(path) as journal:
        for number, (question, ranking) in enumerate(kept.items()):
            assert journal.known(question) == (ranking if number < lines else None)
            journal.keep(question, ranking)
    assert path.read_bytes() == whole


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    for text in ('{"format": "notes 1"}\n', "a diary\n"):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match="not of models' answers"), open_answer_journal(path):
            pass
        assert path.read_text() == text


def test_two_calibrations_do_not_share_a_file(tmp_path: Path) -> None:
    with open_answer_journal(tmp_path / "answers.jsonl"):
        with pytest.raises(ValidationError) as refused, open_answer_journal(tmp_path / "answers.jsonl"):
            pass
        assert refused.value.error_code is ErrorCode.CONFLICT
