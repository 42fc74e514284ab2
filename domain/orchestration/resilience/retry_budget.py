"""How many retries and hedges there may be: a share of the first attempts, so that a failing detector is not asked
many times over by everybody at once.
"""

from __future__ import annotations

_WINDOW = 10


class RetryBudget:
    """Counts first attempts and extra ones over the last ten seconds, in buckets of one second.

    An extra attempt is admitted while there are fewer of them than `ratio` times the first attempts; ten are admitted
    in any case (one a second, as in Finagle's budget), lest a detector that is seldom asked is never asked again.
    A `ratio` of 0 admits none. `now` is a reading of one monotonic clock in seconds.
    """

    FLOOR = 10

    __slots__ = ("_extra", "_extras", "_first", "_firsts", "_ratio", "_second")

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._firsts = [0] * _WINDOW
        self._extras = [0] * _WINDOW
        self._first = self._extra = 0
        self._second = 0

    def note_first(self, now: float) -> None:
        """Count a first attempt."""
        second = int(now)
        if second != self._second:
            self._move_to(second)
        self._firsts[second % _WINDOW] += 1
        self._first += 1

    def spend(self, now: float) -> bool:
        """Whether there may be an extra attempt now; if so it is counted."""
        second = int(now)
        if second != self._second:
            self._move_to(second)
        if not self._ratio or self._extra + 1 > max(self.FLOOR, self._ratio * self._first):
            return False
        self._extras[second % _WINDOW] += 1
        self._extra += 1
        return True

    def _move_to(self, second: int) -> None:
        for passed in range(self._second + 1, min(second, self._second + _WINDOW) + 1):
            at = passed % _WINDOW
            self._first -= self._firsts[at]
            self._extra -= self._extras[at]
            self._firsts[at] = self._extras[at] = 0
        self._second = second
