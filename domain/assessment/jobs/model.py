"""Decisions about jobs, without I/O: how one ends, what a batch's items are, when a webhook is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.jobs import BatchRequest, JobStatus
from llama_mapper.domain.kernel.errors import ErrorCode

ACTIVE = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
TRANSIENT = frozenset(
    {
        ErrorCode.DETECTOR_OVERLOADED,
        ErrorCode.RATE_LIMITED,
        ErrorCode.ALL_DETECTORS_UNAVAILABLE,
        ErrorCode.SERVICE_UNAVAILABLE,
        ErrorCode.STORE_UNAVAILABLE,
    }
)
"""Errors after which an item is tried again while its deadline lasts, if the error says that it may be."""


@dataclass(frozen=True, slots=True)
class JobKey:
    """Whose job, and which."""

    tenant_id: str
    id: str


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What the runner allows itself.

    `queue_items` and `queue_characters` bound what waits in memory; one tenant may have half of either. Times are in
    seconds: `deadline_s` of one item, `lease_s` after which a process that was not heard of counts as dead, `grace_s`
    for running jobs when the process stops, `ttl_s` for which an ended job is kept.
    """

    batch_items: int = 1_000
    queue_items: int = 10_000
    queue_characters: int = 64 * 1024 * 1024
    concurrency: int = 2
    deadline_s: float = 30.0
    lease_s: float = 30.0
    grace_s: float = 10.0
    ttl_s: float = 86_400.0

    def __post_init__(self) -> None:
        if min(self.batch_items, self.queue_items, self.queue_characters, self.concurrency) < 1:
            raise ValueError("counts are 1 or more")
        if min(self.deadline_s, self.lease_s, self.ttl_s) <= 0 or self.grace_s < 0:
            raise ValueError("times are positive")
        if self.queue_items < self.batch_items:
            raise ValueError("the queue must have room for a batch")


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """How long a receiver is tried: `attempts` at the most, within `total_s` seconds of the job's end.

    Waits are exponential with full jitter: uniform between 0 and `base_s` times 2 to the number of failures before
    this one, at most `cap_s` ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """

    attempts: int = 8
    base_s: float = 2.0
    cap_s: float = 900.0
    total_s: float = 3_600.0


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """What one attempt at a webhook came to: an HTTP status, or why there was none."""

    status: int | None = None
    fault: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver took it: 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def final(self) -> bool:
        """Whether trying again is pointless: 410 asks for no more (Standard Webhooks), a refused address stays so."""
        return self.status == 410 or self.fault == "ADDRESS_REFUSED"


def final_status(done: int, failed: int, total: int, incomplete: JobStatus) -> JobStatus:
    """The status of a job that ends now; `incomplete` is for one with items that were not run."""
    if done == total:
        return JobStatus.SUCCEEDED
    return JobStatus.FAILED if done + failed == total else incomplete


def next_attempt(
    limits: WebhookLimits, failures: int, ended_at: datetime, now: datetime, jitter: float
) -> datetime | None:
    """When to try again after so many failures, the latest `now`; None to give up. `jitter` is uniform in 0 to 1."""
    if failures >= limits.attempts:
        return None
    # Beyond 2^60 the cap has long decided, and a float would overflow.
    wait = jitter * min(limits.cap_s, limits.base_s * 2.0 ** min(failures - 1, 60))
    at = now + timedelta(seconds=wait)
    return at if at <= ended_at + timedelta(seconds=limits.total_s) else None


def characters_of(request: AssessmentRequest) -> int:
    """Characters of content that a request holds in memory."""
    return len(request.content or "") + sum(len(message.content) for message in request.messages)


def item_requests(batch: BatchRequest) -> Iterator[tuple[str | None, AssessmentRequest]]:
    """Each item's `ref` and request, with the batch's defaults for what the item itself does not set."""
    shared = {name: getattr(batch.defaults, name) for name in batch.defaults.model_fields_set}
    for item in batch.items:
        given = {name: getattr(item, name) for name in item.model_fields_set if name != "ref"}
        yield item.ref, AssessmentRequest.model_construct(**shared | given | {"tenant_id": batch.tenant_id})
