"""The use cases of reports: they keep what `ReportApi` promises."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from functools import partial

from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.catalogue import FrameworkEdition
from llama_mapper.domain.contracts.mapping import LabelMappingResponse, MappingResponse
from llama_mapper.domain.contracts.refusals import faults_of
from llama_mapper.domain.contracts.reports import (
    Document,
    FrameworkViews,
    RecordSource,
    RenderedReport,
    ReportData,
    ReportHead,
    ReportRequest,
    TemplateFormat,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.mapping.reports.data import data_of_assessment, data_of_labels, data_of_mapping
from llama_mapper.domain.mapping.reports.desk import TemplateDesk
from llama_mapper.domain.mapping.reports.ports import TemplateEngine
from llama_mapper.domain.mapping.reports.views import view_of_labels
from llama_mapper.domain.mapping.taxonomies.present import CurrentId
from llama_mapper.domain.mapping.tenants.standing import View

_MEDIA_TYPES = {
    TemplateFormat.MARKDOWN: "text/markdown; charset=utf-8",
    TemplateFormat.HTML: "text/html; charset=utf-8",
    TemplateFormat.TEXT: "text/plain; charset=utf-8",
}
Source = Assessment | MappingResponse | LabelMappingResponse
ViewOf = Callable[[str], Awaitable[View]]
"""The catalogue that answers a tenant, and its versions."""


class ReportService:
    """Makes reports of answers and of stored records, each for the tenant that they belong to."""

    def __init__(
        self,
        view_of: ViewOf,
        templates: TemplateDesk,
        engine: TemplateEngine,
        current_id: CurrentId,
        clock: Clock,
        service_version: str,
        records: RecordSource | None = None,
    ) -> None:
        """`records` are None where no records are kept: then `assessment_id` is refused."""
        self._view_of = view_of
        self._templates = templates
        self._engine = engine
        self._current_id = current_id
        self._clock = clock
        self._service_version = service_version
        self._records = records

    async def render(self, request: ReportRequest) -> RenderedReport:
        """See `ReportApi.render`."""
        tenant_id = _required(request.tenant_id)
        template, number = await self._templates.template(tenant_id, request.template, request.template_version)
        source = await self._source(tenant_id, request)
        if not isinstance(source, LabelMappingResponse) and source.tenant_id != tenant_id:
            raise AuthorizationError("the source belongs to another tenant", ErrorCode.TENANT_MISMATCH)
        catalogue = (await self._view_of(tenant_id)).catalogue
        refs = request.frameworks or template.frameworks
        editions = catalogue.resolve_frameworks(refs) if refs else None
        head = ReportHead(
            title=request.title or template.title,
            generated_at=self._clock(),
            tenant_id=tenant_id,
            template=request.template,
            template_version=number,
        )

        def data() -> ReportData:
            present = partial(_now, self._current_id, source.version_info.taxonomy_version)
            if isinstance(source, Assessment):
                return data_of_assessment(catalogue, head, source, editions, present)
            if isinstance(source, MappingResponse):
                return data_of_mapping(catalogue, head, source, editions, present)
            return data_of_labels(catalogue, head, source, editions, present)

        # Of ten thousand labels this takes some hundred milliseconds: not on the event loop's time.
        given = await asyncio.to_thread(lambda: data().model_dump(mode="json"))
        text = await self._engine.render(template.text, template.format, given)
        return RenderedReport(
            template=request.template,
            own=number is not None,
            template_version=number,
            format=template.format,
            media_type=_MEDIA_TYPES[template.format],
            title=head.title,
            text=text,
            digest=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
            generated_at=head.generated_at,
        )

    async def controls(self, tenant_id: str, canonical: str, frameworks: tuple[str, ...]) -> FrameworkViews:
        """See `ReportApi.controls`."""
        view = await self._view_of(tenant_id)
        catalogue = view.catalogue
        try:
            name, severity = catalogue.name(canonical), catalogue.severity(canonical)
        except KeyError:
            raise ValidationError("there is no such id in the taxonomy", ErrorCode.CATEGORY_NOT_FOUND) from None
        editions = catalogue.resolve_frameworks(frameworks)
        return FrameworkViews(
            canonical=canonical,
            name=name,
            severity=severity,
            items=tuple(view_of_labels(catalogue, edition, (canonical,)) for edition in editions),
            version_info=view.version_info(self._service_version, _refs(editions)),
        )

    async def _source(self, tenant_id: str, request: ReportRequest) -> Source:
        if request.assessment_id is not None:
            if self._records is None:
                raise ValidationError(
                    "this service keeps no records: ask the front door, or send the record itself as 'assessment'"
                )
            body = await self._records(tenant_id, request.assessment_id)
            return await asyncio.to_thread(Assessment.model_validate_json, body)
        for name, document, model in (
            ("assessment", request.assessment, Assessment),
            ("mapping", request.mapping, MappingResponse),
            ("labels", request.labels, LabelMappingResponse),
        ):
            if document is not None:
                return await asyncio.to_thread(_read, name, document, model)
        raise ValidationError("the report has no source")


def _read(name: str, document: Document, model: type[Source]) -> Source:
    found, faults = faults_of(model, document)
    if found is None:
        where = f" at '{faults[0].field}'" if faults[0].field else ""
        raise ValidationError(f"'{name}' is no {model.__name__}{where}: {faults[0].message}")
    return found


def _now(current_id: CurrentId, taxonomy_version: str | None, canonical: str) -> str:
    if taxonomy_version is None:
        return canonical
    return current_id(canonical, taxonomy_version) or canonical


def _refs(editions: tuple[FrameworkEdition, ...]) -> str:
    return ",".join(edition.ref for edition in editions)


def _required(tenant_id: str | None) -> str:
    if tenant_id is None:
        raise ValidationError("tenant_id must be set")
    return tenant_id
