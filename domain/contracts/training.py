"""Training over the doors: jobs that fine-tune a model, as they are asked for and as they stand."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import (
    CanonicalId,
    Contract,
    Count,
    Identifier,
    Label,
    LongText,
    ShortText,
    TenantId,
    VersionText,
)

REVIEWED_LIMIT = 5_000
LOG_LINES = 1_000

_Digest = Annotated[str, Field(max_length=80, pattern=r"^sha256:[0-9a-f]{64}$")]
_Number = Annotated[float, Field(ge=-1e15, le=1e15)]
_Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class TrainingKind(StrEnum):
    """Which model gets an adapter."""

    MAPPER = "mapper"
    """The one that says what a vendor label means."""
    ANALYST = "analyst"
    """The one that explains an analysis."""


class TrainingStatus(StrEnum):
    """Where a training job stands. The last three are final, but for `interrupted`, which goes on by itself."""

    QUEUED = "queued"
    RUNNING = "running"
    EVALUATING = "evaluating"
    """The adapter is finished and is being compared with its base model."""
    REGISTERED = "registered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The process that trained went away; the next one goes on from the last checkpoint."""


class TrainingHyperparameters(Contract):
    """How to train; what is left out has the default."""

    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    """Optimiser steps, each over `batch_size` times `accumulation` examples."""
    batch_size: Annotated[int, Field(ge=1, le=512)] = 4
    accumulation: Annotated[int, Field(ge=1, le=512)] = 2
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 3e-4
    warmup_share: _Share = 0.05
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    max_gradient_norm: Annotated[float, Field(gt=0.0, le=1e6)] = 1.0
    rank: Annotated[int, Field(ge=1, le=256)] = 8
    alpha: Annotated[int, Field(ge=1, le=1024)] = 16
    dropout: _Share = 0.05
    max_tokens: Annotated[int, Field(ge=16, le=32_768)] = 512
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    evaluate_every: Annotated[int, Field(ge=1, le=1_000_000)] = 25
    save_every: Annotated[int, Field(ge=1, le=1_000_000)] = 25
    keep_checkpoints: Annotated[int, Field(ge=1, le=100)] = 2
    patience: Annotated[int, Field(ge=0, le=1_000)] = 4
    """Evaluations without a lower validation loss after which training ends; 0 never ends it early."""
    minimum_gain: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    validation_limit: Annotated[int, Field(ge=1, le=100_000)] = 64
    test_limit: Annotated[int, Field(ge=0, le=100_000)] = 200
    precision: Annotated[str, Field(pattern=r"^(auto|float32|bfloat16)$")] = "auto"
    quantization: Annotated[str, Field(pattern=r"^(auto|none|nf4)$")] = "auto"


class TrainingData(Contract):
    """How the data set is made; what is left out has the default."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    variants: Annotated[int, Field(ge=0, le=50)] = 3
    options: Annotated[int, Field(ge=2, le=24)] = 8
    none_share: _Share = 0.1
    meaningless_share: _Share = 0.08
    unnamed_share: _Share = 0.3
    per_canonical: Annotated[int, Field(ge=1, le=10_000)] = 24
    validation_share: Annotated[float, Field(ge=0.0, le=0.45)] = 0.1
    test_share: Annotated[float, Field(ge=0.0, le=0.45)] = 0.12
    hold_out: Annotated[tuple[Identifier, ...], Field(max_length=128)] = ()
    """Vendors that are only asked about, never learnt from, with their families."""
    exclude: Annotated[tuple[Identifier, ...], Field(max_length=128)] = ()
    examples: Annotated[int, Field(ge=1, le=100_000)] = 1_200


class ReviewedLabel(Contract):
    """A vendor label whose meaning the tenant's reviewers decided."""

    vendor: Identifier
    vendor_version: VersionText | None = None
    label: Label
    canonical: CanonicalId


class TrainingRequest(Contract):
    """A training job to run in the background."""

    kind: TrainingKind
    base_model: Identifier
    """A name under which the installation has a base model (setting `training_base_models`)."""
    hyperparameters: TrainingHyperparameters = Field(default_factory=TrainingHyperparameters)
    data: TrainingData = Field(default_factory=TrainingData)
    reviewed_labels: Annotated[tuple[ReviewedLabel, ...], Field(max_length=REVIEWED_LIMIT)] = ()
    """Labels to learn besides the shipped vocabularies; the tenant's meaning comes before a vocabulary's."""
    tenant_id: TenantId | None = None


class TrainingProgress(Contract):
    """How far a job is; figures are null until there are some."""

    stage: Identifier
    """`waiting`, `preparing`, `loading`, `training`, `evaluating`, `registering`, `ended`."""
    step: Count = 0
    steps: Count
    evaluated: Count = 0
    """Answers asked for in the evaluation."""
    to_evaluate: Count = 0
    loss: _Number | None = None
    """Mean cross entropy of the answers' tokens, natural logarithm, in the last step."""
    validation_loss: _Number | None = None
    learning_rate: _Number | None = None
    tokens_per_s: _Number | None = None
    memory_bytes: Count | None = None
    notes: Annotated[tuple[ShortText, ...], Field(max_length=8)] = ()
    """What is worth knowing, such as checkpoints that could not be gone on from."""


class TrainingError(Contract):
    """Why a job failed."""

    code: Identifier
    message: LongText
    retryable: bool


class TrainingJob(Contract):
    """A training job."""

    id: Identifier
    tenant_id: TenantId
    kind: TrainingKind
    base_model: Identifier
    status: TrainingStatus
    attempts: Count
    """How often a process began with it; every one after the first went on from a checkpoint, where there was one."""
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: TrainingProgress
    data_digest: _Digest | None = None
    metrics: dict[Annotated[str, Field(max_length=64)], _Number] = Field(default_factory=dict, max_length=64)
    """Of the finished adapter on the test split, and of its base model (`base_…`)."""
    model: Annotated[str, Field(max_length=512)] | None = None
    """What the adapter was registered as."""
    error: TrainingError | None = None


class TrainingJobPage(Contract):
    """Jobs, newest first."""

    items: Annotated[tuple[TrainingJob, ...], Field(max_length=1000)]
    next_cursor: Identifier | None = None


class TrainingLog(Contract):
    """The end of a job's log."""

    id: Identifier
    lines: Annotated[tuple[LongText, ...], Field(max_length=LOG_LINES)]
    truncated: bool
    """Whether there was more before."""


class TrainingApi(Protocol):
    """Training jobs of a tenant. Another tenant's job is `NOT_FOUND`. Raises `STORE_UNAVAILABLE`."""

    async def submit(self, request: TrainingRequest) -> TrainingJob:
        """Queue a job for `request.tenant_id`, which must be set.

        Raise `INVALID_REQUEST` for a base model that the installation does not have, and for a canonical label that
        the taxonomy lacks; `JOB_QUEUE_FULL` where the tenant has too many jobs waiting.
        """
        ...

    async def get(self, tenant_id: str, job_id: str) -> TrainingJob:
        """One job; raise `NOT_FOUND`."""
        ...

    async def page(self, tenant_id: str, *, limit: int, cursor: str | None = None) -> TrainingJobPage:
        """The tenant's jobs, newest first; `limit` is 1 to 1,000."""
        ...

    async def logs(self, tenant_id: str, job_id: str, *, lines: int) -> TrainingLog:
        """The last `lines` (1 to 1,000) of what the trainer wrote; raise `NOT_FOUND`."""
        ...

    async def cancel(self, tenant_id: str, job_id: str) -> TrainingJob:
        """End a job: its process is killed, its checkpoints stay. Harmless if it has ended. Raise `NOT_FOUND`."""
        ...
