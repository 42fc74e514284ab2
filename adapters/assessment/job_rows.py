"""Rows of the job tables as the contract's models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from llama_mapper.domain.contracts.jobs import (
    Job,
    JobError,
    JobItem,
    JobKind,
    JobProgress,
    JobStatus,
    JobSummary,
    WebhookDelivery,
    WebhookStatus,
)


def summary_of(row: Row[Any]) -> JobSummary:
    """A row of `jobs`."""
    return JobSummary(**_fields(row))


def with_items(row: Row[Any], items: Sequence[JobItem]) -> Job:
    """A row of `jobs`, and the job's items in their order."""
    return Job(**_fields(row), items=tuple(items))


def item_of(row: Row[Any]) -> JobItem:
    """A row of `job_items`."""
    return JobItem(
        index=row.position, ref=row.ref, assessment_id=row.assessment_id if row.done else None, error=_error(row)
    )


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "tenant_id": row.tenant_id,
        "kind": JobKind(row.kind),
        "status": JobStatus(row.status),
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "expires_at": row.expires_at,
        "cancel_requested": row.cancel_requested,
        "progress": JobProgress(done=row.done, failed=row.failed, total=row.total),
        "error": _error(row),
        "webhook": _webhook(row) if row.webhook_url else None,
    }


def _error(row: Row[Any]) -> JobError | None:
    if row.error_code is None:
        return None
    return JobError(code=row.error_code, message=row.error_message, retryable=row.error_retryable)


def _webhook(row: Row[Any]) -> WebhookDelivery:
    return WebhookDelivery(
        url=row.webhook_url,
        status=WebhookStatus(row.webhook_status),
        attempts=row.webhook_attempts,
        next_attempt_at=row.webhook_next_at,
        delivered_at=row.webhook_delivered_at,
        last_status=row.webhook_last_status,
        last_fault=row.webhook_last_fault,
    )
