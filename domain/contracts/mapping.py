"""The mapping context's contract: vendor labels in; canonical labels and framework controls out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.analysis import AnalysisResponse
from llama_mapper.domain.contracts.base import (
    CanonicalId,
    Contract,
    ControlId,
    Count,
    FrameworkRef,
    Identifier,
    Label,
    Milliseconds,
    ProvenanceEntry,
    Score,
    ShortText,
    TenantId,
    VersionInfo,
    VersionText,
)
from llama_mapper.domain.contracts.mapping_terms import AppliedTerms, MappingTerms
from llama_mapper.domain.contracts.mapping_terms import MappingStage as MappingStage
from llama_mapper.domain.contracts.mapping_terms import MappingStrategy as MappingStrategy

LABELS_PER_CALL = 10_000


class OutputFormat(StrEnum):
    """How much of the mapping to answer with."""

    FULL_RECORD = "full_record"
    TAXONOMY_ONLY = "taxonomy_only"
    FRAMEWORK_VIEW = "framework_view"


class ReviewStatus(StrEnum):
    """Where a label that nobody could map stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    """A person took one of the suggestions; the label is in the tenant's overlay."""
    CORRECTED = "corrected"
    """A person gave the canonical id; the label is in the tenant's overlay."""
    DISMISSED = "dismissed"
    """A person says that it is no label of a risk; it goes on abstaining."""


class LabelQuery(Contract):
    """One vendor label to map."""

    vendor: Identifier
    vendor_version: VersionText | None = None
    """Null means: whichever version of the vendor's vocabulary knows the label, newest first."""
    label: Label
    score: Score | None = None
    """The vendor's own score, where it gave one; null counts as 1."""


class LabelMappingRequest(Contract):
    """Labels to map, without content or findings."""

    labels: Annotated[tuple[LabelQuery, ...], Field(min_length=1, max_length=LABELS_PER_CALL)]
    frameworks: Annotated[tuple[FrameworkRef, ...], Field(max_length=32)] = ()
    """Frameworks whose controls to name; empty means every framework in its default edition."""
    tenant_id: TenantId | None = None
    strategy: MappingStrategy | None = None
    """Null means: as the tenant's settings say, else as the installation is set."""
    min_confidence: Score | None = None
    """Answers with less confidence abstain, those of the catalogue too. Null means: as the tenant's settings say, else
    the installation's threshold, for what the catalogue does not know."""


class LabelSuggestion(Contract):
    """A canonical label that might be right, and the probability that it is."""

    canonical: CanonicalId
    confidence: Score


class MappedLabel(Contract):
    """The canonical label of one vendor label, or an abstention."""

    vendor: Identifier
    vendor_version: VersionText | None = None
    label: Label
    canonical: CanonicalId | None = None
    """Null if and only if `abstained`."""
    also: Annotated[tuple[CanonicalId, ...], Field(max_length=16)] = ()
    """Further canonical labels that the vendor's label covers."""
    score: Score
    """The vendor's score for the label."""
    confidence: Score
    """That `canonical` is right: by how the vocabulary is known, or as measured on held-out vendors
    (`docs/mapping.md`)."""
    stage: MappingStage
    abstained: bool
    suggestions: Annotated[tuple[LabelSuggestion, ...], Field(max_length=3)] = ()
    """Of an abstention: what might be right, likeliest first."""
    faults: Annotated[tuple[ShortText, ...], Field(max_length=8)] = ()
    """Stages that could not try, each as `stage: reason`, and with the reason `not_calibrated` those whose candidates
    counted for little because nobody has measured them; never a part of the label."""
    controls: dict[FrameworkRef, tuple[ControlId, ...]] = Field(default_factory=dict, max_length=32)
    """`framework:edition` → control ids."""
    instead_of: CanonicalId | None = None
    """Of stage `overlay`: what the shipped catalogue says of the label, where that differs."""


class TokenUsage(Contract):
    """Tokens that a model read and wrote; both 0 where no model was asked."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class LabelMappingResponse(Contract):
    """One answer a label, in the order asked."""

    mappings: Annotated[tuple[MappedLabel, ...], Field(max_length=LABELS_PER_CALL)]
    version_info: VersionInfo
    processing_time_ms: Milliseconds
    token_usage: TokenUsage | None = None
    """What models read and wrote for this answer; null where none was asked."""
    provenance: Annotated[tuple[ProvenanceEntry, ...], Field(max_length=64)] = ()
    """The stages after the catalogue that were asked."""
    terms: AppliedTerms | None = None
    """How the labels were mapped and who said so; null where all was as the installation is set."""


class MappingRequest(Contract):
    """An analysis response whose findings to map."""

    analysis_response: AnalysisResponse
    output_format: OutputFormat = OutputFormat.FULL_RECORD
    frameworks: Annotated[tuple[FrameworkRef, ...], Field(max_length=32)] = ()
    tenant_id: TenantId | None = None
    strategy: MappingStrategy | None = None
    """Null means: as the policy says, else the tenant's settings, else the installation."""
    min_confidence: Score | None = None
    """Answers with less confidence abstain, those of the catalogue too. Null means: as the policy says, else the
    tenant's settings, else the installation's threshold, for what the catalogue does not know."""
    policy_terms: MappingTerms | None = None
    """What the policy that judged the content says of its mapping; this request's own words stand over it."""
    idempotency_key: Annotated[str, Field(min_length=1, max_length=255)] | None = None


class FrameworkControl(Contract):
    """A control and the canonical labels that lead to it."""

    control_id: ControlId
    title: ShortText
    canonical_labels: Annotated[tuple[CanonicalId, ...], Field(max_length=256)]


class FrameworkMapping(Contract):
    """The controls of one framework edition."""

    framework: Identifier
    edition: Identifier
    title: ShortText
    controls: Annotated[tuple[FrameworkControl, ...], Field(max_length=512)] = ()


class ResourceUtilization(Contract):
    """What this mapping used, as the operating system counted it."""

    cpu_time_ms: Milliseconds
    """Processor time of the mapping thread."""
    labels: Count
    """Labels mapped."""


class CostMetrics(Contract):
    """What this mapping cost, measured."""

    inference_cost: Annotated[float, Field(ge=0.0, le=1e9)]
    """US dollars paid for model inference; 0 where no model was asked."""
    compute_time_ms: Milliseconds
    token_usage: TokenUsage
    resource_utilization: ResourceUtilization


class MappingResponse(Contract):
    """Canonical labels and framework controls of one analysis response."""

    request_id: Identifier
    tenant_id: TenantId
    output_format: OutputFormat
    taxonomy: Annotated[tuple[CanonicalId, ...], Field(max_length=256)]
    """Canonical labels of the upheld findings, strongest first, each once."""
    scores: dict[CanonicalId, Score] = Field(default_factory=dict, max_length=256)
    """Canonical label → the highest score of an upheld finding with it; empty where the format is `framework_view`."""
    confidence: Score
    """The least of the mapped labels' confidences; 1 where there was nothing to map, 0 where all abstained."""
    labels: Annotated[tuple[MappedLabel, ...], Field(max_length=8192)] = ()
    """Each distinct vendor label; empty unless the format is `full_record`."""
    framework_mappings: dict[FrameworkRef, FrameworkMapping] = Field(default_factory=dict, max_length=32)
    """`framework:edition` → its controls; empty where the format is `taxonomy_only`."""
    abstentions: Count = 0
    """Distinct labels sent to the review queue."""
    version_info: VersionInfo
    processing_time_ms: Milliseconds
    cost_metrics: CostMetrics
    provenance: Annotated[tuple[ProvenanceEntry, ...], Field(max_length=64)]
    terms: AppliedTerms | None = None
    """How the labels were mapped and who said so; null where all was as the installation is set."""


class FrameworkInfo(Contract):
    """One edition of a framework that requests may name."""

    ref: FrameworkRef
    framework: Identifier
    edition: Identifier
    title: ShortText
    kind: Identifier
    applies_when: ShortText
    own: bool = False
    """Whether the tenant uploaded it; the others are shipped."""


class FrameworkList(Contract):
    """Every edition of every framework, default editions first, the tenant's own last."""

    items: tuple[FrameworkInfo, ...]


class Suggestion(Contract):
    """What a label nobody could map with enough confidence may mean."""

    canonical: CanonicalId
    confidence: Score


class ReviewItem(Contract):
    """A vendor label that the catalogue does not know, waiting for a person."""

    id: Identifier
    tenant_id: TenantId
    vendor: Identifier
    vendor_version: VersionText | None = None
    label: Label
    occurrences: Count
    first_seen: datetime
    last_seen: datetime
    status: ReviewStatus
    suggestions: Annotated[tuple[Suggestion, ...], Field(max_length=3)] = ()
    """Most likely first, as of when the label was last queued with any."""
    revision: Count = 0
    """Counts the decisions about it; name it in a decision, so that nobody decides on what has changed."""
    canonical: CanonicalId | None = None
    """What was decided; null while it is open and where it was dismissed."""
    decided_at: datetime | None = None
    decided_by: ShortText | None = None


class ReviewPage(Contract):
    """Review items, most recently seen first."""

    items: Annotated[tuple[ReviewItem, ...], Field(max_length=1000)]
    next_cursor: Annotated[str, Field(max_length=256)] | None = None


class MappingApi(Protocol):
    """Maps vendor labels to the taxonomy and to controls.

    Raises `FRAMEWORK_NOT_FOUND` and `EDITION_NOT_FOUND`. A label that nobody is sure about raises nothing: it abstains
    and joins the tenant's review queue.
    """

    async def map(self, request: MappingRequest) -> MappingResponse:
        """Map the findings of an analysis for `request.tenant_id` (which must be set)."""
        ...

    async def map_labels(self, request: LabelMappingRequest) -> LabelMappingResponse:
        """Map bare labels for `request.tenant_id` (which must be set), in the order given."""
        ...

    async def reviews(
        self,
        tenant_id: str,
        *,
        limit: int = 100,
        cursor: str | None = None,
        status: ReviewStatus | None = None,
        vendor: str | None = None,
    ) -> ReviewPage:
        """A page of the tenant's review queue, of one status and one vendor where they are named.

        `limit` is 1 to 1,000. A cursor is good for the same filters only.
        """
        ...

    async def frameworks(self, tenant_id: str) -> FrameworkList:
        """Every edition that the tenant's requests may name, its own included."""
        ...
