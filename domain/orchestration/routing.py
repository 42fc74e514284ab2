"""From a request to a route: the facts for the policy, its plan, and the detectors that the plan means."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llama_mapper.domain.contracts.base import VersionInfo
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.orchestration import (
    AggregationSummary,
    CoverageReport,
    DetectorMode,
    OrchestrationOptions,
    PolicyDecision,
    RoutingPlan,
    Verdict,
)
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.coverage import requirements_of
from llama_mapper.domain.orchestration.model import MAX_DETECTORS, DetectorTerms, Plan
from llama_mapper.domain.orchestration.pace import Pace
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import (
    Detector,
    DetectorDescriptor,
    PolicyBundle,
    PolicyEngine,
    PolicyFacts,
)
from llama_mapper.domain.orchestration.roster import DetectorRoster, readiness_of

METADATA_FACTS = "metadata_facts"
"""Key of a bundle's data that lists which metadata its policy reads."""

_REMEMBERED = 1024
_UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class Seat:
    """A selected detector: the detector itself (None if nobody registered it), its terms, and what it is asked.

    `substitute_for` is the selected detector that this one stands in for.
    """

    descriptor: DetectorDescriptor
    detector: Detector | None
    terms: DetectorTerms
    categories: tuple[str, ...]
    timeout_s: float
    substitute_for: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all results amount to."""

    summary: AggregationSummary
    coverage: CoverageReport
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Route:
    """A plan made ready to carry out, with the parts of the answer that are the same for every request on it.

    `plan` has terms for substitutes too. `only` is the set of risk categories to judge, None for all. `monitoring`:
    something of it is reported and not enforced. `quiet` remembers judgements of runs that found
    nothing, and `coverages` what was covered: both by who answered. There are few different ones. `pace` notes how
    long runs take.
    """

    plan: Plan
    seats: tuple[Seat, ...]
    only: frozenset[str] | None
    monitoring: bool
    decision: PolicyDecision
    version_info: VersionInfo
    quiet: dict[tuple[object, ...], Judgement] = field(default_factory=dict)
    coverages: dict[tuple[object, ...], CoverageReport] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)


class Router:
    """Asks the policy, and remembers its answers.

    A policy is a pure function of its bundle and the facts. One evaluation costs more than running three fast
    detectors, so decisions are remembered by bundle, facts and which detectors are ready. At most 1,024 are kept,
    the least recently used go first. Metadata differ between requests: a bundle whose data list `metadata_facts` is
    given these keys only, and is then not asked again for the others.
    """

    def __init__(
        self, roster: DetectorRoster, engine: PolicyEngine, catalogue: CatalogueView, service_version: str
    ) -> None:
        self._roster = roster
        self._engine = engine
        self._catalogue = catalogue
        self._service_version = service_version
        self._remembered: OrderedDict[tuple[object, ...], Route] = OrderedDict()

    async def route(self, bundle: PolicyBundle, tenant_id: str, request: OrchestrationOptions) -> Route:
        """The route for a request; raise `POLICY_INVALID` if the bundle gives no valid plan."""
        facts = _facts_of(bundle, tenant_id, request)
        detectors, generation = self._roster.detectors, self._roster.generation
        ready = tuple([readiness_of(detector) is None for detector in detectors.values()])
        key = (bundle.applied, bundle.digest, facts, generation, ready)
        route = self._remembered.get(key)
        if route is not None:
            self._remembered.move_to_end(key)
            return route
        try:
            plan = parse_plan(await self._engine.evaluate(bundle, _input(facts, detectors, ready)))
        except PolicyEnforcementError as error:
            raise PolicyEnforcementError(f"policy '{bundle.applied}': {error.message}", error.error_code) from error
        unready = frozenset(name for name, is_ready in zip(detectors, ready, strict=True) if not is_ready)
        route = self._made_ready(bundle, plan, detectors, unready, restricted=bool(request.categories))
        self._remembered[key] = route
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return route

    def _made_ready(
        self,
        bundle: PolicyBundle,
        plan: Plan,
        detectors: Mapping[str, Detector],
        unready: frozenset[str],
        *,
        restricted: bool,
    ) -> Route:
        only = frozenset(plan.categories) if restricted else None
        seats = [_seat(name, detectors.get(name), plan.terms[name], plan, only) for name in plan.selected]
        for name in plan.selected:
            if (name in unready or name not in detectors) and plan.terms[name].substitutes:
                taken = {seat.descriptor.name for seat in seats}
                free = (each for each in plan.terms[name].substitutes if each not in taken)
                stand_in = next((each for each in free if each in detectors and each not in unready), None)
                if stand_in is not None and len(seats) < MAX_DETECTORS:
                    terms = plan.terms[name]
                    plan = replace(plan, terms={**plan.terms, stand_in: terms})
                    seats.append(_seat(stand_in, detectors[stand_in], terms, plan, only, substitute_for=name))
        versions = self._catalogue.versions
        return Route(
            plan=plan,
            seats=tuple(seats),
            only=only,
            monitoring=plan.enforcement is DetectorMode.MONITOR or bool(plan.monitored),
            decision=PolicyDecision(
                selected_detectors=tuple([seat.descriptor.name for seat in seats]),
                policy_applied=bundle.applied,
                policy_digest=bundle.digest,
                routing_reason=plan.routing_reason,
                coverage_method=plan.coverage.method,
                plan=RoutingPlan(
                    primary_detectors=plan.primary,
                    secondary_detectors=plan.secondary,
                    coverage_requirements=dict(requirements_of(plan)),
                    timeout_ms=plan.timeout_ms,
                    monitored_detectors=tuple(sorted(plan.monitored)),
                    redaction={"*": plan.redaction.default, **plan.redaction.categories},
                    mapping=plan.mapping,
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


def _input(facts: PolicyFacts, detectors: Mapping[str, Detector], ready: tuple[bool, ...]) -> dict[str, Any]:
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
            for (name, detector), is_ready in zip(detectors.items(), ready, strict=True)
        ],
    }


def _seat(
    name: str,
    detector: Detector | None,
    terms: DetectorTerms,
    plan: Plan,
    only: frozenset[str] | None,
    substitute_for: str | None = None,
) -> Seat:
    timeout_s = min(terms.timeout_ms, plan.timeout_ms) / 1e3
    if detector is None:
        nobody = DetectorDescriptor(name, _UNREGISTERED, _UNREGISTERED, (), (), (), 0.0)
        return Seat(nobody, None, terms, (), timeout_s)
    descriptor = detector.descriptor
    asked = tuple([each for each in descriptor.categories if only is None or each in only])
    return Seat(descriptor, detector, terms, asked, timeout_s, substitute_for)


def _facts_of(bundle: PolicyBundle, tenant_id: str, request: OrchestrationOptions) -> PolicyFacts:
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
