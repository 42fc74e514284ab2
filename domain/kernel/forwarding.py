"""Passing a whole request on to the service that it is for, and its answer back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from llama_mapper.domain.kernel.tenancy import Principal


@dataclass(frozen=True, slots=True)
class ForwardedRequest:
    """What is passed on. `target` is path and query as they were sent, in ASCII; `body` is whole or in pieces.

    With `is_streamed` the answer comes in pieces. The service has `timeout_s` seconds to begin it.
    """

    method: str
    target: bytes
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes] | None
    principal: Principal
    timeout_s: float
    is_streamed: bool = False


@dataclass(frozen=True, slots=True)
class ForwardedAnswer:
    """What came back. `close` must be called once no more pieces are wanted; a whole body is already closed."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]


class Forwarder(Protocol):
    """Passes requests on to one service, in the name of whoever made them."""

    async def forward(self, request: ForwardedRequest) -> ForwardedAnswer:
        """The service's answer, a problem document included, without the headers of the connection.

        Raises `REQUEST_TIMEOUT`; `SERVICE_UNAVAILABLE` where it is not reached; `UPSTREAM_INVALID_RESPONSE` for an
        error that is no problem document; `CONFIGURATION_INVALID` where the service does not know us.
        """
        ...
