"""The analysis context over HTTP."""

from __future__ import annotations

from llama_mapper.adapters.links.http_link import HttpLink
from llama_mapper.domain.contracts.analysis import AnalysisRequest, AnalysisResponse


class HttpAnalysis:
    """Keeps the promises of `AnalysisApi` by asking the analysis service."""

    def __init__(self, link: HttpLink) -> None:
        self._link = link

    async def analyze(self, request: AnalysisRequest) -> AnalysisResponse:
        """See `AnalysisApi.analyze`."""
        return await self._link.post("/v1/analyze", request, AnalysisResponse)
