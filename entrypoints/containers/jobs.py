"""Wiring of jobs: in the process of the front door, over its chain and its assessment database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llama_mapper.adapters.assessment.http_webhooks import HttpWebhooks
from llama_mapper.adapters.assessment.sql_jobs import SqlJobs
from llama_mapper.adapters.assessment.webhook_addresses import WebhookHosts
from llama_mapper.adapters.assessment.webhook_signatures import WEBHOOK_KEY_FILE, StandardWebhookSigner
from llama_mapper.adapters.platform.key_files import load_or_create_secret
from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
from llama_mapper.domain.assessment.jobs.model import JobLimits, WebhookLimits
from llama_mapper.domain.assessment.jobs.runner import JobRunner
from llama_mapper.domain.assessment.jobs.service import JobService
from llama_mapper.domain.assessment.jobs.webhooks import WebhookDispatcher
from llama_mapper.domain.contracts.jobs import JobSummary
from llama_mapper.entrypoints.containers.assessment import AssessmentContainer
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings


def _limits(settings: Settings) -> JobLimits:
    return JobLimits(
        batch_items=settings.batch_limit,
        queue_items=settings.job_queue_items,
        queue_characters=settings.job_queue_characters,
        concurrency=settings.job_concurrency,
        deadline_s=settings.job_deadline_ms / 1000.0,
        lease_s=settings.job_lease_s,
        grace_s=settings.job_grace_s,
        ttl_s=settings.job_ttl_s,
    )


def _webhook_limits(settings: Settings) -> WebhookLimits:
    return WebhookLimits(attempts=settings.webhook_attempts, base_s=settings.webhook_backoff_s)


def _signer(platform: PlatformContainer) -> StandardWebhookSigner:
    return StandardWebhookSigner(load_or_create_secret(platform.key_directory() / WEBHOOK_KEY_FILE))


@asynccontextmanager
async def running_jobs(platform: PlatformContainer, chain: AssessmentContainer) -> AsyncIterator[JobService]:
    """Jobs, run and delivered until the end of the block; what runs then gets its grace."""
    settings: Settings = platform.settings()
    clock, metrics = platform.clock(), platform.metrics()
    store, signer = SqlJobs(chain.database()), _signer(platform)
    sender = HttpWebhooks(WebhookHosts(settings.webhook_hosts), timeout_s=settings.webhook_timeout_s)
    webhooks = WebhookDispatcher(store, sender, signer, clock, _webhook_limits(settings), metrics.on_webhook_attempt)

    def on_ended(job: JobSummary) -> None:
        metrics.on_job_ended(job.kind.value, job.status.value)
        if job.webhook is not None:
            webhooks.wake()

    limits = _limits(settings)
    runner = JobRunner(chain.service(), store, clock, limits, on_ended)
    job_gauges(metrics, runner, webhooks)
    await runner.start()
    try:
        await webhooks.start()
        try:
            yield JobService(runner, store, sender, signer, clock, limits)
        finally:
            await runner.stop()
            await webhooks.stop()
    finally:
        await sender.close()


def job_gauges(metrics: PrometheusMetrics, runner: JobRunner, webhooks: WebhookDispatcher) -> None:
    """How jobs are doing, as metrics."""
    metrics.gauge("llama_mapper_job_items_waiting", "Items of jobs that wait in memory.", lambda: runner.waiting)
    metrics.gauge("llama_mapper_job_items_running", "Items of jobs that run now.", lambda: runner.running)
    metrics.gauge(
        "llama_mapper_job_store_failures",
        "Failed reads and writes of jobs.",
        lambda: runner.store_failures + webhooks.store_failures,
    )
