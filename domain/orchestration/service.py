"""The use cases of orchestration: judge content, list detectors, list policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.orchestration import (
    DetectorFault,
    DetectorInfo,
    DetectorResult,
    DetectorStatus,
    OrchestrationRequest,
    OrchestrationResponse,
    PolicyInfo,
)
from llama_mapper.domain.kernel.errors import (
    ConfigurationError,
    ErrorCode,
    OrchestrationError,
    ValidationError,
)
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.orchestration.aggregation import aggregate
from llama_mapper.domain.orchestration.coverage import measure_coverage
from llama_mapper.domain.orchestration.fanout import Call, FanOut
from llama_mapper.domain.orchestration.findings import FindingReader, MalformedAnswer, Reading
from llama_mapper.domain.orchestration.lifecycle.ports import PolicyStandings
from llama_mapper.domain.orchestration.policies import PolicyDirectory
from llama_mapper.domain.orchestration.ports import (
    Detector,
    PolicyBundle,
    PolicyEngine,
    TextDigests,
)
from llama_mapper.domain.orchestration.routing import Judgement, Route, Router, Seat, readiness_of
from llama_mapper.domain.orchestration.verdict import decide

_REMEMBERED_RUNS = 64
_NOTHING = Reading()


class OrchestrationService:
    """Keeps `OrchestrationApi`.

    `detectors` is read once: the set is fixed over the service's life, readiness is asked anew for every request.
    Raises `CONFIGURATION_INVALID` for a detector whose declaration is malformed or whose category the catalogue
    lacks. `content_limit` is in characters.
    """

    def __init__(
        self,
        detectors: Mapping[str, Detector],
        engine: PolicyEngine,
        bundles: PolicyStandings,
        shipped: Sequence[PolicyBundle],
        catalogue: CatalogueView,
        digests: TextDigests,
        service_version: str,
        content_limit: int,
    ) -> None:
        for name, detector in detectors.items():
            _check(name, detector, catalogue)
        self._detectors = dict(sorted(detectors.items()))
        self._policies = PolicyDirectory(bundles, shipped, digests)
        self._router = Router(self._detectors, engine, catalogue, service_version)
        self._reader = FindingReader(catalogue, digests)
        self._fan_out = FanOut()
        self._catalogue = catalogue
        self._service_version = service_version
        self._content_limit = content_limit

    async def orchestrate(self, request: OrchestrationRequest) -> OrchestrationResponse:
        """Judge the content; see `OrchestrationApi` for the errors."""
        began = perf_counter()
        tenant_id = self._admitted(request)
        resolution = await self._policies.find(tenant_id, request)
        route = await self._router.route(resolution.bundle, tenant_id, request)
        policy_ms = (perf_counter() - began) * 1e3
        calls = [_call(seat) for seat in route.seats]
        to_ask = [call for call in calls if call is not None and call.fault is None]
        if to_ask:
            await self._fan_out.run(to_ask, request.content, began, route.plan.timeout_ms / 1e3)
        gathered = perf_counter()
        results, language, undecided = self._results(tenant_id, request.content, route, calls)
        if results and not any(result.status is DetectorStatus.SUCCESS for result in results):
            states = ", ".join(f"{result.detector}: {result.status}" for result in results)
            raise OrchestrationError(
                f"not one selected detector answered ({states})", ErrorCode.ALL_DETECTORS_UNAVAILABLE, retryable=True
            )
        judgement = self._judge(route, results, undecided)
        ended = perf_counter()
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
            content_length=len(request.content),
            language=language,
            detector_results=results,
            aggregation_summary=judgement.summary,
            coverage_achieved=judgement.coverage.achieved,
            coverage=judgement.coverage,
            policy=resolution.explain(route.decision),
            verdict=judgement.verdict,
            processing_time_ms=(ended - began) * 1e3,
            version_info=route.version_info,
            provenance=tuple(provenance),
        )

    async def detectors(self) -> tuple[DetectorInfo, ...]:
        """Every registered detector, by name."""
        return tuple(_info(detector) for detector in self._detectors.values())

    async def policies(self, tenant_id: str) -> tuple[PolicyInfo, ...]:
        """The bundles that the tenant may name, by name."""
        return await self._policies.list(tenant_id)

    def _admitted(self, request: OrchestrationRequest) -> str:
        if request.tenant_id is None:
            raise ValidationError("tenant_id must be set")
        if len(request.content) > self._content_limit:
            raise ValidationError(
                f"the content has {len(request.content)} characters; at most {self._content_limit} are judged",
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
        self, tenant_id: str, content: str, route: Route, calls: Sequence[Call | None]
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
                    reading = self._reader.read(tenant_id, content, seat.descriptor, call.answer)
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
        coverage = route.coverages.get(key)
        if coverage is None:
            coverage = measure_coverage(results, plan)
            if len(route.coverages) < _REMEMBERED_RUNS:
                route.coverages[key] = coverage
        summary = aggregate(results, plan, self._catalogue.categories, only=route.only, undecided=undecided)
        verdict = decide(plan, route.decision.policy_applied, results, summary, coverage)
        judgement = Judgement(summary, coverage, verdict)
        if quiet and len(route.quiet) < _REMEMBERED_RUNS:
            route.quiet[key] = judgement
        return judgement


def _call(seat: Seat) -> Call | None:
    """The call to make, one that already failed because the detector is not ready, or None for an unknown detector."""
    if seat.detector is None:
        return None
    call = Call(seat.descriptor.name, seat.detector, seat.timeout_s)
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
            strongest = max(reading.findings, key=lambda finding: finding.score)
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
        fault=_NOBODY if call is None else call.fault,
        processing_time_ms=0.0 if call is None else min(call.elapsed_ms, 86_400_000.0),
    )


def _step(result: DetectorResult) -> ProvenanceEntry:
    return ProvenanceEntry(
        stage="orchestration",
        component=result.detector,
        version=result.vendor_version,
        duration_ms=result.processing_time_ms,
        detail=result.status.value,
    )


def _info(detector: Detector) -> DetectorInfo:
    descriptor, why = detector.descriptor, readiness_of(detector)
    return DetectorInfo(
        name=descriptor.name,
        vendor=descriptor.vendor,
        vendor_version=descriptor.vendor_version,
        categories=descriptor.categories,
        labels=descriptor.labels,
        languages=descriptor.languages,
        cost_ms_per_kchar=descriptor.cost_ms_per_kchar,
        ready=why is None,
        reason=why or "",
    )


def _check(name: str, detector: Detector, catalogue: CatalogueView) -> None:
    descriptor = detector.descriptor
    if descriptor.name != name:
        raise ConfigurationError(f"the detector registered as '{name}' calls itself '{descriptor.name}'")
    try:
        _info(detector)
    except ValueError as error:
        raise ConfigurationError(f"the detector '{name}' declares itself wrongly: {error}") from error
    if unknown := [each for each in descriptor.categories if each not in catalogue.categories]:
        raise ConfigurationError(f"the detector '{name}' judges unknown categories: {', '.join(unknown)}")
