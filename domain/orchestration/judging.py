"""From what detectors answered to results, and from results to a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.orchestration import (
    PROVENANCE_LIMIT,
    CoverageReport,
    DetectorFault,
    DetectorMode,
    DetectorResult,
    DetectorStatus,
    Finding,
    OrchestrationOptions,
    OrchestrationResponse,
    PolicyDecision,
    ShadowVerdict,
    Verdict,
)
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.orchestration.aggregation import aggregate
from llama_mapper.domain.orchestration.coverage import measure_coverage
from llama_mapper.domain.orchestration.fanout import Call
from llama_mapper.domain.orchestration.findings import FindingReader, MalformedAnswer, Reading
from llama_mapper.domain.orchestration.ports import TextDigests, Turn
from llama_mapper.domain.orchestration.roster import readiness_of
from llama_mapper.domain.orchestration.routing import Judgement, Route, Seat
from llama_mapper.domain.orchestration.verdict import decide, with_monitored

_REMEMBERED_RUNS = 64
_NOTHING = Reading()


class Judge:
    """Reads answers under the catalogue and the tenants' digests, and judges them under a route's plan."""

    def __init__(self, catalogue: CatalogueView, digests: TextDigests) -> None:
        self._catalogue = catalogue
        self._reader = FindingReader(catalogue, digests)

    def results(
        self,
        tenant_id: str,
        text: str,
        turns: tuple[Turn, ...],
        route: Route,
        calls: Sequence[Call | None],
        catalogue: CatalogueView | None = None,
    ) -> tuple[tuple[DetectorResult, ...], str | None, list[str]]:
        """Each seat's result, in the plan's order; the content's language as the first detector told it; who is
        undecided.

        `catalogue` is the tenant's view, where that is not what ships.
        """
        readings: list[Reading] = []
        language: str | None = None
        for seat, call in zip(route.seats, calls, strict=True):
            reading = _NOTHING
            if call is not None and call.fault is None:
                try:
                    reading = self.reading(tenant_id, text, turns, seat, call, catalogue)
                except MalformedAnswer as error:
                    call.status = DetectorStatus.FAILED
                    call.fault = DetectorFault(code="MALFORMED_FINDING", message=str(error))
            readings.append(reading)
            language = language or reading.language
        return (
            tuple(
                [
                    result_of(seat, call, reading, language)
                    for seat, call, reading in zip(route.seats, calls, readings, strict=True)
                ]
            ),
            language,
            [seat.descriptor.name for seat, reading in zip(route.seats, readings, strict=True) if reading.undecided],
        )

    def reading(
        self,
        tenant_id: str,
        text: str,
        turns: tuple[Turn, ...],
        seat: Seat,
        call: Call,
        catalogue: CatalogueView | None = None,
    ) -> Reading:
        """What the call's answer says about `text`; raise `MalformedAnswer` where it cannot be used."""
        thresholds = seat.terms.thresholds
        return self._reader.read(tenant_id, text, turns, seat.descriptor, thresholds, call.answer, catalogue)

    def so_far(
        self,
        route: Route,
        results: Sequence[DetectorResult],
        heard: Sequence[DetectorResult],
        undecided: Sequence[str],
    ) -> Verdict:
        """The verdict on a text that is not complete: without the coverage, which only the whole text has.

        `heard` are the same results as far as their findings count; see `judge`.
        """
        plan = route.plan
        enforced = [result for result in results if result.mode is DetectorMode.ENFORCE]
        voting = [result for result in heard if result.mode is DetectorMode.ENFORCE]
        summary = aggregate(voting, plan, self._catalogue.categories, only=route.only, undecided=undecided)
        covered = CoverageReport(
            method=plan.coverage.method, achieved=1.0, threshold=plan.coverage.threshold, sufficient=True
        )
        return decide(plan, route.decision.policy_applied, enforced, summary, covered)

    def judge(
        self,
        route: Route,
        results: tuple[DetectorResult, ...],
        undecided: Sequence[str],
        heard: tuple[DetectorResult, ...] | None = None,
    ) -> Judgement:
        """What all results amount to; for a quiet run, what the last quiet run with the same statuses amounted to.

        `heard`, if given, are the results whose findings count, in the same order: a detector that failed over a part
        of a text lowers the coverage, and what it found in the other parts counts all the same.
        """
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
        heard = results if heard is None else heard
        voting = [result for result in heard if result.mode is DetectorMode.ENFORCE] if route.monitoring else heard
        summary = aggregate(voting, plan, categories, only=route.only, undecided=undecided)
        if heard is not results:
            answered = sum(result.status is DetectorStatus.SUCCESS for result in enforced)
            summary = summary.model_copy(update={"detectors_succeeded": answered})
        verdict = decide(plan, applied, enforced, summary, coverage)
        if len(enforced) < len(results):
            everything = aggregate(heard, plan, categories, only=route.only, undecided=undecided)
            verdict = with_monitored(verdict, decide(plan, applied, results, everything, coverage))
        judgement = Judgement(summary, coverage, verdict)
        if quiet and len(route.quiet) < _REMEMBERED_RUNS:
            route.quiet[key] = judgement
        return judgement


def call_for(seat: Seat) -> Call | None:
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


def result_of(seat: Seat, call: Call | None, reading: Reading, language: str | None) -> DetectorResult:
    """The result of a seat; `call` is None where nobody has the detector's name."""
    status = DetectorStatus.UNAVAILABLE if call is None else call.status
    output, confidence = _output(seat, status, reading.findings)
    supported: bool | None = None
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


def restated(seat: Seat, result: DetectorResult) -> DetectorResult:
    """The result with the output that its findings amount to."""
    output, confidence = _output(seat, result.status, result.findings)
    return result.model_copy(update={"output": output, "confidence": confidence})


def _output(seat: Seat, status: DetectorStatus, findings: Sequence[Finding]) -> tuple[str, float]:
    if status is not DetectorStatus.SUCCESS:
        return status.value, 0.0
    if findings:
        strongest = max(findings, key=lambda finding: (not finding.below_threshold, finding.score))
        if not strongest.below_threshold:
            return strongest.label, strongest.score
    return "clean", seat.terms.clean_confidence


def _step(result: DetectorResult) -> ProvenanceEntry:
    return ProvenanceEntry(
        stage="orchestration",
        component=result.detector,
        version=result.vendor_version,
        duration_ms=result.processing_time_ms,
        detail=result.status.value,
    )


def response_of(
    asked: OrchestrationOptions,
    route: Route,
    *,
    decision: PolicyDecision,
    shadows: tuple[ShadowVerdict, ...] = (),
    tenant_id: str,
    length: int,
    language: str | None,
    results: tuple[DetectorResult, ...],
    judgement: Judgement,
    service_version: str,
    policy_ms: float,
    began: float,
    gathered: float,
    told: Sequence[ProvenanceEntry] = (),
    overlay_version: str | None = None,
) -> OrchestrationResponse:
    """The whole answer; `began` and `gathered` are readings of the monotonic clock, `told` are steps besides ours."""
    ended = monotonic()
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
            version=service_version,
            duration_ms=(ended - gathered) * 1e3,
        )
    )
    return OrchestrationResponse(
        request_id=new_id("req"),
        tenant_id=tenant_id,
        content_type=asked.content_type,
        content_length=length,
        language=language,
        detector_results=results,
        aggregation_summary=judgement.summary,
        coverage_achieved=judgement.coverage.achieved,
        coverage=judgement.coverage,
        policy=decision,
        verdict=judgement.verdict,
        shadows=shadows,
        processing_time_ms=(ended - began) * 1e3,
        version_info=route.version_info
        if overlay_version is None
        else route.version_info.model_copy(update={"overlay_version": overlay_version}),
        provenance=(*provenance, *told)[:PROVENANCE_LIMIT],
    )
