"""The chain: orchestration, analysis, mapping, evidence, record; one way forward."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

from llama_mapper.domain.assessment.envelope import seal
from llama_mapper.domain.assessment.evidence import evidence_document
from llama_mapper.domain.assessment.ports import AssessmentRow, AssessmentStore, EvidenceSigner
from llama_mapper.domain.contracts.analysis import AnalysisApi, AnalysisRequest, AnalysisResponse
from llama_mapper.domain.contracts.assessment import (
    Assessment,
    AssessmentRecord,
    AssessmentRequest,
    AssessmentTimings,
)
from llama_mapper.domain.contracts.base import VersionInfo
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.contracts.mapping import MappingApi, MappingRequest, MappingResponse
from llama_mapper.domain.contracts.orchestration import OrchestrationApi, OrchestrationResponse
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, NotFoundError, ServiceError, ValidationError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.kernel.tracing import step


class AssessmentService:
    """Keeps the promises of `AssessmentApi` over the three contexts, wherever they run."""

    def __init__(
        self,
        orchestration: OrchestrationApi,
        analysis: AnalysisApi,
        mapping: MappingApi,
        catalogue: CatalogueView,
        store: AssessmentStore,
        signer: EvidenceSigner,
        clock: Clock,
        on_assessed: Callable[[Assessment], None],
    ) -> None:
        """`on_assessed` is told of every stored assessment; it must be quick and must not raise."""
        self._orchestration = orchestration
        self._analysis = analysis
        self._mapping = mapping
        self._catalogue = catalogue
        self._store = store
        self._signer = signer
        self._clock = clock
        self._on_assessed = on_assessed

    async def assess(self, request: AssessmentRequest, *, assessment_id: str | None = None) -> AssessmentRecord:
        """See `AssessmentApi.assess`. Unknown frameworks are refused before any detector runs.

        `assessment_id` is for who must know the record's id beforehand; a record with it already is `CONFLICT`. If
        such a call is cancelled, it ends only when the record is stored or never will be.
        """
        with step("assess") as at:
            record = await self._assessed(request, assessment_id)
            if at:
                at.set({"llama_mapper.assessment.id": record.assessment.id})
        return record

    async def _assessed(self, request: AssessmentRequest, assessment_id: str | None) -> AssessmentRecord:
        tenant_id = request.tenant_id
        if tenant_id is None:
            raise ValidationError("an assessment needs a tenant")
        shipped_frameworks = await self._shipped_of(tenant_id, request.frameworks)
        created_at = self._clock()
        started = perf_counter()
        orchestrated = await self._orchestration.orchestrate(request)
        judged = perf_counter()
        analysed = await self._analysis.analyze(
            AnalysisRequest(orchestration_response=orchestrated, frameworks=shipped_frameworks, tenant_id=tenant_id)
        )
        understood = perf_counter()
        mapped = await self._mapping.map(
            MappingRequest(
                analysis_response=analysed,
                output_format=request.output_format,
                frameworks=request.frameworks,
                tenant_id=tenant_id,
                strategy=request.strategy,
                min_confidence=request.min_confidence,
                policy_terms=orchestrated.policy.plan.mapping,
            )
        )
        labelled = perf_counter()
        save = self._store.save if assessment_id is None else self._save_to_the_end
        assessment_id = assessment_id or new_id("asm")
        with step("sign"):
            envelope = seal(evidence_document(assessment_id, created_at, orchestrated, analysed, mapped), self._signer)
        sealed = perf_counter()
        assessment = Assessment(
            id=assessment_id,
            tenant_id=tenant_id,
            created_at=created_at,
            orchestration=orchestrated,
            analysis=analysed,
            mapping=mapped,
            verdict=orchestrated.verdict,
            evidence=envelope,
            version_info=_versions(orchestrated, analysed, mapped),
            timings_ms=AssessmentTimings(
                orchestration=_ms(judged - started),
                analysis=_ms(understood - judged),
                mapping=_ms(labelled - understood),
                evidence=_ms(sealed - labelled),
                total=_ms(sealed - started),
            ),
        )
        body = json_form(assessment)
        risk = analysed.risk_scores
        await save(
            AssessmentRow(
                id=assessment_id,
                tenant_id=tenant_id,
                created_at=created_at,
                action=assessment.verdict.action.value,
                risk_level=risk.level.value if risk else "INFO",
                coverage=orchestrated.coverage_achieved,
                body=body,
            )
        )
        self._on_assessed(assessment)
        return AssessmentRecord(assessment, body)

    async def _shipped_of(self, tenant_id: str, refs: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `refs` that are shipped; raise `FRAMEWORK_NOT_FOUND` or `EDITION_NOT_FOUND` for one that nobody has.

        The analysis knows shipped frameworks alone; the mapping, the tenant's own as well. Without any shipped one it
        answers for all of them.
        """
        try:
            self._catalogue.resolve_frameworks(refs)
        except ValidationError as unknown:
            if unknown.error_code not in (ErrorCode.FRAMEWORK_NOT_FOUND, ErrorCode.EDITION_NOT_FOUND):
                raise
            editions = (await self._mapping.frameworks(tenant_id)).items
            own = {name for each in editions if each.own for name in (each.framework, each.ref)}
            shipped = tuple(ref for ref in refs if ref not in own)
            if len(shipped) == len(refs):
                raise
            if shipped:
                self._catalogue.resolve_frameworks(shipped)
            return shipped
        return refs

    async def _save_to_the_end(self, row: AssessmentRow) -> None:
        """Save, and let a cancellation wait until it is decided: a cancelled save goes on behind the caller's back."""
        saving = asyncio.ensure_future(self._store.save(row))
        cancelled = False
        while not saving.done():
            try:
                await asyncio.shield(saving)
            except asyncio.CancelledError:
                cancelled = True
            except ServiceError:
                break
        if cancelled:
            saving.exception()  # to have been asked for
            raise asyncio.CancelledError
        saving.result()

    async def get(self, tenant_id: str, assessment_id: str) -> bytes:
        """See `AssessmentApi.get`."""
        body = await self._store.get(tenant_id, assessment_id)
        if body is None:
            raise NotFoundError("there is no such assessment", ErrorCode.NOT_FOUND)
        return body


def _ms(seconds: float) -> float:
    return round(seconds * 1000.0, 3)


def _versions(orchestrated: OrchestrationResponse, analysed: AnalysisResponse, mapped: MappingResponse) -> VersionInfo:
    """The versions of all stages as one: each field from the stage that knows it."""
    mapping, policy = mapped.version_info, orchestrated.version_info
    return VersionInfo(
        service_version=mapping.service_version,
        taxonomy_version=mapping.taxonomy_version,
        vocabulary_version=mapping.vocabulary_version,
        crosswalk_version=mapping.crosswalk_version,
        overlay_version=mapping.overlay_version,
        framework_version=mapping.framework_version or analysed.version_info.framework_version,
        policy_version=policy.policy_version,
        model_version=mapping.model_version,
        training_date=mapping.training_date,
        detectors=policy.detectors,
    )
