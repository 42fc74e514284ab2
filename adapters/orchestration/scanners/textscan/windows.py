"""Long text in overlapping windows, so that a library whose cost grows faster than the text stays affordable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CORE = 2048
MARGIN = 256


@dataclass(frozen=True, slots=True)
class Window:
    """`text` begins at offset `base` of the whole; findings that start in `[low, high)` of the whole are its own."""

    text: str
    base: int
    low: int
    high: int


def windows(text: str, core: int = CORE, margin: int = MARGIN) -> Iterator[Window]:
    """Windows whose own ranges partition `text`; each sees `margin` characters more on either side.

    Anything up to `margin` characters long is seen whole by the window that owns its start.
    """
    if len(text) <= core + margin:
        yield Window(text, 0, 0, len(text))
        return
    for low in range(0, len(text), core):
        base = max(0, low - margin)
        high = min(low + core, len(text))
        yield Window(text[base : high + margin], base, low, high)
