"""Reports of the mapping context over HTTP, of records that are kept here."""

from __future__ import annotations

import json

from llama_mapper.adapters.links.http_link import HttpLink
from llama_mapper.domain.contracts.reports import FrameworkViews, RecordSource, RenderedReport, ReportRequest
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError


class HttpReports:
    """Keeps the promises of `ReportApi` by asking the mapping service; a stored record is sent along."""

    def __init__(self, link: HttpLink, records: RecordSource) -> None:
        self._link = link.admitting(ErrorCode.NOT_FOUND)
        self._records = records

    async def render(self, request: ReportRequest) -> RenderedReport:
        """See `ReportApi.render`."""
        if request.assessment_id is not None:
            if request.tenant_id is None:
                raise ValidationError("tenant_id must be set")
            body = await self._records(request.tenant_id, request.assessment_id)
            record = json.loads(body)
            request = request.model_copy(update={"assessment_id": None, "assessment": record})
        return await self._link.post("/v1/reports:render", request, RenderedReport)

    async def controls(self, tenant_id: str, canonical: str, frameworks: tuple[str, ...]) -> FrameworkViews:
        """See `ReportApi.controls`."""
        params = {"tenant_id": tenant_id, "canonical": canonical}
        params |= {"frameworks": ",".join(frameworks)} if frameworks else {}
        return await self._link.get("/v1/reports:controls", FrameworkViews, params)
