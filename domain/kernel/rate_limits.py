"""How many requests in how long: sliding windows made of two fixed ones.

The count of the present window plus the share of the window before that still lies within the last `window_s`
seconds, taken as evenly spread (blog.cloudflare.com/counting-things-a-lot-of-different-things).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NO_TENANT = "_"
"""Stands where a tenant would, for what is counted before one is known; no tenant can have this name."""

_MOMENT_S = 0.001


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests, 1 or more, in any `window_s` seconds. `name` is a constant of the code without a colon."""

    name: str
    requests: int
    window_s: int = 60

    def __post_init__(self) -> None:
        if self.requests < 1 or self.window_s < 1:
            raise ValueError("a limit allows one request or more in one second or more")


@dataclass(frozen=True, slots=True)
class Quota:
    """One caller's share of a limit."""

    limit: Limit
    tenant_id: str
    subject: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """How a quota stands after a request: what remains, and seconds until the present window ends.

    `retry_after_s` is None where this quota had room; otherwise seconds after which it has room again if nobody else
    uses it up.
    """

    limit: Limit
    remaining: int
    reset_s: float
    retry_after_s: float | None = None


class RateLimiter(Protocol):
    """Counts requests."""

    async def admit(self, quotas: Sequence[Quota]) -> list[Allowance]:
        """Count one request on every quota, or on none if one of them is used up; say how each stands, in order.

        Atomic: callers at once never get more than the limit together. Raises `STORE_UNAVAILABLE`.
        """
        ...


def used(previous: int, current: int, elapsed_s: float, window_s: int) -> int:
    """Requests that count, `elapsed_s` into the present window; `previous` and `current` are whole windows' counts."""
    if not previous:
        return current
    return current + int(previous * (1.0 - elapsed_s / window_s))


def allowance_of(limit: Limit, previous: int, current: int, elapsed_s: float) -> Allowance:
    """How a quota with room for at least the request just counted stands."""
    remaining = limit.requests - used(previous, current, elapsed_s, limit.window_s)
    return Allowance(limit, max(0, remaining), limit.window_s - elapsed_s)


def refusal_of(limit: Limit, previous: int, current: int, elapsed_s: float) -> Allowance:
    """How a quota that was found used up stands, and when it has room again: a moment at least."""
    wait_s = wait_until_free(limit, previous, current, elapsed_s)
    return Allowance(limit, 0, limit.window_s - elapsed_s, max(wait_s, _MOMENT_S))


def wait_until_free(limit: Limit, previous: int, current: int, elapsed_s: float) -> float:
    """Seconds until one more request has room, if none comes in between; 0 where it has room now."""
    window_s, requests = limit.window_s, limit.requests
    if used(previous, current, elapsed_s, window_s) < requests:
        return 0.0
    if current < requests:
        # floor(previous x share) must fall below requests - current.
        return _past(window_s * (1.0 - (requests - current) / previous)) - elapsed_s
    # In the next window this one's count is the previous.
    return window_s - elapsed_s + _past(window_s * (1.0 - requests / current))


def _past(moment_s: float) -> float:
    """Just after: at the moment itself the share is still a whole number too many."""
    return max(0.0, moment_s) + _MOMENT_S


def whole_seconds(wait_s: float) -> int:
    """As headers carry a wait: whole seconds, never too short, at least 1."""
    return max(1, math.ceil(wait_s))
