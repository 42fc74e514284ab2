"""The three Apis in process and over their links, for tests that put the same promises to both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx2

from llama_mapper.adapters.links.http_analysis import HttpAnalysis
from llama_mapper.adapters.links.http_link import HttpLink, open_client
from llama_mapper.adapters.links.http_mapping import HttpMapping
from llama_mapper.adapters.links.http_orchestration import HttpOrchestration
from llama_mapper.adapters.links.http_reports import HttpReports
from llama_mapper.domain.contracts.analysis import AnalysisApi, AnalysisRequest, AnalysisResponse
from llama_mapper.domain.contracts.mapping import (
    FrameworkList,
    LabelMappingRequest,
    LabelMappingResponse,
    MappingApi,
    MappingRequest,
    MappingResponse,
    ReviewPage,
    ReviewStatus,
)
from llama_mapper.domain.contracts.orchestration import (
    DetectorInfo,
    OrchestrationApi,
    OrchestrationRequest,
    OrchestrationResponse,
    PolicyInfo,
)
from llama_mapper.domain.contracts.reports import ReportApi
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inquiry, Inspection, RawFinding
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.http.services import application_of
from llama_mapper.entrypoints.settings import Settings

SECRET = "a link secret for tests"
BASE_URL = "http://127.0.0.1"


@dataclass(frozen=True, slots=True)
class Apis:
    """One of each."""

    orchestration: OrchestrationApi
    analysis: AnalysisApi
    mapping: MappingApi
    reports: ReportApi


def in_process(running: Running) -> Apis:
    """The services themselves."""
    assert running.orchestration is not None
    assert running.analysis is not None
    assert running.mapping is not None
    assert running.reports is not None
    return Apis(running.orchestration, running.analysis, running.mapping, running.reports)


@asynccontextmanager
async def over_http(running: Running, settings: Settings, secret: str | None = SECRET) -> AsyncIterator[Apis]:
    """The links, each over the real application that serves `running`."""
    transport = httpx2.ASGITransport(application_of(running, settings, front=False))
    link = HttpLink(open_client(BASE_URL, secret=secret, timeout_s=30.0, transport=transport), "tested", 30.0)
    try:
        yield Apis(HttpOrchestration(link), HttpAnalysis(link), HttpMapping(link), HttpReports(link, running.chain.get))
    finally:
        await link.close()


class Canned:
    """All three Apis, which note what they were asked and give, or raise, what the test put in `outcome`."""

    def __init__(self) -> None:
        self.outcome: object = None
        self.asked: object = None

    def _give(self, asked: object) -> object:
        self.asked = asked
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def orchestrate(self, request: OrchestrationRequest) -> OrchestrationResponse:
        return self._give(request)  # type: ignore[return-value]  # what the test put in

    async def detectors(self) -> tuple[DetectorInfo, ...]:
        return self._give(None)  # type: ignore[return-value]  # what the test put in

    async def policies(self, tenant_id: str) -> tuple[PolicyInfo, ...]:
        return self._give(tenant_id)  # type: ignore[return-value]  # what the test put in

    async def analyze(self, request: AnalysisRequest) -> AnalysisResponse:
        return self._give(request)  # type: ignore[return-value]  # what the test put in

    async def map(self, request: MappingRequest) -> MappingResponse:
        return self._give(request)  # type: ignore[return-value]  # what the test put in

    async def map_labels(self, request: LabelMappingRequest) -> LabelMappingResponse:
        return self._give(request)  # type: ignore[return-value]  # what the test put in

    async def reviews(
        self,
        tenant_id: str,
        *,
        limit: int = 100,
        cursor: str | None = None,
        status: ReviewStatus | None = None,
        vendor: str | None = None,
    ) -> ReviewPage:
        return self._give((tenant_id, limit, cursor, status, vendor))  # type: ignore[return-value]  # what the test put in

    async def frameworks(self, tenant_id: str) -> FrameworkList:
        return self._give(tenant_id)  # type: ignore[return-value]  # what the test put in


def serving_canned(running: Running, canned: Canned) -> Running:
    """What `running` would be with `canned` for all of its services."""
    return replace(running, orchestration=canned, analysis=canned, mapping=canned)


class WordDetector:
    """Finds given words, each with its label; breaks on the words `crash all` and `crash <its name>`."""

    readiness: str | None = None

    def __init__(self, name: str, vendor: str, category: str, words: dict[str, str]) -> None:
        self.descriptor = DetectorDescriptor(
            name=name,
            vendor=vendor,
            vendor_version="1",
            categories=(category,),
            labels=(),
            languages=(),
            cost_ms_per_kchar=0.01,
        )
        self._words = words

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """See `Detector.inspect`."""
        content = inquiry.text
        if f"crash {self.descriptor.name}" in content or "crash all" in content:
            raise DetectorFailed("crashed as told")
        return Inspection(
            tuple(
                RawFinding(label, 0.9, at, at + len(word))
                for word, label in self._words.items()
                if (at := content.find(word)) >= 0
            )
        )


def word_detectors() -> list[WordDetector]:
    """One detector whose labels the catalogue knows, and one whose labels it does not."""
    return [
        WordDetector("mail", "presidio", "pii.personal_identifiers", {"anna@example.com": "EMAIL_ADDRESS"}),
        WordDetector("codes", "acme_codes", "policy.banned_content", {"TCK-1": "TICKET", "PRJ-2": "PROJECT"}),
    ]
