"""What every journal of finished folds promises, in memory and in a file; and what the file promises beyond."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.mapping.jsonl_fold_journal import open_fold_journal
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, StoreError, ValidationError
from llama_mapper.domain.mapping.evaluation.journal import MemoryJournal
from llama_mapper.domain.mapping.evaluation.ports import BatchTime, FoldJournal, FoldResult, SubjectAnswer

PLAN = "a" * 64
ANSWERS = st.builds(
    SubjectAnswer,
    canonical=st.one_of(st.none(), st.sampled_from(["pii.contact_information.email", "meta.outcome.safe"])),
    confidence=st.floats(0, 1),
    stage=st.sampled_from(MappingStage),
    prompt_tokens=st.integers(0, 10_000),
    completion_tokens=st.integers(0, 100),
    suggestions=st.lists(st.sampled_from(["a.b", "a.c"]), max_size=2).map(tuple),
    id_confidence=st.one_of(st.none(), st.floats(0, 1)),
)
RESULTS = st.builds(
    FoldResult,
    subject=st.sampled_from(["one", "two"]),
    fold=st.sampled_from(["a", "b", "c"]),
    answers=st.lists(ANSWERS, max_size=3).map(tuple),
    fit_s=st.floats(0, 1e6),
    batches=st.lists(st.builds(BatchTime, st.integers(1, 64), st.floats(0, 1e3)), max_size=2).map(tuple),
    singles=st.lists(st.tuples(st.integers(0, 100), st.floats(0, 1e3)), max_size=2).map(tuple),
)
DIFFERENT = st.lists(RESULTS, max_size=6, unique_by=lambda result: (result.subject, result.fold))

Opened = Callable[[], AbstractContextManager[FoldJournal]]


@pytest.fixture(params=["memory", "file"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    if request.param == "memory":
        return lambda: contextlib.nullcontext(MemoryJournal())
    return lambda: open_fold_journal(tmp_path / "state.jsonl", PLAN)


def result(fold: str = "a", subject: str = "one") -> FoldResult:
    answer = SubjectAnswer("pii.contact_information.email", 0.25, MappingStage.LEXICAL, 3, 4, ("a.b",))
    return FoldResult(subject, fold, (answer,), 1.5, (BatchTime(1, 0.5),), ((0, 0.25),))


def test_what_is_kept_is_found_in_the_order_kept(opened: Opened) -> None:
    with opened() as journal:
        assert list(journal.finished()) == []
        kept = [result("b"), result("a"), result("a", "two")]
        for one in kept:
            journal.keep(one)
        assert list(journal.finished()) == kept


def test_a_fold_is_never_kept_twice(opened: Opened) -> None:
    with opened() as journal:
        journal.keep(result())
        with pytest.raises(ValidationError) as refused:
            journal.keep(result())
        assert refused.value.error_code is ErrorCode.CONFLICT
        assert list(journal.finished()) == [result()]


@given(results=DIFFERENT, cut=st.floats(0, 1))
def test_a_file_cut_short_anywhere_loses_the_broken_line_alone(
    tmp_path_factory: pytest.TempPathFactory, results: list[FoldResult], cut: float
) -> None:
    path = tmp_path_factory.mktemp("journal") / "state.jsonl"
    sizes = []
    with open_fold_journal(path, PLAN) as journal:
        for one in results:
            journal.keep(one)
            sizes.append(path.stat().st_size)
    whole = path.read_bytes()
    left = round(cut * len(whole))
    path.write_bytes(whole[:left])
    survivors = [one for one, size in zip(results, sizes, strict=True) if size <= left]
    with open_fold_journal(path, PLAN) as journal:
        assert list(journal.finished()) == survivors
        for one in results[len(survivors) :]:
            journal.keep(one)
    with open_fold_journal(path, PLAN) as journal:
        assert list(journal.finished()) == results
    assert path.read_bytes() == whole


def test_the_state_of_another_evaluation_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with open_fold_journal(path, PLAN) as journal:
        journal.keep(result())
    before = path.read_bytes()
    with pytest.raises(ValidationError, match="another evaluation"), open_fold_journal(path, "b" * 64):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"precious", b"precious\n", b"{}\n", b'{"format": "other", "plan": "x"}\n', b"\x00\xff\n", b"[1]\n", b'"a"\n'],
)
def test_a_file_that_is_no_state_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError), open_fold_journal(path, PLAN):
        pass
    assert path.read_bytes() == content


@pytest.mark.parametrize("line", [b"{}\n", b"[]\n", b"rubbish\n", b'{"subject": "a", "fold": "b", "answers": [1]}\n'])
def test_a_line_that_is_whole_and_wrong_is_told_by_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "state.jsonl"
    with open_fold_journal(path, PLAN) as journal:
        journal.keep(result())
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(ConfigurationError, match="line 3"), open_fold_journal(path, PLAN):
        pass


def _hold(path: Path, held: Event, done: Event) -> None:
    with open_fold_journal(path, PLAN):
        held.set()
        done.wait(60)


def test_two_processes_never_share_a_state(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "state.jsonl", held, done))
    other.start()
    try:
        assert held.wait(60)
        with pytest.raises(ValidationError, match="in use"), open_fold_journal(tmp_path / "state.jsonl", PLAN):
            pass
    finally:
        done.set()
        other.join(60)
    with open_fold_journal(tmp_path / "state.jsonl", PLAN):
        pass


def test_a_full_disk_leaves_the_finished_folds_and_says_so(tmp_path: Path) -> None:
    """A size limit of the process stands for the disk: the write fails part-way, in the middle of a line."""
    import resource
    import signal

    path = tmp_path / "state.jsonl"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open_fold_journal(path, PLAN) as journal:
        journal.keep(result("a"))
        before = path.read_bytes()
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limit[1]))
            with pytest.raises(StoreError):
                journal.keep(result("b"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, ignored)
        assert path.read_bytes() == before
        journal.keep(result("b"))
    with open_fold_journal(path, PLAN) as journal:
        assert [one.fold for one in journal.finished()] == ["a", "b"]


def test_a_place_that_cannot_be_opened_is_a_matter_of_configuration(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "state.jsonl"
    with pytest.raises(ConfigurationError, match="cannot open"), open_fold_journal(path, PLAN):
        pass
