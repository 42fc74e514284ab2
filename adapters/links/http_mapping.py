"""The mapping context over HTTP."""

from __future__ import annotations

from llama_mapper.adapters.links.http_link import HttpLink
from llama_mapper.domain.contracts.mapping import (
    FrameworkList,
    LabelMappingRequest,
    LabelMappingResponse,
    MappingRequest,
    MappingResponse,
    ReviewPage,
    ReviewStatus,
)


class HttpMapping:
    """Keeps the promises of `MappingApi` by asking the mapping service."""

    def __init__(self, link: HttpLink) -> None:
        self._link = link

    async def map(self, request: MappingRequest) -> MappingResponse:
        """See `MappingApi.map`."""
        return await self._link.post("/v1/map", request, MappingResponse)

    async def map_labels(self, request: LabelMappingRequest) -> LabelMappingResponse:
        """See `MappingApi.map_labels`."""
        return await self._link.post("/v1/map:batch", request, LabelMappingResponse)

    async def reviews(
        self,
        tenant_id: str,
        *,
        limit: int = 100,
        cursor: str | None = None,
        status: ReviewStatus | None = None,
        vendor: str | None = None,
    ) -> ReviewPage:
        """See `MappingApi.reviews`."""
        params = {"tenant_id": tenant_id, "limit": str(limit), "status": "all" if status is None else status.value}
        params |= {} if cursor is None else {"cursor": cursor}
        params |= {} if vendor is None else {"vendor": vendor}
        return await self._link.get("/v1/reviews", ReviewPage, params)

    async def frameworks(self, tenant_id: str) -> FrameworkList:
        """See `MappingApi.frameworks`."""
        return await self._link.get("/v1/frameworks", FrameworkList, {"tenant_id": tenant_id})
