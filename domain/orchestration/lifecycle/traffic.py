"""Which part of the traffic a request belongs to."""

from __future__ import annotations

from llama_mapper.domain.contracts.orchestration import OrchestrationOptions, OrchestrationRequest
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.kernel.traffic import point_of
from llama_mapper.domain.orchestration.conversation import text_of
from llama_mapper.domain.orchestration.ports import TextDigests

SHARES = 100
REQUEST_KEYS = ("session", "subject")
"""Metadata that tell which requests belong together, most telling first."""


def share_of(tenant_id: str, bundle: str, request_key: str) -> int:
    """A number from 0 to 99, the same for the same three texts; P % of traffic are the requests with one below P.

    So whoever is among 10 % is also among 25 %. It is `point_of` the three texts, modulo 100.
    """
    return point_of(tenant_id, bundle, request_key) % SHARES


def request_key(tenant_id: str, request: OrchestrationOptions, digests: TextDigests) -> str:
    """What requests that belong together share: the caller's session or subject, else the content's keyed digest.

    A text that is still to be written has none: without session and subject, each such stream is on its own.
    """
    for name in REQUEST_KEYS:
        value = request.metadata.get(name) if request.metadata else None
        if value is not None and value != "":
            return f"{name}={value}"
    if not isinstance(request, OrchestrationRequest):
        return new_id("stream")
    return f"content={digests.digest(tenant_id, text_of(request)[0])}"
