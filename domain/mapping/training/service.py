"""Training jobs for the doors: submit, look, read the log, cancel."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from llama_mapper.domain.contracts.training import (
    LOG_LINES,
    TrainingJob,
    TrainingJobPage,
    TrainingLog,
    TrainingRequest,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, NotFoundError, OrchestrationError, ValidationError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.training.orders import order_of
from llama_mapper.domain.mapping.training.ports import Training, TrainingJobs, TrainingKey
from llama_mapper.domain.mapping.training.runner import TrainingRunner

UNENDED_LIMIT = 20
"""Jobs of one tenant that may wait and run at a time: each takes minutes to days."""

_PAGE_LIMIT = 1_000
_LINE_LIMIT = 4_096


class TrainingService:
    """Keeps the promises of `TrainingApi` over the store and this process's runner."""

    def __init__(
        self,
        runner: TrainingRunner,
        jobs: TrainingJobs,
        training: Training,
        clock: Clock,
        *,
        base_models: Mapping[str, Path],
        canonicals: Container[str],
    ) -> None:
        self._runner = runner
        self._jobs = jobs
        self._training = training
        self._clock = clock
        self._base_models = base_models
        self._canonicals = canonicals

    async def submit(self, request: TrainingRequest) -> TrainingJob:
        """See `TrainingApi.submit`."""
        if request.tenant_id is None:
            raise ValidationError("tenant_id must be set")
        key = TrainingKey(request.tenant_id, new_id("train"))
        order_of(key, request, self._base_models, self._canonicals)
        if await self._jobs.unended(request.tenant_id) >= UNENDED_LIMIT:
            raise OrchestrationError("too many training jobs wait already", ErrorCode.JOB_QUEUE_FULL, True)
        job = await self._jobs.add(key, request, self._clock())
        self._runner.wake()
        return job

    async def get(self, tenant_id: str, job_id: str) -> TrainingJob:
        """See `TrainingApi.get`."""
        job = await self._jobs.get(TrainingKey(tenant_id, job_id))
        if job is None:
            raise NotFoundError("there is no such training job")
        return job

    async def page(self, tenant_id: str, *, limit: int, cursor: str | None = None) -> TrainingJobPage:
        """See `TrainingApi.page`."""
        if not 1 <= limit <= _PAGE_LIMIT:
            raise ValidationError(f"limit must be between 1 and {_PAGE_LIMIT}")
        jobs = await self._jobs.page(tenant_id, limit=limit + 1, before=cursor)
        more = len(jobs) > limit
        return TrainingJobPage(items=tuple(jobs[:limit]), next_cursor=jobs[limit - 1].id if more else None)

    async def logs(self, tenant_id: str, job_id: str, *, lines: int) -> TrainingLog:
        """See `TrainingApi.logs`."""
        if not 1 <= lines <= LOG_LINES:
            raise ValidationError(f"lines must be between 1 and {LOG_LINES}")
        job = await self.get(tenant_id, job_id)
        found, truncated = await self._training.log(TrainingKey(tenant_id, job.id), lines)
        return TrainingLog(id=job.id, lines=tuple(line[:_LINE_LIMIT] for line in found), truncated=truncated)

    async def cancel(self, tenant_id: str, job_id: str) -> TrainingJob:
        """See `TrainingApi.cancel`."""
        key = TrainingKey(tenant_id, job_id)
        if await self._jobs.request_cancel(key, self._clock()):
            await self._runner.cancel(key)
        return await self.get(tenant_id, job_id)
