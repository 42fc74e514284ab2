"""The orchestration context over HTTP."""

from __future__ import annotations

from llama_mapper.adapters.links.http_link import HttpLink
from llama_mapper.domain.contracts.orchestration import (
    DetectorInfo,
    DetectorList,
    OrchestrationAnswer,
    OrchestrationRequest,
    OrchestrationResponse,
    PolicyInfo,
    PolicyList,
)


class HttpOrchestration:
    """Keeps the promises of `OrchestrationApi` by asking the orchestration service."""

    def __init__(self, link: HttpLink) -> None:
        self._link = link

    async def orchestrate(self, request: OrchestrationRequest) -> OrchestrationResponse:
        """See `OrchestrationApi.orchestrate`."""
        fields = OrchestrationRequest.model_fields.keys()
        plain = OrchestrationRequest.model_construct(**{name: getattr(request, name) for name in fields})
        answer = await self._link.post("/v1/orchestrate", plain, OrchestrationAnswer)
        parts = OrchestrationResponse.model_fields.keys()
        return OrchestrationResponse.model_construct(**{name: getattr(answer, name) for name in parts})

    async def detectors(self) -> tuple[DetectorInfo, ...]:
        """See `OrchestrationApi.detectors`."""
        return (await self._link.get("/v1/detectors", DetectorList)).items

    async def policies(self, tenant_id: str) -> tuple[PolicyInfo, ...]:
        """See `OrchestrationApi.policies`."""
        return (await self._link.get("/v1/policies", PolicyList, {"tenant_id": tenant_id})).items
