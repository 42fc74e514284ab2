"""The mapping context's use cases: they keep what `MappingApi` promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter, thread_time

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.mapping import (
    CostMetrics,
    FrameworkInfo,
    FrameworkList,
    LabelMappingRequest,
    LabelMappingResponse,
    MappedLabel,
    MappingExtra,
    MappingRequest,
    MappingResponse,
    MappingStrategy,
    OutputFormat,
    ResourceUtilization,
    ReviewPage,
    ReviewStatus,
    TokenUsage,
)
from llama_mapper.domain.contracts.mapping_terms import MappingTerms
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.kernel.tracing import step
from llama_mapper.domain.mapping.accounting import NOT_ASKED, Accounts
from llama_mapper.domain.mapping.cascade.cascade import CascadeAnswers
from llama_mapper.domain.mapping.cascade.metrics import MappingMetrics, NoMappingMetrics
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.spending import NANO
from llama_mapper.domain.mapping.editions import EditionSet
from llama_mapper.domain.mapping.generation.explaining import Explainer
from llama_mapper.domain.mapping.labelling import answered, map_findings, map_label, sure_enough, unknown_labels
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.monitoring.meter import WindowMeter
from llama_mapper.domain.mapping.monitoring.observed import abstains, answered_by
from llama_mapper.domain.mapping.ports import ReviewQueue, UnknownLabels
from llama_mapper.domain.mapping.releases.routing import SERVED, Served
from llama_mapper.domain.mapping.settings.terms import AS_INSTALLED, EffectiveTerms, effective_terms
from llama_mapper.domain.mapping.telling import (
    StageWarning,
    no_warning,
    provenance_of,
    tell_catalogue,
    tokens_of,
    with_models,
)
from llama_mapper.domain.mapping.tenants.directory import TenantCatalogues
from llama_mapper.domain.mapping.tenants.standing import Standing, View

_LABELS_AT_ONCE = 1_000  # then other requests on the event loop get their turn: this many take some milliseconds
_NO_TOKENS = TokenUsage()
_NO_KEYS: list[LabelKey] = []
_COMPONENT = "catalogue_mapping"
_SPLIT_NAME = "crosswalk"

TrafficShare = Callable[[str, str, str], int]
"""(tenant, name of what is split, key of the request) → a number from 0 to 99."""


def no_share(_: str, __: str, ___: str) -> int:
    """For installations that split nothing: whatever is deployed to less than all answers nobody."""
    return 99


class MappingService:
    """Maps by catalogue; the stages of a cascade are asked about what the catalogue does not know.

    A label that nobody is sure about abstains into the review queue with what might be right. If the queue cannot take
    the abstentions the call fails with the queue's error: an answer with abstentions promises that they wait for a
    person.
    """

    def __init__(
        self,
        catalogue: CatalogueView,
        reviews: ReviewQueue,
        clock: Clock,
        service_version: str,
        tenants: TenantCatalogues | None = None,
        share: TrafficShare = no_share,
        meter: CostMeter | None = None,
        cascade: UnknownLabels | None = None,
        metrics: MappingMetrics | None = None,
        may_ask_models: Callable[[str], bool] | None = None,
        warning: StageWarning = no_warning,
        windows: WindowMeter | None = None,
        *,
        offline: bool = False,
    ) -> None:
        """Without `tenants` every tenant is answered by the shipped catalogue alone.

        `share` gives a number from 0 to 99, always the same for a tenant, a name and a request's key;
        `may_ask_models` says whether a tenant's budget permits language models, `offline` whether the installation
        asks nothing outside this process. What `warning` says of a stage is on the provenance.
        """
        self._standing = Standing(View(catalogue))
        self._reviews = reviews
        self._clock = clock
        self._service_version = service_version
        self._tenants = tenants
        self._share = share
        self._cascade = cascade
        self._may_ask_models = may_ask_models
        self._offline = offline
        self._accounts = Accounts(metrics or NoMappingMetrics(), meter, windows)
        self._warning = warning

    async def map(self, request: MappingRequest) -> MappingResponse:
        """Map the findings of an analysis for `request.tenant_id` (which must be set)."""
        with step("map") as at:
            response = await self._mapped(request)
            if at:
                at.set(
                    {
                        "llama_mapper.labels": response.cost_metrics.resource_utilization.labels,
                        "llama_mapper.labels.abstained": response.abstentions,
                    }
                )
        return response

    async def _mapped(self, request: MappingRequest) -> MappingResponse:
        started, cpu_started = perf_counter(), thread_time()
        analysis = request.analysis_response
        tenant_id = _required(request.tenant_id)
        if tenant_id != analysis.tenant_id:
            raise AuthorizationError("the analysis belongs to another tenant", ErrorCode.TENANT_MISMATCH)
        standing = await self._standing_of(tenant_id)
        view = self._view(standing, tenant_id, analysis.request_id)
        terms = self._terms(request.strategy, request.min_confidence, request.policy_terms, standing)
        editions = view.editions.named(request.frameworks)
        with step("mapping stage", "catalogue") as at:
            mapped = map_findings(view.catalogue, analysis.findings, editions, thresholds=terms.thresholds)
            if at:
                tell_catalogue(at, view, mapped.labels)
        keys, found = _NO_KEYS, NOT_ASKED
        if mapped.unknown and self._cascade is not None:
            keys = [
                LabelKey(label.vendor, label.vendor_version, label.label)
                for label in mapped.labels
                if label.abstained and not label.suggestions
            ]
            found = await self._ask(Served(tenant_id, analysis.request_id), keys, terms)
            answers = dict(zip(keys, found.answers, strict=True))
            mapped = map_findings(view.catalogue, analysis.findings, editions, answers, terms.thresholds)
        used = found.used
        given = answered_by(mapped.labels)
        form = request.output_format
        labels = mapped.labels if form is OutputFormat.FULL_RECORD else ()
        if request.include and MappingExtra.RATIONALE in request.include:
            labels = await self._explained(labels, view.catalogue, editions, terms)
        wants_frameworks = form is not OutputFormat.TAXONOMY_ONLY
        framework_mappings = editions.framework_mappings(mapped.taxonomy) if wants_frameworks else {}
        # Measured before the queue is awaited: another request may use this thread meanwhile.
        compute_ms, cpu_ms = (perf_counter() - started) * 1e3, (thread_time() - cpu_started) * 1e3
        self._accounts.count(tenant_id, terms.strategy or self._strategy, given, mapped.labels, keys, found, compute_ms)
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
            labels=labels,
            framework_mappings=framework_mappings,
            abstentions=len(mapped.unknown),
            version_info=with_models(
                view.version_info(self._service_version, editions.text if wants_frameworks else None), used
            ),
            processing_time_ms=elapsed_ms,
            cost_metrics=CostMetrics(
                inference_cost=sum(amount.nanodollars for use in used for _, amount in use.spent) / NANO,
                compute_time_ms=compute_ms,
                token_usage=tokens_of(used) or _NO_TOKENS,
                resource_utilization=ResourceUtilization(cpu_time_ms=cpu_ms, labels=len(mapped.labels)),
            ),
            provenance=(
                *analysis.provenance,
                ProvenanceEntry(
                    stage="mapping", component=_COMPONENT, version=self._service_version, duration_ms=elapsed_ms
                ),
                *provenance_of(used, self._warning),
            ),
            terms=terms.applied,
        )

    async def map_labels(self, request: LabelMappingRequest) -> LabelMappingResponse:
        """Map bare labels for `request.tenant_id` (which must be set), in the order given."""
        with step("map") as at:
            response = await self._mapped_labels(request)
            if at:
                abstained = sum(mapped.abstained for mapped in response.mappings)
                at.set({"llama_mapper.labels": len(response.mappings), "llama_mapper.labels.abstained": abstained})
        return response

    async def _mapped_labels(self, request: LabelMappingRequest) -> LabelMappingResponse:
        started = perf_counter()
        tenant_id = _required(request.tenant_id)
        first = request.labels[0]
        request_key = f"{first.vendor}/{first.vendor_version or ''}/{first.label}"
        standing = await self._standing_of(tenant_id)
        view = self._view(standing, tenant_id, request_key)
        terms = self._terms(request.strategy, request.min_confidence, None, standing)
        editions = view.editions.named(request.frameworks)
        queries, catalogue = request.labels, view.catalogue
        mappings: list[MappedLabel] = []
        with step("mapping stage", "catalogue") as at:
            for start in range(0, len(queries), _LABELS_AT_ONCE):
                if start:
                    await asyncio.sleep(0)
                mappings.extend([map_label(catalogue, q, editions) for q in queries[start : start + _LABELS_AT_ONCE]])
            if at:
                tell_catalogue(at, view, mappings)
        given = answered_by(mappings)
        unknown_at = [number for number, mapped in enumerate(mappings) if mapped.abstained] if abstains(given) else []
        keys, found = _NO_KEYS, NOT_ASKED
        if unknown_at and self._cascade is not None:
            keys = [LabelKey(q.vendor, q.vendor_version, q.label) for q in map(queries.__getitem__, unknown_at)]
            found = await self._ask(Served(tenant_id, request_key), keys, terms)
            for number, answer in zip(unknown_at, found.answers, strict=True):
                mappings[number] = answered(mappings[number], answer, editions)
            given = answered_by(map(mappings.__getitem__, unknown_at), besides=given)
        used = found.used
        if terms.thresholds:
            mappings = [sure_enough(mapped, terms.thresholds) for mapped in mappings]
            given = answered_by(mappings)
        self._accounts.count(
            tenant_id, terms.strategy or self._strategy, given, mappings, keys, found, (perf_counter() - started) * 1e3
        )
        if abstains(given):
            unknown = unknown_labels(mappings)
            await self._reviews.add(tenant_id, unknown, self._clock())
        if request.include and MappingExtra.RATIONALE in request.include:
            mappings = [*await self._explained(mappings, catalogue, editions, terms)]
        return LabelMappingResponse(
            mappings=tuple(mappings),
            version_info=with_models(view.version_info(self._service_version, editions.text), used),
            processing_time_ms=(perf_counter() - started) * 1e3,
            token_usage=tokens_of(used),
            provenance=provenance_of(used, self._warning),
            terms=terms.applied,
        )

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
        if not 1 <= limit <= 1_000:
            raise ValidationError("limit must be from 1 to 1,000")
        return await self._reviews.page(tenant_id, limit=limit, cursor=cursor, status=status, vendor=vendor)

    async def _ask(self, served: Served, keys: Sequence[LabelKey], terms: EffectiveTerms) -> CascadeAnswers:
        if self._cascade is None:
            return NOT_ASKED
        permitted = self._may_ask_models is None or self._may_ask_models(served.tenant_id)
        token = SERVED.set(served)
        try:
            return await self._cascade.answer(
                keys,
                strategy=terms.said_strategy,
                thresholds=terms.thresholds,
                ask_models=permitted,
                offline=terms.offline,
            )
        finally:
            SERVED.reset(token)

    def _terms(
        self,
        strategy: MappingStrategy | None,
        min_confidence: float | None,
        policy: MappingTerms | None,
        standing: Standing,
    ) -> EffectiveTerms:
        """Whose word holds for this request."""
        asked = None
        if strategy is not None or min_confidence is not None:
            asked = MappingTerms(strategy=strategy, min_confidence=min_confidence)
        elif policy is None and standing.terms is None:
            return AS_INSTALLED
        return effective_terms(asked, policy, standing.terms, self._strategy, operator_offline=self._offline)

    @property
    def _strategy(self) -> MappingStrategy:
        """The installation's; without stages nobody is asked about what the catalogue does not know."""
        return MappingStrategy.CATALOGUE_ONLY if self._cascade is None else self._cascade.terms.strategy

    async def _explained(
        self,
        labels: Sequence[MappedLabel],
        catalogue: CatalogueView,
        editions: EditionSet,
        terms: EffectiveTerms,
    ) -> tuple[MappedLabel, ...]:
        usual = None if self._cascade is None else self._cascade.terms.threshold
        explain = Explainer(catalogue, editions.editions, asked=terms.thresholds, usual=usual)
        explained: list[MappedLabel] = []
        for start in range(0, len(labels), _LABELS_AT_ONCE):
            if start:
                await asyncio.sleep(0)
            explained.extend([explain(mapped) for mapped in labels[start : start + _LABELS_AT_ONCE]])
        return tuple(explained)

    async def frameworks(self, tenant_id: str) -> FrameworkList:
        """See `MappingApi.frameworks`."""
        view = (await self._standing_of(tenant_id)).rest
        shipped = {edition.ref for edition in self._standing.rest.catalogue.frameworks()}
        return FrameworkList(
            items=tuple(
                FrameworkInfo(
                    ref=edition.ref,
                    framework=edition.framework,
                    edition=edition.edition,
                    title=edition.title,
                    kind=edition.kind.value,
                    applies_when=edition.applies_when,
                    own=edition.ref not in shipped,
                )
                for edition in view.catalogue.frameworks()
            )
        )

    def _view(self, standing: Standing, tenant_id: str, request_key: str) -> View:
        """The catalogue that answers this request, with what belongs to it."""
        return standing.view(lambda: self._share(tenant_id, _SPLIT_NAME, request_key))

    async def _standing_of(self, tenant_id: str) -> Standing:
        if self._tenants is None:
            return self._standing
        return self._tenants.fresh(tenant_id) or await self._tenants.standing(tenant_id)


def _required(tenant_id: str | None) -> str:
    if tenant_id is None:
        raise ValidationError("tenant_id must be set")
    return tenant_id
