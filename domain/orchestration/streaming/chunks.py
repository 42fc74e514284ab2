"""Where a growing text may be cut to be judged.

Where a cut falls decides when something is judged and never whether: windows overlap by what is held back.
"""

from __future__ import annotations

import re

# Closing quotes and brackets belong to the sentence; Chinese and Japanese sentences end without white space.
SENTENCE = re.compile(
    r"[.!?\u2026]+[\"'\u2019\u201d\u00bb)\]]*\s+|[\u3002\uff01\uff1f]+[\u300d\u300f\u201d\u2019]*|\n+"
)
PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")


def last_end(text: str, start: int, boundary: re.Pattern[str]) -> int | None:
    """The end of the last whole sentence or paragraph after `start`; None if none has ended yet."""
    end = None
    for match in boundary.finditer(text, start):
        end = match.end()
    return end


def forced_cut(text: str, start: int) -> int:
    """Where to cut a sentence that has grown too long: after the last white space of its second half, else at the end
    of what is there.
    """
    middle = start + (len(text) - start) // 2
    for at in range(len(text) - 1, middle, -1):
        if text[at].isspace():
            return at + 1
    return len(text)


def lead_in(text: str, at: int, slack: int = 64) -> int:
    """Where a window that should begin at `at` begins: at most `slack` characters earlier, at the start of a word, so
    that no detector sees half of one.
    """
    for start in range(at, max(0, at - slack), -1):
        if text[start - 1].isspace():
            return start
    return max(0, at - slack)
