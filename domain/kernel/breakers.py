"""What processes tell each other about dependencies that fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SharedBreaker:
    """An open breaker: until when, as `time.monotonic()` of this process counts, and how often it opened in a row."""

    open_until: float
    opened_count: int


class BreakerBoard(Protocol):
    """Open breakers by name, seen by every process of an installation within about a second.

    Neither method waits or raises: what is read is this process's picture, what is published is sent in the
    background. The last word on a name wins. At most 1,024 names are kept.
    """

    def read(self, name: str) -> SharedBreaker | None:
        """The breaker if somebody opened it and its time is not up."""
        ...

    def publish(self, name: str, open_for_s: float, opened_count: int) -> None:
        """Tell that `name` is open for `open_for_s` seconds from now, or closed where that is 0."""
        ...
