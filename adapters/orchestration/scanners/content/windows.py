"""Long texts cut into overlapping windows, so that a library's cost stays linear in the text."""

# ruff: noqa: RUF001  (typographic characters are the subject)

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE_END = re.compile(r"[.!?。！？]+[\"')\]]*\s+|\n+")


def windows(text: str, size: int, overlap: int) -> Iterator[tuple[int, str]]:
    """Offset and text of windows of at most `size` code points, each sharing `overlap` with the one before."""
    start = 0
    while True:
        yield start, text[start : start + size]
        if start + size >= len(text):
            return
        start += size - overlap


def sentences(text: str, longest: int) -> Iterator[tuple[int, int]]:
    """Spans of the sentences, blanks trimmed; one longer than `longest` is cut, at a space where it can be."""
    start = 0
    for end in (*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)):
        while end - start > longest:
            cut = text.rfind(" ", start + longest // 2, start + longest)
            cut = start + longest if cut < 0 else cut + 1
            yield from _trimmed(text, start, cut)
            start = cut
        yield from _trimmed(text, start, end)
        start = end


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    begin = start + len(piece) - len(piece.lstrip())
    finish = end - len(piece) + len(piece.rstrip())
    if begin < finish:
        yield begin, finish
