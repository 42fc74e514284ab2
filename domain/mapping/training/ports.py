"""What training needs from outside: what trains, where jobs are kept, and who takes the result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from llama_mapper.domain.contracts.training import (
    TrainingError,
    TrainingJob,
    TrainingProgress,
    TrainingRequest,
    TrainingStatus,
)
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError
from llama_mapper.domain.mapping.labels import KnownLabel
from llama_mapper.domain.mapping.training.dataset import Recipe
from llama_mapper.domain.mapping.training.spec import Hyperparameters, TrainingTask


@dataclass(frozen=True, slots=True)
class TrainingKey:
    """Whose job, and which."""

    tenant_id: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """A run to carry out. What is in the run's folder already is gone on with, and then decides."""

    key: TrainingKey
    task: TrainingTask
    base_model: Path
    hyperparameters: Hyperparameters
    recipe: Recipe
    reviewed: tuple[KnownLabel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A finished adapter. `folder` holds `adapter_model.safetensors`, `adapter_config.json`, `card.json`,
    `metrics.json` and `manifest.json` with the SHA-256 of each; it stays until whoever registers has copied it.

    `metrics` are of the test split: `level2_accuracy`, `level3_accuracy`, `validation_loss`, and the base model's
    under `base_…`. `card` is the data set's, `data_digest` its digest. The same job registered twice is one model.
    """

    key: TrainingKey
    task: TrainingTask
    base_model: str
    folder: Path
    steps: int
    metrics: Mapping[str, float]
    card: Mapping[str, Any]
    data_digest: str
    spec_digest: str
    trained_at: datetime


class ModelRegistration(Protocol):
    """Takes finished adapters into the models that can be released."""

    async def register(self, trained: TrainedModel) -> str:
        """Take the model in and return the reference by which it is known from now on.

        A model that was registered before, told by its job and its adapter's digest, gives the same reference and
        nothing new. Raises `STORE_UNAVAILABLE` where it cannot be kept.
        """
        ...


class TrainingStoppedError(MappingError):
    """The run was asked to stop and did, at a checkpoint."""

    default_code = ErrorCode.JOB_INTERRUPTED
    default_retryable = True


class Training(Protocol):
    """Carries out runs, each in a folder and a process of its own."""

    async def carry_out(
        self, order: TrainingOrder, tell: Callable[[TrainingProgress], None], stop: asyncio.Event
    ) -> TrainedModel:
        """Prepare the data, train, evaluate; go on from the last checkpoint of a run that was begun.

        `tell` is called with every progress, from the event loop. When `stop` is set the run makes a checkpoint and
        `TrainingStoppedError` is raised; a cancelled call kills the process at once and leaves the checkpoints. Raises
        `CONFIGURATION_INVALID` where the interpreter lacks a package or the base model cannot be used, and
        `TRAINING_FAILED` where training itself failed.
        """
        ...

    async def log(self, key: TrainingKey, lines: int) -> tuple[Sequence[str], bool]:
        """The last lines that the run's process wrote, and whether there was more; nothing for a run without a log."""
        ...


@dataclass(frozen=True, slots=True)
class HeldTraining:
    """A job that this process holds now: what was asked, and how often somebody began with it."""

    key: TrainingKey
    request: TrainingRequest
    attempts: int


@dataclass(frozen=True, slots=True)
class TrainingEnd:
    """How a job ends."""

    status: TrainingStatus
    model: str | None = None
    data_digest: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: TrainingError | None = None


class TrainingJobs(Protocol):
    """Training jobs, by tenant. Each change is a transaction. Raises `STORE_UNAVAILABLE`.

    A job that runs is held by one owner under a lease. Whoever lost a job can change it no more.
    """

    async def add(self, key: TrainingKey, request: TrainingRequest, at: datetime) -> TrainingJob:
        """Queue a job that nobody holds; raise `CONFLICT` if the id is taken."""
        ...

    async def get(self, key: TrainingKey) -> TrainingJob | None:
        """The job, or None, also where it is another tenant's."""
        ...

    async def page(self, tenant_id: str, *, limit: int, before: str | None = None) -> list[TrainingJob]:
        """The tenant's jobs, newest id first, with ids below `before`."""
        ...

    async def unended(self, tenant_id: str) -> int:
        """How many of the tenant's jobs have not ended."""
        ...

    async def take(self, owner: str, now: datetime, lease_until: datetime, limit: int) -> list[HeldTraining]:
        """Become the holder of jobs that nobody holds, or whose holder's lease ended before `now`, oldest first.

        Each goes to one owner alone; it counts an attempt.
        """
        ...

    async def renew(self, owner: str, lease_until: datetime) -> dict[TrainingKey, bool]:
        """Extend the leases of all that `owner` holds: which they are, and whether their end was asked for."""
        ...

    async def report(
        self, key: TrainingKey, owner: str, status: TrainingStatus, progress: TrainingProgress, at: datetime
    ) -> bool:
        """Show how far a job is; False if `owner` does not hold it."""
        ...

    async def release(self, key: TrainingKey, owner: str) -> bool:
        """Let go of a job so that anybody may take it at once; it is `interrupted` until then. False as above."""
        ...

    async def end(self, key: TrainingKey, owner: str, how: TrainingEnd, at: datetime) -> bool:
        """End a job; False if `owner` does not hold it."""
        ...

    async def request_cancel(self, key: TrainingKey, at: datetime) -> bool:
        """Ask for the end of a job; False if there is no such job.

        One that nobody holds under a lease ends at once; one that is held is ended by its holder; one that has ended
        stays as it is.
        """
        ...
