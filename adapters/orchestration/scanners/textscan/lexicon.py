"""Lists of terms, looked up word by word: the cost does not grow with the length of the list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files

_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")


class Lexicon:
    """Terms of one or more words, compared without regard to case."""

    __slots__ = ("_by_first",)

    def __init__(self, terms: Iterable[str]) -> None:
        by_first: dict[str, list[tuple[str, ...]]] = {}
        for term in terms:
            parts = tuple(_WORD.findall(term.casefold()))
            if parts:
                by_first.setdefault(parts[0], []).append(parts)
        self._by_first = {first: sorted(set(found), key=len, reverse=True) for first, found in by_first.items()}

    def matches(self, tokens: list[tuple[str, int, int]]) -> Iterator[tuple[int, int]]:
        """Spans of the terms in tokens made by `tokenize`, longest first at each place; they do not overlap."""
        index, count = 0, len(tokens)
        while index < count:
            step = 1
            for parts in self._by_first.get(tokens[index][0], ()):
                size = len(parts)
                if size == 1 or (
                    index + size <= count and all(tokens[index + i][0] == parts[i] for i in range(1, size))
                ):
                    yield tokens[index][1], tokens[index + size - 1][2]
                    step = size
                    break
            index += step


def tokenize(text: str) -> list[tuple[str, int, int]]:
    """Words in case-folded form with their spans in `text`; inner hyphens and apostrophes belong to the word."""
    return [(match[0].casefold(), match.start(), match.end()) for match in _WORD.finditer(text)]


def load_terms(package: str, name: str) -> list[str]:
    """The terms of a packaged text file, one a line; `#` begins a comment."""
    lines = files(package).joinpath(name).read_text(encoding="utf-8").splitlines()
    return [term for line in lines if (term := line.partition("#")[0].strip())]
