"""Under which key an orchestration's answer may be kept for the next equal request."""

from __future__ import annotations

import json
from collections.abc import Sequence

import orjson

from llama_mapper.domain.contracts.orchestration import OrchestrationOptions
from llama_mapper.domain.kernel.digests import RequestDigests
from llama_mapper.domain.orchestration.ports import Turn

RESPONSE_NAMESPACE = "orchestration"
"""Where in the cache such answers live."""

_FACTS = tuple(sorted(set(OrchestrationOptions.model_fields) - {"tenant_id"}))


def response_key(
    digests: RequestDigests,
    tenant_id: str,
    text: str,
    turns: Sequence[Turn],
    options: OrchestrationOptions,
    *,
    detectors: str,
    policy: str,
) -> str:
    """64 hexadecimal digits; equal for requests of one tenant that the same detectors and policy answer alike.

    Everything that an orchestration request says takes part, so that an option added later does too. `detectors` and
    `policy` change whenever what these say may change.
    """
    facts = {name: getattr(options, name) for name in _FACTS}
    return digests.digest(
        tenant_id,
        "orchestration response",
        text.encode("utf-8", "surrogatepass"),
        orjson.dumps([(turn.role, turn.start, turn.end) for turn in turns]),
        detectors.encode(),
        policy.encode(),
        _encoded(facts),
    ).hex()


def _encoded(facts: dict[str, object]) -> bytes:
    try:
        return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits, half a surrogate pair
        return json.dumps(facts, sort_keys=True).encode()
