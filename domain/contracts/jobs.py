"""Assessments that run in the background: one text or a batch, their state, and what is told when they have ended."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.base import (
    CategoryId,
    Contract,
    Count,
    FrameworkRef,
    Identifier,
    ShortText,
    TenantId,
)
from llama_mapper.domain.contracts.mapping import Extras, OutputFormat
from llama_mapper.domain.contracts.orchestration import ContentType, ProcessingMode

BATCH_LIMIT = 10_000
"""Items that the contract admits in a batch; the settings may set less (default 1,000)."""

WEBHOOK_URL_PATTERN = r"^https?://[^\s@\\#]+$"
"""No user name or password, which would be stored, and no fragment, which is never sent."""


class JobKind(StrEnum):
    """What a job was made from."""

    ASSESSMENT = "assessment"
    BATCH = "assessment_batch"


class JobStatus(StrEnum):
    """Where a job stands; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """Every item has a record."""
    FAILED = "failed"
    """It ran to the end, and at least one item has no record."""
    CANCELLED = "cancelled"
    """The caller ended it; items done before have their records."""
    INTERRUPTED = "interrupted"
    """The server stopped or died; items done before have their records, the others can safely be sent again."""


class WebhookStatus(StrEnum):
    """What became of telling the receiver."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class WebhookTarget(Contract):
    """Whom to tell when a job has ended."""

    url: Annotated[str, Field(max_length=2048, pattern=WEBHOOK_URL_PATTERN)]
    """`https://…` on a public address, unless the operator has allowed the host."""


class BatchItem(AssessmentRequest):
    """One text of a batch."""

    ref: Identifier | None = None
    """The caller's own name for the item; stored and given back. Not for content."""


class BatchDefaults(Contract):
    """What holds for every item that does not say otherwise itself."""

    policy_bundle: Identifier = "default"
    processing_mode: ProcessingMode = ProcessingMode.NORMAL
    content_type: ContentType = ContentType.TEXT
    categories: Annotated[tuple[CategoryId, ...], Field(max_length=64)] = ()
    frameworks: Annotated[tuple[FrameworkRef, ...], Field(max_length=32)] = ()
    output_format: OutputFormat = OutputFormat.FULL_RECORD
    include: Extras = ()


class BatchRequest(Contract):
    """Texts to assess in the background."""

    items: Annotated[tuple[BatchItem, ...], Field(min_length=1, max_length=BATCH_LIMIT)]
    defaults: BatchDefaults = Field(default_factory=BatchDefaults)
    webhook: WebhookTarget | None = None
    tenant_id: TenantId | None = None
    """May repeat the credential's tenant; naming another is refused with `TENANT_MISMATCH`."""


class JobError(Contract):
    """Why an item has no record, or why a job did not end as it should."""

    code: Identifier
    """One of the stable error codes."""
    message: ShortText
    retryable: bool
    """Whether sending the same again is safe and may succeed."""


class JobItem(Contract):
    """One item: done (`assessment_id`), failed (`error`), or neither: not run yet, or not at all if the job ended."""

    index: Count
    """Its place in the request, from 0."""
    ref: Identifier | None = None
    assessment_id: Identifier | None = None
    error: JobError | None = None


class JobProgress(Contract):
    """How far a job is; `done` + `failed` reach `total` if it runs to the end."""

    done: Count
    failed: Count
    total: Count


class WebhookDelivery(Contract):
    """How telling the receiver goes."""

    url: Annotated[str, Field(max_length=2048)]
    status: WebhookStatus = WebhookStatus.PENDING
    attempts: Count = 0
    next_attempt_at: datetime | None = None
    """Null until the job has ended, and when nothing more will be sent."""
    delivered_at: datetime | None = None
    last_status: Annotated[int, Field(ge=100, le=999)] | None = None
    """HTTP status of the last answer; null if there was none."""
    last_fault: Identifier | None = None
    """Why the last attempt failed: `ADDRESS_REFUSED`, `UNREACHABLE`, `TIMEOUT`, `STATUS`."""


class JobSummary(Contract):
    """A job without its items."""

    id: Identifier
    tenant_id: TenantId
    kind: JobKind
    status: JobStatus
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    """When the job, not the records it made, is forgotten; null until it has ended."""
    cancel_requested: bool = False
    progress: JobProgress
    error: JobError | None = None
    """Of a failed job the first failed item's; of an interrupted one `JOB_INTERRUPTED`."""
    webhook: WebhookDelivery | None = None


class Job(JobSummary):
    """A job and its items. The results are records: fetch `/v1/assessments/{assessment_id}`."""

    items: Annotated[tuple[JobItem, ...], Field(max_length=BATCH_LIMIT)]


class AcceptedJob(Job):
    """The answer to whoever submitted the job."""

    webhook_secret: Annotated[str, Field(pattern=r"^whsec_[A-Za-z0-9+/]{43}=$")] | None = None
    """Verifies the webhook's signature; the same for every job of this tenant with this URL. Shown here only."""


class JobPage(Contract):
    """Jobs, newest first."""

    items: Annotated[tuple[JobSummary, ...], Field(max_length=1000)]
    next_cursor: Identifier | None = None
    """Give it back as `cursor` for the next page; null on the last."""


class JobEvent(Contract):
    """The body of a webhook. It is sent at least once: `webhook-id` is the same for every attempt."""

    type: Annotated[str, Field(pattern=r"^job\.(succeeded|failed|cancelled|interrupted)$")]
    timestamp: datetime
    """When the job ended."""
    data: JobSummary


class JobApi(Protocol):
    """Assessments in the background."""

    async def submit(self, request: AssessmentRequest) -> AcceptedJob:
        """Take one text for `request.tenant_id` (which must be set); when this returns, the job is stored.

        Raises `JOB_QUEUE_FULL` with a wait, `SERVICE_UNAVAILABLE` while the process stops, `STORE_UNAVAILABLE`.
        """
        ...

    async def submit_batch(self, request: BatchRequest) -> AcceptedJob:
        """The same for a batch; also `INVALID_REQUEST` for too many items or a webhook that may not be called."""
        ...

    async def get(self, tenant_id: str, job_id: str) -> Job:
        """The job as stored; raise `NOT_FOUND` if the tenant has none with this id, or it has expired."""
        ...

    async def page(self, tenant_id: str, *, limit: int, cursor: str | None = None) -> JobPage:
        """The tenant's jobs; `limit` is 1 to 1,000."""
        ...

    async def cancel(self, tenant_id: str, job_id: str) -> Job:
        """End the job; harmless if it has ended. What was done stays.

        Where another process runs the job, it still shows as running for a moment, with `cancel_requested`.
        Raises `NOT_FOUND`.
        """
        ...
