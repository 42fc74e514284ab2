"""Calls over HTTP as steps of a trace, in the words of OpenTelemetry's semantic conventions."""

from __future__ import annotations

from urllib.parse import urlsplit

from llama_mapper.domain.kernel.trace import SpanKind
from llama_mapper.domain.kernel.tracing import Step, step

_PORTS = {"http": 80, "https": 443}


def http_step(method: str, url: str, peer: str | None = None) -> Step:
    """A call of `url`, of which host and port alone are told: paths may name things, and queries carry keys.

    `peer` is the service's name, where it has one. The headers that carry the trace are those within the block.
    """
    at = step(method, kind=SpanKind.CLIENT)
    if at:
        parts = urlsplit(url)
        at.set(
            {
                "http.request.method": method,
                "server.address": parts.hostname or "",
                "server.port": parts.port or _PORTS.get(parts.scheme, 0),
            }
        )
        if peer is not None:
            at.set({"peer.service": peer})
    return at


def heed_status(at: Step, status: int) -> None:
    """Tell the answer's status; for a caller everything from 400 on is an error."""
    if at:
        at.set({"http.response.status_code": status})
        if status >= 400:
            at.fail(str(status))
