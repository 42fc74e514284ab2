"""Windows over long texts: what is found does not depend on them."""

from __future__ import annotations

import asyncio
import math
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.orchestration import Role
from llama_mapper.domain.orchestration.ports import (
    DetectorDescriptor,
    DetectorFailed,
    DetectorUnavailable,
    Inquiry,
    Inspection,
    RawFinding,
    Turn,
)
from llama_mapper.domain.orchestration.windows import Window, WindowedDetector, merged, turns_in, windows_of


class Words:
    """Finds every occurrence of some words, and notes what it was asked."""

    descriptor = DetectorDescriptor("words", "acme", "1", (), (), (), 0.0)
    readiness: str | None = None

    def __init__(self, words: dict[str, str]) -> None:
        self._words = words
        self.asked: list[Inquiry] = []
        self.running = self.peak = 0

    async def probe(self) -> None:
        return None

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        self.asked.append(inquiry)
        self.running += 1
        self.peak = max(self.peak, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        return Inspection(
            tuple(
                RawFinding(label, 0.5, at, at + len(word))
                for word, label in self._words.items()
                for at in range(len(inquiry.text) - len(word) + 1)
                if inquiry.text.startswith(word, at)
            )
        )


_TEXT = st.text(alphabet="ab 🙂", max_size=400)
_WORD = st.text(alphabet="ab 🙂", min_size=1, max_size=12)


@st.composite
def _sizes(draw: st.DrawFn) -> tuple[int, int]:
    overlap = draw(st.integers(0, 30))
    return draw(st.integers(2 * overlap + 1, 2 * overlap + 60)), overlap


@given(_TEXT, _sizes())
def test_windows_cover_the_text_and_leave_nothing_short_cut_in_two(text: str, sizes: tuple[int, int]) -> None:
    size, overlap = sizes
    windows = windows_of(text, size, overlap)
    assert (windows[0].start, windows[-1].end) == (0, len(text))
    assert all(window.end - window.start <= size for window in windows)
    for one, following in pairwise(windows):
        assert one.start < following.start <= one.end - overlap
        assert one.end < following.end


@given(_TEXT, _sizes(), st.dictionaries(_WORD, st.sampled_from(["X", "Y"]), min_size=1, max_size=4))
def test_words_not_longer_than_the_overlap_are_found_as_without_windows(
    text: str, sizes: tuple[int, int], words: dict[str, str]
) -> None:
    size, overlap = sizes
    words = {word: label for word, label in words.items() if len(word) <= overlap}

    async def both() -> tuple[Inspection, Inspection]:
        inner = Words(words)
        return await inner.inspect(Inquiry(text)), await WindowedDetector(inner, size, overlap).inspect(Inquiry(text))

    whole, windowed = asyncio.run(both())
    assert sorted(windowed.findings, key=_placed) == sorted(whole.findings, key=_placed)


def _placed(one: RawFinding) -> tuple[int, int, str]:
    return one.start or 0, one.end or 0, one.label


async def test_a_text_that_fits_goes_to_the_detector_as_it_is() -> None:
    inner = Words({})
    inquiry = Inquiry("x" * 64, (Turn(Role.USER, 0, 64),), 7.0, 2, 0.5)
    await WindowedDetector(inner, 64, 8).inspect(inquiry)
    assert inner.asked == [inquiry]


async def test_every_window_has_the_same_deadline_and_no_more_than_the_limit_run_at_once() -> None:
    inner = Words({})
    deadline = asyncio.get_running_loop().time() + 60
    answer = await WindowedDetector(inner, 64, 8, concurrency=3).inspect(Inquiry("x" * 1000, (), deadline, 2, 0.5))
    assert {(one.deadline, one.retries, one.hedge_after_s) for one in inner.asked} == {(deadline, 2, 0.5)}
    assert (inner.peak, answer.notes) == (3, {"windows": len(inner.asked)})


async def test_one_failed_window_fails_the_detector_by_name_and_stops_the_others() -> None:
    class Breaking(Words):
        async def inspect(self, inquiry: Inquiry) -> Inspection:
            self.asked.append(inquiry)
            if "bad" in inquiry.text:
                raise DetectorUnavailable("full", "DETECTOR_BUSY", retryable=True, retry_after_s=3.0)
            await asyncio.sleep(0)
            return Inspection()

    inner = Breaking({})
    with pytest.raises(DetectorUnavailable, match=r"^window 2 of 20: full$") as caught:
        await WindowedDetector(inner, 64, 8, concurrency=1).inspect(Inquiry("x" * 70 + " bad " + "x" * 1035))
    assert (caught.value.code, caught.value.retryable, caught.value.retry_after_s) == ("DETECTOR_BUSY", True, 3.0)
    assert len(inner.asked) == 2


async def test_the_other_windows_do_not_outlive_one_that_failed() -> None:
    class Mixed(Words):
        async def inspect(self, inquiry: Inquiry) -> Inspection:
            self.running += 1
            try:
                await asyncio.sleep(0 if "bad" in inquiry.text else math.inf)
            finally:
                self.running -= 1
            raise DetectorFailed("broken")

    inner = Mixed({})
    with pytest.raises(DetectorFailed, match=r"^window 2 of \d+: broken$"):
        await asyncio.wait_for(WindowedDetector(inner, 64, 8).inspect(Inquiry("x" * 70 + " bad " + "x" * 300)), 30)
    assert inner.running == 0


async def test_a_detector_that_breaks_otherwise_breaks_as_it_does_without_windows() -> None:
    class Broken(Words):
        async def inspect(self, inquiry: Inquiry) -> Inspection:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await WindowedDetector(Broken({}), 64, 8).inspect(Inquiry("x" * 100))


async def test_cancelling_stops_all_windows() -> None:
    class Hanging(Words):
        async def inspect(self, inquiry: Inquiry) -> Inspection:
            self.running += 1
            try:
                await asyncio.sleep(math.inf)
            finally:
                self.running -= 1
            raise DetectorFailed("never")

    inner = Hanging({})
    task = asyncio.create_task(WindowedDetector(inner, 64, 8).inspect(Inquiry("x" * 1000)))
    await asyncio.sleep(0.01)
    assert inner.running == 4
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inner.running == 0


def test_turns_are_clipped_to_the_window() -> None:
    turns = (Turn(Role.USER, 0, 10), Turn(Role.ASSISTANT, 12, 40), Turn(Role.USER, 42, 50))
    assert turns_in(turns, Window(10, 45, True, True)) == (Turn(Role.ASSISTANT, 2, 30), Turn(Role.USER, 32, 35))


_TWO = (Window(0, 10, False, True), Window(6, 16, True, False))


def test_findings_without_a_span_are_one_a_label_with_the_highest_score() -> None:
    answers = (Inspection((RawFinding("S1", 0.4),)), Inspection((RawFinding("S1", 0.7), RawFinding("S2", 0.1))))
    assert merged(_TWO, answers).findings == (RawFinding("S1", 0.7), RawFinding("S2", 0.1))


def test_what_two_windows_found_at_one_place_is_found_once_with_the_highest_score() -> None:
    answers = (Inspection((RawFinding("X", 0.4, 7, 9),)), Inspection((RawFinding("X", 0.7, 1, 3),)))
    assert merged(_TWO, answers).findings == (RawFinding("X", 0.7, 7, 9),)


def test_a_piece_at_a_cut_edge_gives_way_to_the_whole_that_the_neighbour_found() -> None:
    answers = (Inspection((RawFinding("NAME", 0.9, 7, 10),)), Inspection((RawFinding("NAME", 0.8, 1, 7),)))
    assert merged(_TWO, answers).findings == (RawFinding("NAME", 0.8, 7, 13),)


def test_a_span_outside_its_window_never_points_at_other_text() -> None:
    answers = (Inspection((RawFinding("X", 0.4, 9, 15),)), Inspection())
    assert merged(_TWO, answers).findings == (RawFinding("X", 0.4),)


def test_the_language_is_the_first_told_and_numbers_in_notes_the_highest() -> None:
    answers = (
        Inspection(notes={"attempts": 1, "via": "a"}),
        Inspection(language="de", notes={"attempts": 3, "via": "b"}),
    )
    answer = merged(_TWO, answers)
    assert (answer.language, answer.notes) == ("de", {"attempts": 3, "via": "a", "windows": 2})


@pytest.mark.parametrize(("size", "overlap"), [(64, 32), (10, -1)])
def test_windows_that_would_not_move_on_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        windows_of("x", size, overlap)
    with pytest.raises(ValueError, match="overlap"):
        WindowedDetector(Words({}), size, overlap)


def test_a_flood_of_findings_at_the_edges_is_merged_quickly() -> None:
    size = 20_000
    windows = (Window(0, size, False, True), Window(size - 64, 2 * size - 64, True, False))
    flood = Inspection(tuple(RawFinding("X", 0.5, at, size) for at in range(size)))
    began = time.process_time()
    assert len(merged(windows, (flood, Inspection())).findings) == 1
    assert time.process_time() - began < 5
