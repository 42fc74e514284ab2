"""The analysis use case: what the findings of one orchestration response amount to."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

from llama_mapper.domain.analysis.compliance import map_compliance, touch_of
from llama_mapper.domain.analysis.findings import attribute, counts, meanings_of, read
from llama_mapper.domain.analysis.guidance.insights import guide_of
from llama_mapper.domain.analysis.history_memo import HistoryMemo
from llama_mapper.domain.analysis.history_recorder import HistoryRecorder
from llama_mapper.domain.analysis.patterns.insights import HistoryInsights, not_computed, pattern_analysis
from llama_mapper.domain.analysis.ports import FindingHistory, HistoryEntry
from llama_mapper.domain.analysis.quality import quality_metrics
from llama_mapper.domain.analysis.risk.exposure import control_exposure
from llama_mapper.domain.analysis.risk.recurrence import recurrences
from llama_mapper.domain.analysis.risk.score import Exposure, score_risk
from llama_mapper.domain.analysis.risk.weights import FORMULA_VERSION
from llama_mapper.domain.contracts.analysis import (
    AnalysisRequest,
    AnalysisResponse,
    AnalysisType,
    ComplianceMappingResult,
)
from llama_mapper.domain.contracts.base import ProvenanceEntry, VersionInfo
from llama_mapper.domain.contracts.catalogue import CatalogueView, FrameworkEdition
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.kernel.tracing import step

MAX_WINDOW_DAYS = 90

_PATTERNS = frozenset({AnalysisType.FULL, AnalysisType.PATTERNS})
_RISK = frozenset({AnalysisType.FULL, AnalysisType.RISK})
_COMPLIANCE = frozenset({AnalysisType.FULL, AnalysisType.COMPLIANCE})
_QUALITY = frozenset({AnalysisType.FULL, AnalysisType.QUALITY})


class AnalysisService:
    """Keeps the promises of `AnalysisApi` over a catalogue and a history.

    The history stays off the critical path. It is read through a memo: patterns and temporal risk rest on a window
    that is at most about five seconds old, one second as a rule, and `history_as_of` says when it was read. Findings
    of this request are added to today's counts where the formula says so; findings of other recent requests appear
    once they are written (every 0.2 s) and read again. If the history cannot be read, everything else is answered:
    pattern parts say `not_computed`, temporal risk is 0, and the provenance names the reason. If it cannot be
    written, `recorder` retries and counts. Call `start` before and `stop` after use; `stop` writes what waits.
    """

    def __init__(
        self,
        catalogue: CatalogueView,
        history: FindingHistory,
        clock: Clock,
        service_version: str,
        window_days: int = 30,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`window_days` is 1 to 90 whole days before today; `monotonic` gives seconds that never run backwards."""
        if not 1 <= window_days <= MAX_WINDOW_DAYS:
            raise ValueError(f"the history window is 1 to {MAX_WINDOW_DAYS} days")
        self._catalogue = catalogue
        self._clock = clock
        self._service_version = service_version
        self._window_days = window_days
        self.memo = HistoryMemo(history, clock, monotonic, window_days)
        self.recorder = HistoryRecorder(history, monotonic)
        self._not_computed = not_computed(window_days)
        self._meanings = meanings_of(catalogue)
        self._touch = touch_of(catalogue)
        self._guide = guide_of()
        # The catalogue is immutable, so what it answers is remembered; errors are not.
        self._editions = lru_cache(maxsize=256)(catalogue.resolve_frameworks)
        self._exposures = lru_cache(maxsize=256)(self._exposure)
        self._versions = lru_cache(maxsize=1024)(self._version_info)

    async def start(self) -> None:
        """Begin to write the history in the background."""
        await self.recorder.start()

    async def stop(self) -> None:
        """Stop background work and write what waits."""
        await self.memo.stop()
        await self.recorder.stop()

    async def analyze(self, request: AnalysisRequest) -> AnalysisResponse:
        """See `AnalysisApi.analyze`; raise `TENANT_MISMATCH` if the orchestration response is another tenant's."""
        with step("analyze") as at:
            response = await self._analyzed(request)
            if at:
                at.set(
                    {
                        "llama_mapper.analysis.type": request.analysis_type.value,
                        "llama_mapper.findings": len(response.findings),
                    }
                )
        return response

    async def _analyzed(self, request: AnalysisRequest) -> AnalysisResponse:
        started = time.perf_counter()
        response, tenant_id, wanted = request.orchestration_response, request.tenant_id, request.analysis_type
        if tenant_id is None:
            raise ValidationError("an analysis needs a tenant")
        if response.tenant_id != tenant_id:
            raise AuthorizationError("the orchestration response is another tenant's", ErrorCode.TENANT_MISMATCH)
        editions = self._editions(request.frameworks)
        past = None if wanted is AnalysisType.COMPLIANCE else await self.memo.past(tenant_id)
        insights = past if isinstance(past, HistoryInsights) else None

        findings = attribute(response)
        readings = read(findings, self._meanings)
        found = counts(readings)
        patterns = risk = quality = guidance = None
        mappings: tuple[ComplianceMappingResult, ...] = ()
        if wanted in _PATTERNS:
            patterns = self._not_computed if insights is None else pattern_analysis(insights, found)
        if wanted in _RISK:
            risk = score_risk(readings, self._exposures(editions), recurrences(insights, found))
        if wanted in _COMPLIANCE:
            detected = response.aggregation_summary.detectors_succeeded > 0
            mappings = map_compliance(editions, readings, detected, self._touch)
            guidance = self._guide(mappings, readings)
        if wanted in _QUALITY:
            consistency = None if insights is None else insights.past.consistency
            quality = quality_metrics(response, findings, self._meanings, consistency)
        await self.recorder.add(HistoryEntry(tenant_id, response.request_id, self._clock(), found))

        versions = response.version_info
        elapsed_ms = (time.perf_counter() - started) * 1000.0
        return AnalysisResponse(
            request_id=response.request_id,
            tenant_id=tenant_id,
            findings=findings,
            pattern_analysis=patterns,
            risk_scores=risk,
            compliance_mappings=mappings,
            quality_metrics=quality,
            rag_insights=guidance,
            processing_time_ms=elapsed_ms,
            version_info=self._versions(versions.policy_version, tuple(versions.detectors.items()), editions),
            provenance=(
                ProvenanceEntry(
                    stage="analysis",
                    component="analysis",
                    version=self._service_version,
                    duration_ms=elapsed_ms,
                    detail=_detail(wanted, past),
                ),
            ),
        )

    def _exposure(self, editions: tuple[FrameworkEdition, ...]) -> Exposure:
        """The controls that labels reach in `editions`, remembered by set of labels."""
        return lru_cache(maxsize=4096)(lambda labels: control_exposure(labels, editions, self._catalogue))

    def _version_info(
        self, policy: str | None, detectors: tuple[tuple[str, str], ...], editions: tuple[FrameworkEdition, ...]
    ) -> VersionInfo:
        catalogue = self._catalogue.versions
        return VersionInfo(
            service_version=self._service_version,
            taxonomy_version=catalogue.taxonomy,
            vocabulary_version=catalogue.vocabulary,
            crosswalk_version=catalogue.crosswalk,
            framework_version=",".join([edition.ref for edition in editions]) or None,
            policy_version=policy,
            detectors=dict(detectors),
        )


def _detail(wanted: AnalysisType, past: HistoryInsights | str | None) -> str:
    """What the provenance says of the parts that could not be computed."""
    if not isinstance(past, str):
        return f"{wanted}; risk formula {FORMULA_VERSION}"
    return f"{wanted}; risk formula {FORMULA_VERSION}; patterns not computed: history unavailable ({past})"
