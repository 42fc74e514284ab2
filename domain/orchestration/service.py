"""The use cases of orchestration: judge content, list detectors, list policies."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.catalogue import CatalogueView, TenantViews
from llama_mapper.domain.contracts.orchestration import (
    DetectorInfo,
    DetectorStatus,
    OrchestrationOptions,
    OrchestrationRequest,
    OrchestrationResponse,
    PolicyInfo,
)
from llama_mapper.domain.contracts.streaming import StreamStart
from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError, ValidationError
from llama_mapper.domain.kernel.tracing import Step, step
from llama_mapper.domain.orchestration.conversation import text_of
from llama_mapper.domain.orchestration.fanout import FanOut
from llama_mapper.domain.orchestration.hooks import NO_HOOKS, Hooks
from llama_mapper.domain.orchestration.judging import Judge, call_for, response_of, restated
from llama_mapper.domain.orchestration.lifecycle.ports import PolicyStandings
from llama_mapper.domain.orchestration.own_words import OwnWords
from llama_mapper.domain.orchestration.policies import PolicyDirectory
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyEngine, TextDigests
from llama_mapper.domain.orchestration.resilience.load_shedding import LoadShedder
from llama_mapper.domain.orchestration.response_cache import ResponseCache, Slot
from llama_mapper.domain.orchestration.roster import DetectorRoster, info_of
from llama_mapper.domain.orchestration.routing import Router
from llama_mapper.domain.orchestration.shadows import ShadowRun
from llama_mapper.domain.orchestration.streaming.stream import TextStream


class OrchestrationService:
    """Keeps `OrchestrationApi`.

    The roster may change at any time; a request goes on with the detectors that it started with. `content_limit` is
    in characters.
    """

    def __init__(
        self,
        roster: DetectorRoster,
        engine: PolicyEngine,
        bundles: PolicyStandings,
        shipped: Sequence[PolicyBundle],
        catalogue: CatalogueView,
        digests: TextDigests,
        service_version: str,
        content_limit: int,
        hooks: Hooks = NO_HOOKS,
        cache: ResponseCache | None = None,
        shedder: LoadShedder | None = None,
        views: TenantViews | None = None,
    ) -> None:
        """Without `views` labels mean to every tenant what ships."""
        self._roster = roster
        self._policies = PolicyDirectory(bundles, shipped, digests)
        self._router = Router(roster, engine, catalogue, service_version)
        self._judge = Judge(catalogue, digests)
        self._fan_out = FanOut()
        self._catalogue = catalogue
        self._service_version = service_version
        self._content_limit = content_limit
        self._hooks = hooks
        self._cache = cache
        self._shedder = shedder
        self._words = OwnWords(views, service_version)

    async def orchestrate(self, request: OrchestrationRequest) -> OrchestrationResponse:
        """Judge the content; see `OrchestrationApi` for the errors."""
        with step("orchestrate") as at:
            if self._shedder is None:
                response = await self._orchestrated(request)
            else:
                with self._shedder:
                    response = await self._orchestrated(request)
            if at:
                _tell(at, response)
        return response

    async def _orchestrated(self, request: OrchestrationRequest) -> OrchestrationResponse:
        began = monotonic()
        text, turns = text_of(request)
        tenant_id = self._admitted(request, len(text))
        told: list[ProvenanceEntry] = []
        if self._hooks:
            request = await self._hooks.before(request, told)
        words = await self._words.of(tenant_id, told)
        with step("policy") as at:
            resolution = await self._policies.find(tenant_id, request)
            route = await self._router.route(resolution.bundle, tenant_id, request)
            if at:
                at.set({"llama_mapper.policy.version": route.decision.policy_applied})
        policy_ms = (monotonic() - began) * 1e3
        slot: Slot | None = None
        if self._cache is not None and route.pace.makes_looking_worth(len(text)):
            digests = (route.decision.policy_digest, *(bundle.digest for bundle in resolution.shadows))
            known, slot = await self._cache.find(
                tenant_id,
                text,
                turns,
                request,
                detectors=f"{self._roster.fingerprint} {self._hooks.fingerprint} {words.version}",
                policy=" ".join((*digests, *route.decision.selected_detectors)),
            )
            if known is not None:
                known = known.model_copy(update={"policy": resolution.explain(route.decision)})
                return await self._hooks.verdict(known) if self._hooks else known
        calls = [call_for(seat) for seat in route.seats]
        shadows: ShadowRun | None = None
        if resolution.shadows:
            shadows = await ShadowRun.prepared(self._router, resolution.shadows, tenant_id, request, route, calls, told)
            to_ask = shadows.calls
        else:
            to_ask = [call for call in calls if call is not None and call.fault is None]
        if to_ask:
            await self._fan_out.run(to_ask, text, turns, began, route.plan.timeout_ms / 1e3)
        gathered = monotonic()
        results, language, undecided = self._judge.results(tenant_id, text, turns, route, calls, words.catalogue)
        if results and not any(result.status is DetectorStatus.SUCCESS for result in results):
            states = ", ".join(f"{result.detector}: {result.status}" for result in results)
            raise OrchestrationError(
                f"not one selected detector answered ({states})", ErrorCode.ALL_DETECTORS_UNAVAILABLE, retryable=True
            )
        if self._hooks:
            hooked = await self._hooks.after(request, results, told)
            results = tuple(restated(seat, result) for seat, result in zip(route.seats, hooked, strict=True))
        judgement = self._judge.judge(route, results, undecided)
        response = response_of(
            request,
            route,
            decision=resolution.explain(route.decision),
            shadows=() if shadows is None else shadows.verdicts(self._judge, tenant_id, text, turns, words.catalogue),
            tenant_id=tenant_id,
            length=len(text),
            language=language,
            results=results,
            judgement=judgement,
            service_version=self._service_version,
            policy_ms=policy_ms,
            began=began,
            gathered=gathered,
            told=told,
            overlay_version=words.version,
        )
        if self._cache is not None:
            await self._cache.keep(slot, response, route.pace)
        return await self._hooks.verdict(response) if self._hooks else response

    async def open_stream(self, start: StreamStart) -> TextStream:
        """Make ready to judge a text while it is written; see `StreamingApi`."""
        tenant_id = self._admitted(start, 0)
        told: list[ProvenanceEntry] = []
        words = await self._words.of(tenant_id, told)
        with step("policy") as at:
            resolution = await self._policies.find(tenant_id, start)
            route = await self._router.route(resolution.bundle, tenant_id, start)
            if at:
                at.set({"llama_mapper.policy.version": route.decision.policy_applied})
        decision = resolution.explain(route.decision)
        return TextStream(
            start,
            tenant_id,
            route,
            decision,
            self._judge,
            self._fan_out,
            self._content_limit,
            self._service_version,
            words,
            told,
        )

    async def detectors(self) -> tuple[DetectorInfo, ...]:
        """Every registered detector, by name."""
        return tuple(info_of(detector) for detector in self._roster.detectors.values())

    async def policies(self, tenant_id: str) -> tuple[PolicyInfo, ...]:
        """The bundles that the tenant may name, by name."""
        return await self._policies.list(tenant_id)

    def _admitted(self, request: OrchestrationOptions, length: int) -> str:
        if request.tenant_id is None:
            raise ValidationError("tenant_id must be set")
        if length > self._content_limit:
            raise ValidationError(
                f"the content has {length} characters; at most {self._content_limit} are judged",
                ErrorCode.CONTENT_TOO_LARGE,
            )
        if request.categories:
            known = self._catalogue.categories
            if unknown := [each for each in request.categories if each not in known]:
                raise ValidationError(
                    f"the taxonomy has no risk category {', '.join(unknown[:8])}", ErrorCode.CATEGORY_NOT_FOUND
                )
        return request.tenant_id


def _tell(at: Step, response: OrchestrationResponse) -> None:
    at.set(
        {
            "llama_mapper.verdict": response.verdict.action.value,
            "llama_mapper.coverage": response.coverage_achieved,
            "llama_mapper.detectors.selected": len(response.detector_results),
            "llama_mapper.detectors.succeeded": response.aggregation_summary.detectors_succeeded,
        }
    )
