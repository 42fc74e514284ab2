"""The use cases of orchestration: judge content, list detectors, list policies."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.orchestration import (
    DetectorFault,
    DetectorInfo,
    DetectorMode,
    DetectorResult,
    DetectorStatus,
    OrchestrationRequest,
    OrchestrationResponse,
    PolicyInfo,
)
from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError, ValidationError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.orchestration.aggregation import aggregate
from llama_mapper.domain.orchestration.conversation import text_of
from llama_mapper.domain.orchestration.coverage import measure_coverage
from llama_mapper.domain.orchestration.fanout import Call, FanOut
from llama_mapper.domain.orchestration.findings import FindingReader, MalformedAnswer, Reading
from llama_mapper.domain.orchestration.policies import PolicyDirectory
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyBundles, PolicyEngine, TextDigests, Turn
from llama_mapper.domain.orchestration.roster import DetectorRoster, info_of, readiness_of
from llama_mapper.domain.orchestration.routing import Judgement, Route, Router, Seat
from llama_mapper.domain.orchestration.verdict import decide, with_monitored

_REMEMBERED_RUNS = 64
_NOTHING = Reading()


class OrchestrationService:
    """Keeps `OrchestrationApi`.

    The roster may change at any time; a request goes on with the detectors that it started with. `content_limit` is
    in characters.
    """

    def __init__(
        self,
        roster: DetectorRoster,
        engine: PolicyEngine,
        bundles: PolicyBundles,
        shipped: Sequence[PolicyBundle],
        catalogue: CatalogueView,
        digests: TextDigests,
        service_version: str,
        content_limit: int,
    ) -> None:
        self._roster = roster
        self._policies = PolicyDirectory(bundles, shipped)
        self._router = Router(roster, engine, catalogue, service_version)
        self._reader = FindingReader(catalogue, digests)
        self._fan_out = FanOut()
        self._catalogue = catalogue
        self._service_version = service_version
        self._content_limit = content_limit

    async def orchestrate(self, request: OrchestrationRequest) -> OrchestrationResponse:
        """Judge the content; see `OrchestrationApi` for the errors."""
        began = monotonic()
        text, turns = text_of(request)
        tenant_id = self._admitted(request, len(text))
        bundle = await self._policies.find(tenant_id, request.policy_bundle)
        route = await self._router.route(bundle, tenant_id, request)
        policy_ms = (monotonic() - began) * 1e3
        calls = [_call(seat) for seat in route.seats]
        to_ask = [call for call in calls if call is not None and call.fault is None]
        if to_ask:
            await self._fan_out.run(to_ask, text, turns, began, route.plan.timeout_ms / 1e3)
        gathered = monotonic()
        results, language, undecided = self._results(tenant_id, text, turns, route, calls)
        if results and not any(result.status is DetectorStatus.SUCCESS for result in results):
            states = ", ".join(f"{result.detector}: {result.status}" for result in results)
            raise OrchestrationError(
                f"not one selected detector answered ({states})", ErrorCode.ALL_DETECTORS_UNAVAILABLE, retryable=True
            )
        judgement = self._judge(route, results, undecided)
        ended = monotonic()
        version = self._service_version
        provenance = [
            ProvenanceEntry(
                stage="orchestration", component="policy", version=route.decision.policy_applied, duration_ms=policy_ms
            )
        ]
        provenance.extend([_step(result) for result in results])
        provenance.append(
            ProvenanceEntry(
                stage="orchestration",
                component="aggregation",
                version=version,
                duration_ms=(ended - gathered) * 1e3,
            )
        )
        return OrchestrationResponse(
            request_id=new_id("req"),
            tenant_id=tenant_id,
            content_type=request.content_type,
            content_length=len(text),
            language=language,
            detector_results=results,
            aggregation_summary=judgement.summary,
            coverage_achieved=judgement.coverage.achieved,
            coverage=judgement.coverage,
            policy=route.decision,
            verdict=judgement.verdict,
            processing_time_ms=(ended - began) * 1e3,
            version_info=route.version_info,
            provenance=tuple(provenance),
        )

    async def detectors(self) -> tuple[DetectorInfo, ...]:
        """Every registered detector, by name."""
        return tuple(info_of(detector) for detector in self._roster.detectors.values())

    async def policies(self, tenant_id: str) -> tuple[PolicyInfo, ...]:
        """The bundles that the tenant may name, by name."""
        return await self._policies.list(tenant_id)

    def _admitted(self, request: OrchestrationRequest, length: int) -> str:
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

    def _results(
        self, tenant_id: str, text: str, turns: tuple[Turn, ...], route: Route, calls: Sequence[Call | None]
    ) -> tuple[tuple[DetectorResult, ...], str | None, list[str]]:
        """Each seat's result, in the plan's order; the content's language as the first detector told it; who is
        undecided.
        """
        readings: list[Reading] = []
        language: str | None = None
        for seat, call in zip(route.seats, calls, strict=True):
            reading = _NOTHING
            if call is not None and call.fault is None:
                try:
                    reading = self._reader.read(
                        tenant_id, text, turns, seat.descriptor, seat.terms.thresholds, call.answer
                    )
                except MalformedAnswer as error:
                    call.status = DetectorStatus.FAILED
                    call.fault = DetectorFault(code="MALFORMED_FINDING", message=str(error))
            readings.append(reading)
            language = language or reading.language
        return (
            tuple(
                [
                    _result(seat, call, reading, language)
                    for seat, call, reading in zip(route.seats, calls, readings, strict=True)
                ]
            ),
            language,
            [seat.descriptor.name for seat, reading in zip(route.seats, readings, strict=True) if reading.undecided],
        )

    def _judge(self, route: Route, results: tuple[DetectorResult, ...], undecided: Sequence[str]) -> Judgement:
        quiet = not any(result.findings for result in results)
        key = tuple([(result.status, result.language_supported) for result in results])
        if quiet and (known := route.quiet.get(key)) is not None:
            return known
        plan = route.plan
        enforced = results
        if route.monitoring:
            enforced = tuple(result for result in results if result.mode is DetectorMode.ENFORCE)
        coverage = route.coverages.get(key)
        if coverage is None:
            coverage = measure_coverage(enforced, plan)
            if len(route.coverages) < _REMEMBERED_RUNS:
                route.coverages[key] = coverage
        applied, categories = route.decision.policy_applied, self._catalogue.categories
        summary = aggregate(enforced, plan, categories, only=route.only, undecided=undecided)
        verdict = decide(plan, applied, enforced, summary, coverage)
        if len(enforced) < len(results):
            everything = aggregate(results, plan, categories, only=route.only, undecided=undecided)
            verdict = with_monitored(verdict, decide(plan, applied, results, everything, coverage))
        judgement = Judgement(summary, coverage, verdict)
        if quiet and len(route.quiet) < _REMEMBERED_RUNS:
            route.quiet[key] = judgement
        return judgement


def _call(seat: Seat) -> Call | None:
    """The call to make, one that already failed because the detector is not ready, or None for an unknown detector."""
    if seat.detector is None:
        return None
    terms = seat.terms
    hedge_after_s = None if terms.hedge_after_ms is None else terms.hedge_after_ms / 1e3
    call = Call(seat.descriptor.name, seat.detector, seat.timeout_s, terms.retries, hedge_after_s)
    if (why := readiness_of(seat.detector)) is not None:
        call.status = DetectorStatus.UNAVAILABLE
        call.fault = DetectorFault(code="DETECTOR_NOT_READY", message=why)
    return call


_NOBODY = DetectorFault(code="DETECTOR_NOT_REGISTERED", message="the policy names it and no detector has this name")


def _result(seat: Seat, call: Call | None, reading: Reading, language: str | None) -> DetectorResult:
    status = DetectorStatus.UNAVAILABLE if call is None else call.status
    output, confidence = status.value, 0.0
    supported: bool | None = None
    if status is DetectorStatus.SUCCESS:
        output, confidence = "clean", seat.terms.clean_confidence
        if reading.findings:
            strongest = max(reading.findings, key=lambda finding: (not finding.below_threshold, finding.score))
            if not strongest.below_threshold:
                output, confidence = strongest.label, strongest.score
    if language is not None and call is not None:
        languages = seat.descriptor.languages
        supported = not languages or language in languages
    return DetectorResult(
        detector=seat.descriptor.name,
        vendor=seat.descriptor.vendor,
        vendor_version=seat.descriptor.vendor_version,
        status=status,
        output=output,
        confidence=confidence,
        categories=seat.categories,
        findings=reading.findings,
        findings_dropped=reading.dropped,
        language_supported=supported,
        mode=seat.terms.mode,
        substitute_for=seat.substitute_for,
        fault=_NOBODY if call is None else call.fault,
        processing_time_ms=0.0 if call is None else min(call.elapsed_ms, 86_400_000.0),
        metadata=dict(reading.notes or call.notes) if call is not None else {},
    )


def _step(result: DetectorResult) -> ProvenanceEntry:
    return ProvenanceEntry(
        stage="orchestration",
        component=result.detector,
        version=result.vendor_version,
        duration_ms=result.processing_time_ms,
        detail=result.status.value,
    )
