"""Telling receivers that jobs have ended: at least once, across restarts, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from random import random

from llama_mapper.domain.assessment.jobs.model import DeliveryAttempt, JobKey, WebhookLimits, next_attempt
from llama_mapper.domain.assessment.jobs.ports import JobStore, WebhookSender, WebhookSigner
from llama_mapper.domain.contracts.jobs import JobEvent, JobSummary, WebhookDelivery, WebhookStatus
from llama_mapper.domain.kernel.clock import Clock

AT_ONCE = 16
CLAIM_S = 60.0
"""For how long an attempt keeps other processes away; an attempt takes no longer than the sender's time limit."""


class WebhookDispatcher:
    """Sends what is due, and keeps in the store when to try again: a wait outlives the process.

    Waits between attempts are due times in the store, so that a restart neither forgets nor restarts them.
    `on_attempt` is told `delivered`, `retried` or `given_up` after each attempt.
    """

    def __init__(
        self,
        store: JobStore,
        sender: WebhookSender,
        signer: WebhookSigner,
        clock: Clock,
        limits: WebhookLimits,
        on_attempt: Callable[[str], None],
        *,
        poll_s: float = 1.0,
        jitter: Callable[[], float] = random,
    ) -> None:
        self._store = store
        self._sender = sender
        self._signer = signer
        self._clock = clock
        self._limits = limits
        self._on_attempt = on_attempt
        self._poll_s = poll_s
        self._jitter = jitter
        self._soon = asyncio.Event()
        self._next: list[datetime] = []
        self._task: asyncio.Task[None] | None = None
        self.store_failures = 0

    def wake(self) -> None:
        """Look now: something has become due."""
        self._soon.set()

    async def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what is not delivered stays due."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def deliver_due(self) -> int:
        """One attempt at everything that is due now, side by side; return how many there were."""
        now = self._clock()
        keys = await self._store.take_due_webhooks(now, now + timedelta(seconds=CLAIM_S), AT_ONCE)
        await asyncio.gather(*(self._deliver(key) for key in keys))
        return len(keys)

    async def _run(self) -> None:
        while True:
            self._soon.clear()
            try:
                more = await self.deliver_due()
            except Exception:  # whatever a store raises, the dispatcher must live on
                self.store_failures += 1
                more = 0
            if not more:
                await _either(self._soon, self._pause())

    def _pause(self) -> float:
        """Seconds until the next attempt that this process knows of, or until it is time to look for others'."""
        now = self._clock()
        self._next = sorted(at for at in self._next if at > now)
        soonest = (self._next[0] - now).total_seconds() if self._next else self._poll_s
        return min(self._poll_s, soonest)

    async def _deliver(self, key: JobKey) -> None:
        try:
            await self._attempt(key)
        except Exception:  # whatever broke, the claim lapses, and it is due again
            self.store_failures += 1

    async def _attempt(self, key: JobKey) -> None:
        job = await self._store.get(key, self._clock())
        if job is None or job.webhook is None or job.ended_at is None:
            return
        url, sent_at = job.webhook.url, self._clock()
        body = event_body(job, job.ended_at)
        headers = self._signer.headers(key.tenant_id, url, event_id(key.id), sent_at, body)
        attempt = await self._sender.send(url, headers | {"content-type": "application/json"}, body)
        now = self._clock()
        after = delivery_after(job.webhook, attempt, self._limits, job.ended_at, now, self._jitter())
        await self._store.record_delivery(key, after)
        if after.next_attempt_at is not None:
            self._next.append(after.next_attempt_at)
        self._on_attempt("retried" if after.status is WebhookStatus.PENDING else after.status.value)


def event_id(job_id: str) -> str:
    """The `webhook-id` of a job's end: one job, one event, however often it is sent."""
    return "evt_" + job_id.partition("_")[2]


def event_body(job: JobSummary, ended_at: datetime) -> bytes:
    """The `JobEvent` as JSON. Items are left out: a receiver that wants them has the id to fetch the job by."""
    fields = {name: getattr(job, name) for name in JobSummary.model_fields if name != "webhook"}
    event = JobEvent(type=f"job.{job.status.value}", timestamp=ended_at, data=JobSummary(**fields))
    return event.model_dump_json(exclude={"data": {"webhook"}}).encode()


def delivery_after(
    before: WebhookDelivery,
    attempt: DeliveryAttempt,
    limits: WebhookLimits,
    ended_at: datetime,
    now: datetime,
    jitter: float,
) -> WebhookDelivery:
    """How the webhook stands after an attempt that ended `now`."""
    attempts = before.attempts + 1
    again = None
    if attempt.succeeded:
        status = WebhookStatus.DELIVERED
    else:
        again = None if attempt.final else next_attempt(limits, attempts, ended_at, now, jitter)
        status = WebhookStatus.GIVEN_UP if again is None else WebhookStatus.PENDING
    return WebhookDelivery(
        url=before.url,
        status=status,
        attempts=attempts,
        next_attempt_at=again,
        delivered_at=now if attempt.succeeded else None,
        last_status=attempt.status,
        last_fault=attempt.fault or (None if attempt.succeeded else "STATUS"),
    )


async def _either(event: asyncio.Event, limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return
