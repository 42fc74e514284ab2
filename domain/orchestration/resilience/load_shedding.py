"""Refusing at the door what could only wait."""

from __future__ import annotations

from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError


class LoadShedder:
    """At most `limit` requests at one time; one more is refused at once, before anything is done for it.

    with shedder:
        ...  # judge the content

    The block raises `DETECTOR_OVERLOADED`, which may be retried after a second, instead of being entered.
    """

    __slots__ = ("_limit", "in_flight", "refused")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.in_flight = 0
        self.refused = 0

    def __enter__(self) -> None:
        if self.in_flight >= self._limit:
            self.refused += 1
            raise OrchestrationError(
                f"{self._limit} requests are being judged already",
                ErrorCode.DETECTOR_OVERLOADED,
                retryable=True,
                retry_after_s=1.0,
            )
        self.in_flight += 1

    def __exit__(self, *_: object) -> None:
        self.in_flight -= 1
