"""The mapping context's use cases: they keep what `MappingApi` promises."""

from __future__ import annotations

import asyncio
from time import perf_counter, thread_time

from llama_mapper.domain.contracts.base import ProvenanceEntry, VersionInfo
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.mapping import (
    CostMetrics,
    LabelMappingRequest,
    LabelMappingResponse,
    MappedLabel,
    MappingRequest,
    MappingResponse,
    OutputFormat,
    ResourceUtilization,
    ReviewPage,
    TokenUsage,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.spending import OWN_WORK, Amount
from llama_mapper.domain.mapping.editions import EditionSet, EditionSets
from llama_mapper.domain.mapping.labelling import map_findings, map_label, unknown_labels
from llama_mapper.domain.mapping.ports import ReviewQueue

_LABELS_AT_ONCE = 1_000  # then other requests on the event loop get their turn: this many take some milliseconds
_REMEMBERED_VERSIONS = 64
_NO_TOKENS = TokenUsage()
_COMPONENT = "catalogue_mapping"


class MappingService:
    """Maps by catalogue. A label that the catalogue does not know abstains into the review queue, never a guess.

    If the queue cannot take the abstentions the call fails with the queue's error: an answer with abstentions promises
    that they wait for a person.
    """

    def __init__(
        self,
        catalogue: CatalogueView,
        reviews: ReviewQueue,
        clock: Clock,
        service_version: str,
        meter: CostMeter | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._reviews = reviews
        self._clock = clock
        self._service_version = service_version
        self._meter = meter
        self._editions = EditionSets(catalogue)
        self._versions: dict[str | None, VersionInfo] = {}

    async def map(self, request: MappingRequest) -> MappingResponse:
        """Map the findings of an analysis for `request.tenant_id` (which must be set)."""
        started, cpu_started = perf_counter(), thread_time()
        analysis = request.analysis_response
        tenant_id = _required(request.tenant_id)
        if tenant_id != analysis.tenant_id:
            raise AuthorizationError("the analysis belongs to another tenant", ErrorCode.TENANT_MISMATCH)
        editions = self._editions.named(request.frameworks)
        mapped = map_findings(self._catalogue, analysis.findings, editions)
        form = request.output_format
        wants_frameworks = form is not OutputFormat.TAXONOMY_ONLY
        framework_mappings = editions.framework_mappings(mapped.taxonomy) if wants_frameworks else {}
        # Measured before the queue is awaited: another request may use this thread meanwhile.
        compute_ms, cpu_ms = (perf_counter() - started) * 1e3, (thread_time() - cpu_started) * 1e3
        self._count(tenant_id, len(mapped.labels), compute_ms)
        if mapped.unknown:
            await self._reviews.add(tenant_id, mapped.unknown, self._clock())
        elapsed_ms = (perf_counter() - started) * 1e3
        return MappingResponse(
            request_id=analysis.request_id,
            tenant_id=tenant_id,
            output_format=form,
            taxonomy=mapped.taxonomy,
            scores={} if form is OutputFormat.FRAMEWORK_VIEW else mapped.scores,
            confidence=mapped.confidence,
            labels=mapped.labels if form is OutputFormat.FULL_RECORD else (),
            framework_mappings=framework_mappings,
            abstentions=len(mapped.unknown),
            version_info=self._version_info(editions if wants_frameworks else None),
            processing_time_ms=elapsed_ms,
            cost_metrics=CostMetrics(
                inference_cost=0.0,
                compute_time_ms=compute_ms,
                token_usage=_NO_TOKENS,
                resource_utilization=ResourceUtilization(cpu_time_ms=cpu_ms, labels=len(mapped.labels)),
            ),
            provenance=(
                *analysis.provenance,
                ProvenanceEntry(
                    stage="mapping", component=_COMPONENT, version=self._service_version, duration_ms=elapsed_ms
                ),
            ),
        )

    async def map_labels(self, request: LabelMappingRequest) -> LabelMappingResponse:
        """Map bare labels for `request.tenant_id` (which must be set), in the order given."""
        started = perf_counter()
        tenant_id = _required(request.tenant_id)
        editions = self._editions.named(request.frameworks)
        queries, catalogue = request.labels, self._catalogue
        mappings: list[MappedLabel] = []
        for start in range(0, len(queries), _LABELS_AT_ONCE):
            if start:
                await asyncio.sleep(0)
            mappings.extend([map_label(catalogue, q, editions) for q in queries[start : start + _LABELS_AT_ONCE]])
        self._count(tenant_id, len(mappings), (perf_counter() - started) * 1e3)
        if unknown := unknown_labels(mappings):
            await self._reviews.add(tenant_id, unknown, self._clock())
        return LabelMappingResponse(
            mappings=tuple(mappings),
            version_info=self._version_info(editions),
            processing_time_ms=(perf_counter() - started) * 1e3,
        )

    async def reviews(self, tenant_id: str, *, limit: int = 100, cursor: str | None = None) -> ReviewPage:
        """A page of the tenant's review queue; `limit` is 1 to 1,000."""
        if not 1 <= limit <= 1_000:
            raise ValidationError("limit must be from 1 to 1,000")
        return await self._reviews.page(tenant_id, limit=limit, cursor=cursor)

    def _count(self, tenant_id: str, labels: int, compute_ms: float) -> None:
        if self._meter is not None:
            self._meter.record(tenant_id, OWN_WORK, Amount(calls=1, labels=labels, compute_us=round(compute_ms * 1e3)))

    def _version_info(self, editions: EditionSet | None) -> VersionInfo:
        framework_version = None if editions is None else editions.text
        known = self._versions.get(framework_version)
        if known is not None:
            return known
        versions = self._catalogue.versions
        info = VersionInfo(
            service_version=self._service_version,
            taxonomy_version=versions.taxonomy,
            vocabulary_version=versions.vocabulary,
            crosswalk_version=versions.crosswalk,
            framework_version=framework_version,
        )
        if len(self._versions) >= _REMEMBERED_VERSIONS:
            self._versions.clear()
        self._versions[framework_version] = info
        return info


def _required(tenant_id: str | None) -> str:
    if tenant_id is None:
        raise ValidationError("tenant_id must be set")
    return tenant_id
