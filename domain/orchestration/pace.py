"""How long asking the detectors takes on one route, and whether that makes remembering answers worth while."""

from __future__ import annotations

WORTH_MS = 5.0
"""Milliseconds that asking the detectors must have taken for the answer to be kept."""

_TRIES = 8


class Pace:
    """Runs of one route that were too quick for their answers to be kept, in a row, by the length of the text.

    Lengths count as alike up to the next power of two.
    """

    __slots__ = ("_quick",)

    def __init__(self) -> None:
        self._quick: dict[int, int] = {}

    def makes_looking_worth(self, length: int) -> bool:
        """False where the last eight texts of about this length were judged in less time than answers are kept for.

        None of them was kept then, and one that somebody else kept would save less than looking costs.
        """
        return self._quick.get(length.bit_length(), 0) < _TRIES

    def took(self, length: int, milliseconds: float) -> None:
        """Note a run."""
        size = length.bit_length()
        self._quick[size] = 0 if milliseconds >= WORTH_MS else self._quick.get(size, 0) + 1
