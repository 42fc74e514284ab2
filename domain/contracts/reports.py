"""The contract of reports: frameworks as their readers know them, templates, and what templates are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol, Self

from pydantic import Field, JsonValue, model_validator

from llama_mapper.domain.contracts.base import (
    CanonicalId,
    Contract,
    ControlId,
    Count,
    FrameworkRef,
    Identifier,
    Label,
    LongText,
    ProvenanceEntry,
    Score,
    Severity,
    ShortText,
    TenantId,
    VersionInfo,
    VersionText,
)
from llama_mapper.domain.contracts.curation import Curator, DocumentDifference, DocumentHistory, DocumentVersion
from llama_mapper.domain.contracts.mapping import LABELS_PER_CALL, MappingStage
from llama_mapper.domain.contracts.policies import Digest

TEMPLATE_LIMIT = 65_536
"""Characters of a template."""

REPORT_LIMIT = 16 * 1024 * 1024
"""Characters that no report ever has more of; the settings allow less."""

TemplateName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]
_Frameworks = Annotated[tuple[FrameworkRef, ...], Field(max_length=32)]


class TemplateFormat(StrEnum):
    """What a template writes. What it is given is escaped for it."""

    MARKDOWN = "markdown"
    HTML = "html"
    TEXT = "text"
    """Nothing is escaped."""


class ReportControl(Contract):
    """A control as a report tells it."""

    id: ControlId
    title: ShortText
    condition: ShortText = ""
    """When the control binds beyond its framework; empty: always."""
    evidence: ShortText = ""
    """What an auditor would ask to see."""
    canonical_labels: Annotated[tuple[CanonicalId, ...], Field(max_length=256)]
    """What was found that is evidence relevant to it."""
    reasons: Annotated[tuple[ShortText, ...], Field(max_length=256)] = ()
    """Why the catalogue links them, each reason once."""


class ControlGroup(Contract):
    """Controls that the framework's readers look for together: a trust services category, a theme, a chapter."""

    id: Annotated[str, Field(max_length=64)]
    """As the framework numbers it: `CC6`, `A.8`, `164.312`; empty where the framework has no such parts."""
    title: ShortText
    part: ShortText = ""
    """What the group belongs to in turn: `Security`, `Technical safeguards`; empty where there is nothing."""
    controls: Annotated[tuple[ReportControl, ...], Field(max_length=512)]


class FrameworkView(Contract):
    """The controls of one edition in the shape that its readers expect."""

    ref: FrameworkRef
    framework: Identifier
    edition: Identifier
    title: ShortText
    kind: Annotated[str, Field(pattern=r"^(control|risk|technique)$")]
    applies_when: ShortText
    group_name: ShortText
    """What its readers call a group: criteria, theme, section, chapter."""
    control_name: ShortText
    """What they call a control: criterion, control, standard, article."""
    groups: Annotated[tuple[ControlGroup, ...], Field(max_length=512)]
    """In the framework's own order; without controls that nothing touches."""
    controls: Count
    """How many controls are in the groups."""


class FrameworkViews(Contract):
    """What one canonical label touches, edition by edition."""

    canonical: CanonicalId
    name: ShortText
    severity: Severity
    items: Annotated[tuple[FrameworkView, ...], Field(max_length=32)]
    version_info: VersionInfo


class ReportHead(Contract):
    """The report itself."""

    title: ShortText
    generated_at: datetime
    tenant_id: TenantId
    template: TemplateName
    template_version: Count | None
    """Null for a shipped template."""


class ReportSource(Contract):
    """What the report is about."""

    kind: Annotated[str, Field(pattern=r"^(assessment|mapping|labels)$")]
    id: Identifier | None = None
    """Of an assessment its id, of a mapping its request's."""
    created_at: datetime | None = None


class ReportLabel(Contract):
    """A vendor's label and what became of it."""

    vendor: Identifier
    vendor_version: VersionText | None
    label: Label
    canonical: CanonicalId | None
    name: ShortText
    """Of the canonical label; empty for an abstention."""
    severity: Severity | None
    score: Score
    confidence: Score
    stage: MappingStage
    abstained: bool
    rationale: LongText
    """Why, in sentences of the catalogue's words."""


class ReportFinding(Contract):
    """A canonical label that was found."""

    id: CanonicalId
    name: ShortText
    severity: Severity | None
    score: Score | None


class ReportReason(Contract):
    """One reason of the verdict."""

    action: Identifier
    code: Identifier
    subject: Identifier
    enforced: bool


class ReportVerdict(Contract):
    """What the policy said to do."""

    action: Identifier
    policy: Identifier
    reasons: Annotated[tuple[ReportReason, ...], Field(max_length=256)]


class ReportRisk(Contract):
    """The risk scores."""

    level: Severity
    overall: Score
    technical: Score
    business: Score
    regulatory: Score
    temporal: Score


class ReportCoverage(Contract):
    """What part of what the policy required was judged."""

    achieved: Score
    threshold: Score
    sufficient: bool
    gaps: Annotated[tuple[ShortText, ...], Field(max_length=256)]


class ReportDetector(Contract):
    """A detector that took part."""

    name: Identifier
    vendor: Identifier
    version: VersionText
    status: Identifier
    findings: Count


class ReportEvidence(Contract):
    """Which signed document the report goes with."""

    payload_type: ShortText
    payload_digest: Digest
    """Of the signed bytes."""
    key_id: ShortText


class ReportData(Contract):
    """Everything that a template is given, by these names. Content is not among it, nor where in it something was."""

    report: ReportHead
    source: ReportSource
    versions: VersionInfo
    taxonomy: Annotated[tuple[ReportFinding, ...], Field(max_length=1024)]
    labels: Annotated[tuple[ReportLabel, ...], Field(max_length=LABELS_PER_CALL)]
    abstentions: Count
    frameworks: Annotated[tuple[FrameworkView, ...], Field(max_length=32)]
    verdict: ReportVerdict | None = None
    """This and what follows is null or empty unless the report is about an assessment."""
    risk: ReportRisk | None = None
    coverage: ReportCoverage | None = None
    detectors: Annotated[tuple[ReportDetector, ...], Field(max_length=64)] = ()
    evidence: ReportEvidence | None = None
    provenance: Annotated[tuple[ProvenanceEntry, ...], Field(max_length=128)] = ()


Document = dict[str, JsonValue]
"""Checked against its own published schema when it is read."""


class ReportRequest(Contract):
    """Which template to render, and with what: exactly one of the four sources."""

    template: TemplateName
    template_version: Annotated[int, Field(ge=1, le=2_000_000_000)] | None = None
    """Of a template of the tenant's own; null: as it stands."""
    title: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    """Null: the template's own."""
    frameworks: _Frameworks = ()
    """Editions to report, by the present catalogue. None: those that the template is for; if it is for all, those of
    the source as it has them."""
    assessment_id: Identifier | None = None
    """A stored record of the tenant."""
    assessment: Document | None = None
    """A record itself, where it is kept elsewhere: an `Assessment`."""
    mapping: Document | None = None
    """An answer about findings, as `/v1/map` gives it: a `MappingResponse`."""
    labels: Document | None = None
    """An answer about labels, as `/v1/map:batch` gives it: a `LabelMappingResponse`."""
    tenant_id: TenantId | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = (self.assessment_id, self.assessment, self.mapping, self.labels)
        if sum(source is not None for source in sources) != 1:
            raise ValueError("give exactly one of assessment_id, assessment, mapping and labels")
        return self


class RenderedReport(Contract):
    """A report. It is not kept."""

    template: TemplateName
    own: bool
    template_version: Count | None
    """Null for a shipped template."""
    format: TemplateFormat
    media_type: Annotated[str, Field(pattern=r"^text/(markdown|html|plain); charset=utf-8$")]
    title: ShortText
    text: Annotated[str, Field(max_length=REPORT_LIMIT)]
    digest: Digest
    """Of the text as UTF-8."""
    generated_at: datetime


class TemplateUpload(Contract):
    """A template of the tenant's own, in Jinja2's language."""

    format: TemplateFormat
    title: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
    """Of reports that are given no other."""
    frameworks: _Frameworks = ()
    """Editions that it is for; none: for all."""
    text: Annotated[str, Field(min_length=1, max_length=TEMPLATE_LIMIT, pattern=r"^[^\x00]*$")]


class OwnTemplate(Contract):
    """A template of the tenant, as it stands."""

    name: TemplateName
    version: DocumentVersion
    document: TemplateUpload | None
    """Null where it was removed."""


class TemplateInfo(Contract):
    """A template that reports may name."""

    name: TemplateName
    own: bool
    """Whether the tenant uploaded it; the others are shipped."""
    version: Count | None
    """Null for a shipped template."""
    format: TemplateFormat
    title: ShortText
    frameworks: _Frameworks = ()


class TemplateList(Contract):
    """Every template that the tenant's reports may name, its own last."""

    items: Annotated[tuple[TemplateInfo, ...], Field(max_length=512)]


class TemplatePreview(Contract):
    """What a template makes of invented data in which everything is there."""

    format: TemplateFormat
    text: Annotated[str, Field(max_length=REPORT_LIMIT)]


class TemplateDeskApi(Protocol):
    """A tenant's own templates. Nobody else's reports are made with them.

    Raises `DOCUMENT_INVALID` naming every problem, `CONFLICT` if the version is not `expected`, where that is given,
    `NOT_FOUND` for what the tenant does not have, `SERVICE_UNAVAILABLE` if it cannot be tried now.
    """

    async def put(
        self, tenant_id: str, name: str, upload: TemplateUpload, curator: Curator, *, expected: int | None, note: str
    ) -> OwnTemplate:
        """Make this the template; with the content that stands already nothing changes."""
        ...

    async def remove(self, tenant_id: str, name: str, curator: Curator, *, expected: int | None) -> OwnTemplate:
        """Take the template away; its versions stay, to be rolled back to."""
        ...

    async def rollback(
        self, tenant_id: str, name: str, to: int, curator: Curator, *, expected: int | None
    ) -> OwnTemplate:
        """Make the content of an earlier version stand again, as a new version."""
        ...

    async def get(self, tenant_id: str, name: str, number: int | None = None) -> OwnTemplate:
        """The template as it stands, or one of its versions."""
        ...

    async def list(self, tenant_id: str) -> TemplateList:
        """The shipped templates, and those of the tenant that stand."""
        ...

    async def history(self, tenant_id: str, name: str) -> DocumentHistory:
        """Its versions."""
        ...

    async def difference(self, tenant_id: str, name: str, before: int, after: int) -> DocumentDifference:
        """How two versions differ, line by line; a removed one, and version 0, are empty."""
        ...

    async def preview(self, tenant_id: str, upload: TemplateUpload) -> TemplatePreview:
        """Try a template and keep nothing."""
        ...


RecordSource = Callable[[str, str], Awaitable[bytes]]
"""(tenant, assessment id) → the body of the stored record; raises `NOT_FOUND`."""


class ReportApi(Protocol):
    """Reports, and the frameworks as their readers know them.

    Raises `FRAMEWORK_NOT_FOUND` and `EDITION_NOT_FOUND`.
    """

    async def render(self, request: ReportRequest) -> RenderedReport:
        """The report for `request.tenant_id` (which must be set).

        Raises `NOT_FOUND` for a template or a record that the tenant does not have, `TENANT_MISMATCH` for a source of
        another tenant's, `TEMPLATE_FAILED` if the template breaks on this source, `TEMPLATE_LIMIT` if it takes more
        time, memory or room than it may, `SERVICE_UNAVAILABLE` if too many reports are being made.
        """
        ...

    async def controls(self, tenant_id: str, canonical: str, frameworks: tuple[str, ...]) -> FrameworkViews:
        """The controls that a canonical label touches; of no frameworks all default editions'.

        Raises `CATEGORY_NOT_FOUND` for an id that is not in the taxonomy.
        """
        ...
