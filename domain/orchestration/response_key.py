"""Under which key an orchestration's answer may be kept for the next equal request."""

from __future__ import annotations

import json

from llama_mapper.domain.contracts.orchestration import OrchestrationRequest
from llama_mapper.domain.kernel.digests import RequestDigests

RESPONSE_NAMESPACE = "orchestration"
"""Where in the cache such answers live."""

_FACTS = tuple(sorted(set(OrchestrationRequest.model_fields) - {"content", "tenant_id"}))


def response_key(
    digests: RequestDigests, request: OrchestrationRequest, *, detectors_generation: str, policy_digest: str
) -> str:
    """64 hexadecimal digits; equal for requests of one tenant that the same detectors and policy answer alike.

    Everything that an orchestration request says takes part, so that a field added later does too. `request.tenant_id`
    must be set. `detectors_generation` changes whenever the set of detectors or what they say changes.
    """
    if request.tenant_id is None:
        raise ValueError("a response key belongs to a tenant")
    facts = {name: getattr(request, name) for name in _FACTS}
    return digests.digest(
        request.tenant_id,
        "orchestration response",
        request.content.encode("utf-8", "surrogatepass"),
        detectors_generation.encode(),
        policy_digest.encode(),
        json.dumps(facts, sort_keys=True, separators=(",", ":")).encode(),
    ).hex()
