"""Text folded to plain lower-case letters for rules to match on, with the way back to the original offsets.

Rules are written once for folded text: ASCII lower case, no diacritics (`töten` is `toten`, `ß` is `ss`), straight
quotes, every run of white space one space, and a blank line one `\\n`, which bounded gaps in rules do not cross.
"""

# ruff: noqa: RUF001  (typographic characters are the subject)

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

_EDIT = re.compile(r"\s{2,}|[^\x20-\x7e]")
_PUNCTUATION = {
    ord(a): b for a, b in zip("‘’‚‛´`“”„«»–—‐‑−…", ["'"] * 6 + ['"'] * 5 + ["-"] * 5 + ["..."], strict=True)
}


@dataclass(frozen=True, slots=True)
class FoldedText:
    """Folded `text`; `_folded[i]` starts at `_original[i]` of the original, and pieces between run in step."""

    text: str
    _folded: tuple[int, ...]
    _original: tuple[int, ...]
    _length: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original's span for the folded span `start` to `end`, `end` exclusive and past `start`."""
        return self._at(start), min(self._at(end - 1) + 1, self._length)

    def _at(self, position: int) -> int:
        piece = bisect_right(self._folded, position) - 1
        after = self._original[piece + 1] if piece + 1 < len(self._original) else self._length
        return min(self._original[piece] + position - self._folded[piece], max(after - 1, self._original[piece]))


@lru_cache(maxsize=4096)
def fold_character(character: str) -> str:
    """One character in lower case without diacritics; invisible and stylised ones stay as they are."""
    if character.isspace():
        return " "
    if (plain := _PUNCTUATION.get(ord(character))) is not None:
        return plain
    decomposed = unicodedata.normalize("NFD", character.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def fold(text: str, character: Callable[[str], str] = fold_character) -> FoldedText:
    """`text` folded, each character outside printable ASCII through `character`."""
    pieces: list[str] = []
    folded, original = [0], [0]
    length = done = 0
    for match in _EDIT.finditer(text):
        start, end = match.span()
        run = match[0]
        if end - start > 1:
            replacement = "\n" if run.replace("\r\n", "\n").count("\n") > 1 else " "
        else:
            replacement = " " if run in "\n\t\r" else character(run)
            if len(replacement) == 1:
                # In step with the original: no mapping entry, the piece goes on.
                pieces.append(text[done:start].lower())
                pieces.append(replacement)
                length += end - done
                done = end
                continue
        pieces.append(text[done:start].lower())
        length += start - done
        folded.append(length)
        original.append(start)
        pieces.append(replacement)
        length += len(replacement)
        folded.append(length)
        original.append(end)
        done = end
    pieces.append(text[done:].lower())
    return FoldedText("".join(pieces), tuple(folded), tuple(original), len(text))
