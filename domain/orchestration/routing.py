"""From a request to a route: the facts for the policy, its plan, and the detectors that the plan means."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llama_mapper.domain.contracts.base import VersionInfo
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.orchestration import (
    AggregationSummary,
    CoverageReport,
    OrchestrationRequest,
    PolicyDecision,
    RoutingPlan,
    Verdict,
)
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.coverage import requirements_of
from llama_mapper.domain.orchestration.model import DetectorTerms, Plan
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import (
    Detector,
    DetectorDescriptor,
    PolicyBundle,
    PolicyEngine,
    PolicyFacts,
)

METADATA_FACTS = "metadata_facts"
"""Key of a bundle's data that lists which metadata its policy reads."""

_REMEMBERED = 1024
_UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class Seat:
    """A selected detector: the detector itself (None if nobody registered it), its terms, and what it is asked."""

    descriptor: DetectorDescriptor
    detector: Detector | None
    terms: DetectorTerms
    categories: tuple[str, ...]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all results amount to."""

    summary: AggregationSummary
    coverage: CoverageReport
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Route:
    """A plan made ready to carry out, with the parts of the answer that are the same for every request on it.

    `only` is the set of risk categories to judge, None for all. `quiet` remembers judgements of runs that found
    nothing, and `coverages` what was covered: both by who answered. There are few different ones.
    """

    plan: Plan
    seats: tuple[Seat, ...]
    only: frozenset[str] | None
    decision: PolicyDecision
    version_info: VersionInfo
    quiet: dict[tuple[object, ...], Judgement] = field(default_factory=dict)
    coverages: dict[tuple[object, ...], CoverageReport] = field(default_factory=dict)


class Router:
    """Asks the policy, and remembers its answers.

    A policy is a pure function of its bundle and the facts. One evaluation costs more than running three fast
    detectors, so decisions are remembered by bundle, facts and which detectors are ready. At most 1,024 are kept,
    the least recently used go first. Metadata differ between requests: a bundle whose data list `metadata_facts` is
    given these keys only, and is then not asked again for the others.
    """

    def __init__(
        self, detectors: Mapping[str, Detector], engine: PolicyEngine, catalogue: CatalogueView, service_version: str
    ) -> None:
        self._detectors = dict(sorted(detectors.items()))
        self._engine = engine
        self._catalogue = catalogue
        self._service_version = service_version
        self._remembered: OrderedDict[tuple[object, ...], Route] = OrderedDict()

    async def route(self, bundle: PolicyBundle, tenant_id: str, request: OrchestrationRequest) -> Route:
        """The route for a request; raise `POLICY_INVALID` if the bundle gives no valid plan."""
        facts = _facts_of(bundle, tenant_id, request)
        ready = tuple([readiness_of(detector) is None for detector in self._detectors.values()])
        key = (bundle.applied, bundle.digest, facts, ready)
        route = self._remembered.get(key)
        if route is not None:
            self._remembered.move_to_end(key)
            return route
        try:
            plan = parse_plan(await self._engine.evaluate(bundle, self._input(facts, ready)))
        except PolicyEnforcementError as error:
            raise PolicyEnforcementError(f"policy '{bundle.applied}': {error.message}", error.error_code) from error
        route = self._made_ready(bundle, plan, restricted=bool(request.categories))
        self._remembered[key] = route
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return route

    def _input(self, facts: PolicyFacts, ready: tuple[bool, ...]) -> dict[str, Any]:
        return {
            "tenant_id": facts.tenant_id,
            "content_type": facts.content_type,
            "processing_mode": facts.processing_mode,
            "categories": list(facts.categories),
            "metadata": dict(facts.metadata),
            "detectors": [
                {
                    "name": name,
                    "categories": list(detector.descriptor.categories),
                    "languages": list(detector.descriptor.languages),
                    "ready": is_ready,
                }
                for (name, detector), is_ready in zip(self._detectors.items(), ready, strict=True)
            ],
        }

    def _made_ready(self, bundle: PolicyBundle, plan: Plan, *, restricted: bool) -> Route:
        only = frozenset(plan.categories) if restricted else None
        seats = tuple([self._seat(name, plan, only) for name in plan.selected])
        versions = self._catalogue.versions
        return Route(
            plan=plan,
            seats=seats,
            only=only,
            decision=PolicyDecision(
                selected_detectors=plan.selected,
                policy_applied=bundle.applied,
                policy_digest=bundle.digest,
                routing_reason=plan.routing_reason,
                coverage_method=plan.coverage.method,
                plan=RoutingPlan(
                    primary_detectors=plan.primary,
                    secondary_detectors=plan.secondary,
                    coverage_requirements=dict(requirements_of(plan)),
                    timeout_ms=plan.timeout_ms,
                ),
            ),
            version_info=VersionInfo(
                service_version=self._service_version,
                taxonomy_version=versions.taxonomy,
                vocabulary_version=versions.vocabulary,
                policy_version=bundle.applied,
                detectors={seat.descriptor.name: seat.descriptor.vendor_version for seat in seats if seat.detector},
            ),
        )

    def _seat(self, name: str, plan: Plan, only: frozenset[str] | None) -> Seat:
        detector = self._detectors.get(name)
        terms = plan.terms[name]
        timeout_s = min(terms.timeout_ms, plan.timeout_ms) / 1e3
        if detector is None:
            nobody = DetectorDescriptor(name, _UNREGISTERED, _UNREGISTERED, (), (), (), 0.0)
            return Seat(nobody, None, terms, (), timeout_s)
        descriptor = detector.descriptor
        asked = tuple([each for each in descriptor.categories if only is None or each in only])
        return Seat(descriptor, detector, terms, asked, timeout_s)


def readiness_of(detector: Detector) -> str | None:
    """None if the detector can be asked, else why not in at most 512 characters; telling that never raises."""
    try:
        why = detector.readiness
    except Exception as error:
        return f"its readiness cannot be told ({type(error).__name__})"[:512]
    return None if why is None else why[:512]


def _facts_of(bundle: PolicyBundle, tenant_id: str, request: OrchestrationRequest) -> PolicyFacts:
    metadata = request.metadata or {}
    if metadata and METADATA_FACTS in bundle.data:
        keys = bundle.data[METADATA_FACTS]
        if not isinstance(keys, list | tuple) or not all(isinstance(key, str) for key in keys):
            raise PolicyEnforcementError(f"policy '{bundle.applied}': data.{METADATA_FACTS} must be a list of names")
        metadata = {key: metadata[key] for key in keys if key in metadata}
    return PolicyFacts(
        tenant_id=tenant_id,
        content_type=request.content_type,
        processing_mode=request.processing_mode,
        categories=tuple(sorted(set(request.categories))) if request.categories else (),
        metadata=tuple(sorted(metadata.items())) if metadata else (),
    )
