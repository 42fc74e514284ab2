"""What jobs need from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.assessment.jobs.model import DeliveryAttempt, JobKey
from llama_mapper.domain.contracts.assessment import AssessmentRecord, AssessmentRequest
from llama_mapper.domain.contracts.jobs import Job, JobError, JobKind, JobStatus, JobSummary, WebhookDelivery


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to run: the caller's name for it, and the id that its record will have."""

    ref: str | None
    assessment_id: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to keep. Of what is to be assessed it knows nothing."""

    key: JobKey
    kind: JobKind
    created_at: datetime
    items: tuple[NewItem, ...]
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of the item at `index`: a record, or an error."""

    index: int
    error: JobError | None = None


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that a process holds, and whether somebody asked for its end."""

    key: JobKey
    cancel_requested: bool


class Assessing(Protocol):
    """The chain, told the id of the record beforehand."""

    async def assess(self, request: AssessmentRequest, *, assessment_id: str | None = None) -> AssessmentRecord:
        """As `AssessmentApi.assess`; a record with this id that is there already is `CONFLICT`."""
        ...


class JobStore(Protocol):
    """Jobs, their items and what is to be done about them. Metadata only: no content reaches this port.

    A job that is queued or running is held by one process under a lease. Every change is a transaction: whole or not
    at all. Raises `STORE_UNAVAILABLE`.
    """

    async def add(self, job: NewJob, owner: str, lease_until: datetime) -> None:
        """Keep a queued job, held by `owner`; raise `CONFLICT` if the id is taken."""
        ...

    async def get(self, key: JobKey, now: datetime) -> Job | None:
        """The job with its items, or None, also where it has expired."""
        ...

    async def page(self, tenant_id: str, now: datetime, *, limit: int, before: str | None = None) -> list[JobSummary]:
        """The tenant's jobs that have not expired, newest id first, with ids below `before`."""
        ...

    async def report(self, key: JobKey, started_at: datetime, outcomes: Sequence[ItemOutcome]) -> None:
        """Show a queued job as running, and add outcomes of items that have none yet, even after the job's end."""
        ...

    async def end(self, key: JobKey, incomplete: JobStatus, at: datetime, expires_at: datetime) -> JobSummary | None:
        """End a queued or running job; None if it has ended already.

        An item whose record is stored counts as done, whatever was reported. The status follows from the items;
        `incomplete` is for a job with items that were not run. A webhook becomes due at `at`.
        """
        ...

    async def request_cancel(self, key: JobKey, now: datetime) -> bool:
        """Ask for the end of a job; False if there is no such job. One that has ended stays as it is."""
        ...

    async def renew(self, owner: str, lease_until: datetime) -> list[HeldJob]:
        """Extend the leases of all that `owner` holds, and tell what that is."""
        ...

    async def take_lapsed(self, owner: str, now: datetime, lease_until: datetime, limit: int) -> list[HeldJob]:
        """Become the holder of jobs whose lease ended before `now`; each goes to one process alone."""
        ...

    async def take_due_webhooks(self, now: datetime, until: datetime, limit: int) -> list[JobKey]:
        """Ended jobs whose webhook is due, most overdue first; until `until` no other process gets the same."""
        ...

    async def record_delivery(self, key: JobKey, delivery: WebhookDelivery) -> None:
        """Keep how the webhook stands; its `next_attempt_at` is when it is due again."""
        ...

    async def remove_expired(self, now: datetime, limit: int) -> int:
        """Forget ended jobs whose time is over; return how many. Assessment records stay."""
        ...


class WebhookSender(Protocol):
    """Sends to an address that a tenant chose, and only to where that is permitted."""

    def check(self, url: str) -> None:
        """Raise `INVALID_REQUEST` for a URL that can be told to be forbidden without a look-up."""
        ...

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> DeliveryAttempt:
        """POST `body`; follows no redirect and raises nothing."""
        ...


class WebhookSigner(Protocol):
    """Signs as the Standard Webhooks specification says (standardwebhooks.com, symmetric signatures, `v1`)."""

    def secret(self, tenant_id: str, url: str) -> str:
        """The receiver's secret, `whsec_` + base64; the same every time."""
        ...

    def headers(self, tenant_id: str, url: str, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """`webhook-id`, `webhook-timestamp` and `webhook-signature`."""
        ...
