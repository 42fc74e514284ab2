"""Answers kept for equal requests, without the content: under a keyed digest of it.

Only whole answers are kept, of runs in which every detector answered, and only where asking cost more than keeping
does. The key names the policy and the detectors, so that a change of either finds nothing old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.contracts.orchestration import (
    PROVENANCE_LIMIT,
    DetectorStatus,
    OrchestrationOptions,
    OrchestrationResponse,
    ProcessingMode,
)
from llama_mapper.domain.kernel.cache import Cache
from llama_mapper.domain.kernel.digests import RequestDigests
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.orchestration.pace import WORTH_MS, Pace
from llama_mapper.domain.orchestration.ports import Turn
from llama_mapper.domain.orchestration.response_key import RESPONSE_NAMESPACE, response_key


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an answer belongs, and the generation of the cache at the time of looking."""

    tenant_id: str
    key: str
    generation: bytes


class ResponseCache:
    """Finds and keeps answers for `ttl_s` seconds; a cache that cannot be reached is an empty one."""

    def __init__(self, cache: Cache, digests: RequestDigests, ttl_s: float, service_version: str) -> None:
        self._cache = cache
        self._digests = digests
        self._ttl_s = ttl_s
        self._service_version = service_version

    async def find(
        self,
        tenant_id: str,
        text: str,
        turns: Sequence[Turn],
        options: OrchestrationOptions,
        *,
        detectors: str,
        policy: str,
    ) -> tuple[OrchestrationResponse | None, Slot | None]:
        """A kept answer to an equal request, as an answer to this one, or where its answer may be kept.

        Critical requests are always judged anew: neither is given for them.
        """
        if options.processing_mode is ProcessingMode.CRITICAL:
            return None, None
        began = monotonic()
        # Another release may judge otherwise, and its answers may have another form.
        makers = f"{self._service_version} {detectors}"
        key = response_key(self._digests, tenant_id, text, turns, options, detectors=makers, policy=policy)
        try:
            found = await self._cache.get(tenant_id, RESPONSE_NAMESPACE, key)
        except StoreError:
            return None, None
        if found.value is None:
            return None, Slot(tenant_id, key, found.generation)
        kept = OrchestrationResponse.model_validate_json(found.value)
        took_ms = (monotonic() - began) * 1e3
        step = ProvenanceEntry(
            stage="orchestration",
            component="cache",
            version=self._service_version,
            duration_ms=took_ms,
            detail=f"the answer to {kept.request_id}",
        )
        steps = (*kept.provenance, step)[:PROVENANCE_LIMIT]
        again = {"request_id": new_id("req"), "processing_time_ms": took_ms, "provenance": steps}
        return kept.model_copy(update=again), None

    async def keep(self, slot: Slot | None, response: OrchestrationResponse, pace: Pace) -> None:
        """Note how long a whole answer took, and keep it if it is worth it and has a place."""
        if any(result.status is not DetectorStatus.SUCCESS for result in response.detector_results):
            return
        pace.took(response.content_length, response.processing_time_ms)
        if slot is None or response.processing_time_ms < WORTH_MS:
            return
        body = json_form(response)
        try:
            await self._cache.put(
                slot.tenant_id, RESPONSE_NAMESPACE, slot.key, body, generation=slot.generation, ttl_s=self._ttl_s
            )
        except StoreError:
            return
