"""Jobs for the doors: submit, look, cancel."""

from __future__ import annotations

from llama_mapper.domain.assessment.jobs.model import JobKey, JobLimits, item_requests
from llama_mapper.domain.assessment.jobs.ports import JobStore, NewItem, NewJob, WebhookSender, WebhookSigner
from llama_mapper.domain.assessment.jobs.runner import JobRunner
from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.jobs import (
    AcceptedJob,
    BatchRequest,
    Job,
    JobItem,
    JobKind,
    JobPage,
    JobProgress,
    JobStatus,
    WebhookDelivery,
    WebhookTarget,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import NotFoundError, ValidationError
from llama_mapper.domain.kernel.ids import new_id

_PAGE_LIMIT = 1_000


class JobService:
    """Keeps the promises of `JobApi` over the store and this process's runner."""

    def __init__(
        self,
        runner: JobRunner,
        store: JobStore,
        sender: WebhookSender,
        signer: WebhookSigner,
        clock: Clock,
        limits: JobLimits,
    ) -> None:
        self._runner = runner
        self._store = store
        self._sender = sender
        self._signer = signer
        self._clock = clock
        self._limits = limits

    async def submit(self, request: AssessmentRequest) -> AcceptedJob:
        """See `JobApi.submit`."""
        return await self._submit(request.tenant_id, JobKind.ASSESSMENT, [(None, request)], None)

    async def submit_batch(self, request: BatchRequest) -> AcceptedJob:
        """See `JobApi.submit_batch`."""
        if len(request.items) > self._limits.batch_items:
            raise ValidationError(f"a batch may have {self._limits.batch_items} items here")
        return await self._submit(request.tenant_id, JobKind.BATCH, list(item_requests(request)), request.webhook)

    async def get(self, tenant_id: str, job_id: str) -> Job:
        """See `JobApi.get`."""
        job = await self._store.get(JobKey(tenant_id, job_id), self._clock())
        if job is None:
            raise NotFoundError("there is no such job")
        return job

    async def page(self, tenant_id: str, *, limit: int, cursor: str | None = None) -> JobPage:
        """See `JobApi.page`."""
        if not 1 <= limit <= _PAGE_LIMIT:
            raise ValidationError(f"limit must be between 1 and {_PAGE_LIMIT}")
        jobs = await self._store.page(tenant_id, self._clock(), limit=limit + 1, before=cursor)
        more = len(jobs) > limit
        return JobPage(items=tuple(jobs[:limit]), next_cursor=jobs[limit - 1].id if more else None)

    async def cancel(self, tenant_id: str, job_id: str) -> Job:
        """See `JobApi.cancel`."""
        key = JobKey(tenant_id, job_id)
        if await self._store.request_cancel(key, self._clock()):
            await self._runner.cancel(key)
        return await self.get(tenant_id, job_id)

    async def _submit(
        self,
        tenant_id: str | None,
        kind: JobKind,
        items: list[tuple[str | None, AssessmentRequest]],
        webhook: WebhookTarget | None,
    ) -> AcceptedJob:
        if tenant_id is None:
            raise ValidationError("a job needs a tenant")
        url = webhook.url if webhook else None
        if url is not None:
            self._sender.check(url)
        job = NewJob(
            key=JobKey(tenant_id, new_id("job")),
            kind=kind,
            created_at=self._clock(),
            items=tuple(NewItem(ref, new_id("asm")) for ref, _ in items),
            webhook_url=url,
        )
        await self._runner.submit(job, [request for _, request in items])
        return AcceptedJob(
            id=job.key.id,
            tenant_id=tenant_id,
            kind=kind,
            status=JobStatus.QUEUED,
            created_at=job.created_at,
            progress=JobProgress(done=0, failed=0, total=len(items)),
            items=tuple(JobItem(index=index, ref=ref) for index, (ref, _) in enumerate(items)),
            webhook=WebhookDelivery(url=url) if url else None,
            webhook_secret=self._signer.secret(tenant_id, url) if url else None,
        )
