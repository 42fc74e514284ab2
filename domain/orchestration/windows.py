"""Long texts for detectors that judge short ones: windows that overlap, asked side by side, put together again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from llama_mapper.domain.orchestration.ports import (
    DetectorDescriptor,
    Inquiry,
    Inspection,
    NoAnswer,
    ProbedDetector,
    RawFinding,
    Turn,
)

CONCURRENCY = 4
"""Windows of one text that are asked at one time."""


@dataclass(frozen=True, slots=True)
class Window:
    """Code points `start` to `end` of a text; `cut_before` and `cut_after` say whether there is more on that side."""

    start: int
    end: int
    cut_before: bool
    cut_after: bool


def windows_of(text: str, size: int, overlap: int) -> tuple[Window, ...]:
    """Windows of at most `size` characters over the whole text, neighbours sharing at least `overlap`.

    Whatever is not longer than `overlap` is whole in one of them. A window ends between two words where one ends in
    its last eighth. `overlap` must be less than half of `size`.
    """
    if not 0 <= overlap * 2 < size:
        raise ValueError("the overlap must be less than half of a window")
    windows = []
    start = 0
    # Twice the overlap stays below the end, so that every window begins after the one before it.
    room = min(size // 8, size - 2 * overlap - 1)
    while len(text) - start > size:
        end = start + size
        space = next((at for at in range(end, end - room, -1) if text[at - 1].isspace()), None)
        end = end if space is None else space
        windows.append(Window(start, end, start > 0, True))
        start = end - overlap
    windows.append(Window(start, len(text), start > 0, False))
    return tuple(windows)


class WindowedDetector:
    """Asks the detector inside about each window of a longer text; a text that fits goes to it as it is.

    All windows share the inquiry's deadline. Spans are those of the whole text; what two windows found at one place is
    one finding, and so are findings of one label without a span, with the highest score. One window without an answer
    leaves the text without one: its error is raised with the window named.
    """

    def __init__(
        self, inner: ProbedDetector, window_chars: int, overlap_chars: int, concurrency: int = CONCURRENCY
    ) -> None:
        if not 0 <= overlap_chars * 2 < window_chars:
            raise ValueError("the overlap must be less than half of a window")
        self._inner = inner
        self._size = window_chars
        self._overlap = overlap_chars
        self._concurrency = concurrency

    @property
    def descriptor(self) -> DetectorDescriptor:
        """That of the detector inside."""
        return self._inner.descriptor

    @property
    def readiness(self) -> str | None:
        """That of the detector inside."""
        return self._inner.readiness

    async def probe(self) -> None:
        """Probe the detector inside."""
        await self._inner.probe()

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """Judge the text, in windows where it is longer than one."""
        if len(inquiry.text) <= self._size:
            return await self._inner.inspect(inquiry)
        windows = windows_of(inquiry.text, self._size, self._overlap)
        answers: list[Inspection] = [Inspection()] * len(windows)
        waiting = iter(enumerate(windows))
        tasks = [
            asyncio.create_task(self._work(inquiry, waiting, len(windows), answers))
            for _ in range(min(self._concurrency, len(windows)))
        ]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        return merged(windows, answers)

    async def _work(
        self, inquiry: Inquiry, waiting: Iterator[tuple[int, Window]], count: int, answers: list[Inspection]
    ) -> None:
        for at, window in waiting:
            part = replace(inquiry, text=inquiry.text[window.start : window.end], turns=turns_in(inquiry.turns, window))
            try:
                answers[at] = await self._inner.inspect(part)
            except NoAnswer as error:
                raise type(error)(
                    f"window {at + 1} of {count}: {error}",
                    error.code,
                    error.notes,
                    retryable=error.retryable,
                    retry_after_s=error.retry_after_s,
                ) from error


def turns_in(turns: tuple[Turn, ...], window: Window) -> tuple[Turn, ...]:
    """The turns as far as they are in the window, by its own offsets."""
    return tuple(
        [
            Turn(turn.role, max(turn.start, window.start) - window.start, min(turn.end, window.end) - window.start)
            for turn in turns
            if turn.start < window.end and turn.end > window.start
        ]
    )


def merged(windows: Sequence[Window], answers: Sequence[Inspection]) -> Inspection:
    """The windows' answers as one about the whole text, in the order of the text; findings without a span come last.

    The language is the first that was told. Notes of numbers are the highest of any window, others the first; `windows`
    says how many there were.
    """
    whole: dict[tuple[int, int, str], float] = {}
    pieces: dict[tuple[int, int, str], float] = {}
    spanless: dict[str, float] = {}
    for window, answer in zip(windows, answers, strict=True):
        length = window.end - window.start
        for raw in answer.findings:
            start, end = raw.start, raw.end
            # A span outside its window would point at a stranger's text in the whole one.
            if start is None or end is None or not 0 <= start < end <= length:
                spanless[raw.label] = max(raw.score, spanless.get(raw.label, 0.0))
                continue
            cut = (window.cut_before and start == 0) or (window.cut_after and end == length)
            found, key = pieces if cut else whole, (window.start + start, window.start + end, raw.label)
            found[key] = max(raw.score, found.get(key, 0.0))
    for key, score in _not_part_of(pieces, [*whole, *pieces]).items():
        whole[key] = max(score, whole.get(key, 0.0))
    return Inspection(
        (
            *[RawFinding(label, score, start, end) for (start, end, label), score in sorted(whole.items())],
            *[RawFinding(label, score) for label, score in spanless.items()],
        ),
        next((answer.language for answer in answers if answer.language is not None), None),
        _notes(answers),
    )


def _not_part_of(
    pieces: Mapping[tuple[int, int, str], float], found: Sequence[tuple[int, int, str]]
) -> dict[tuple[int, int, str], float]:
    """Findings at a window's edge, without those that a neighbour found as part of something longer."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for start, end, label in found:
        spans.setdefault(label, []).append((start, end))
    # Sorted so, whatever may contain a span comes before it: it is part of one if one of those ends no sooner.
    reach: dict[tuple[int, int, str], int] = {}
    for label, each in spans.items():
        furthest = -1
        for start, end in sorted(set(each), key=lambda span: (span[0], -span[1])):
            reach[start, end, label] = furthest
            furthest = max(furthest, end)
    return {key: score for key, score in pieces.items() if reach[key] < key[1]}


def _notes(answers: Sequence[Inspection]) -> dict[str, str | bool | int | float]:
    notes: dict[str, str | bool | int | float] = {}
    for answer in answers:
        for name, value in answer.notes.items():
            known = notes.get(name, value)
            if isinstance(value, int | float) and isinstance(known, int | float):
                notes[name] = max(known, value)
            else:
                notes[name] = known
    notes["windows"] = len(answers)
    return notes
