"""How long to wait before another attempt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: a random part of min(`cap_s`, `base_s` · 2^n), n = 0 for the first retry.

    From "Exponential Backoff and Jitter", AWS Architecture Blog, 2015: of the ways compared there it made callers
    that failed together finish soonest with the fewest calls.
    """

    base_s: float = 0.05
    cap_s: float = 1.0

    def wait_s(self, retry: int, draw: float, retry_after_s: float | None = None) -> float:
        """Seconds before retry number `retry` (from 0); `draw` is random, 0 to 1.

        Where the detector told `retry_after_s`, the wait begins when that is over.
        """
        ceiling_s = min(self.cap_s, self.base_s * 2.0 ** min(retry, 32))
        return (retry_after_s or 0.0) + draw * ceiling_s
