"""The pure decisions about jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from llama_mapper.domain.assessment.jobs.model import (
    DeliveryAttempt,
    JobLimits,
    WebhookLimits,
    final_status,
    item_requests,
    next_attempt,
)
from llama_mapper.domain.assessment.jobs.webhooks import delivery_after, event_body, event_id
from llama_mapper.domain.contracts.jobs import (
    BatchRequest,
    JobEvent,
    JobKind,
    JobProgress,
    JobStatus,
    JobSummary,
    WebhookDelivery,
    WebhookStatus,
    WebhookTarget,
)
from llama_mapper.domain.contracts.orchestration import ProcessingMode

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
COUNTS = st.integers(0, 10_000)


@given(done=COUNTS, failed=COUNTS, unrun=COUNTS, incomplete=st.sampled_from(list(JobStatus)))
def test_a_job_succeeds_only_if_every_item_has_a_record(
    done: int, failed: int, unrun: int, incomplete: JobStatus
) -> None:
    status = final_status(done, failed, done + failed + unrun, incomplete)
    if unrun:
        assert status is incomplete
    else:
        assert status is (JobStatus.FAILED if failed else JobStatus.SUCCEEDED)


@given(failures=st.integers(1, 200), jitter=st.floats(0, 1), late_s=st.floats(0, 10_000))
def test_a_webhook_is_tried_within_its_bounds_or_given_up(failures: int, jitter: float, late_s: float) -> None:
    limits = WebhookLimits()
    now = NOON + timedelta(seconds=late_s)
    again = next_attempt(limits, failures, NOON, now, jitter)
    if failures >= limits.attempts:
        assert again is None
    elif again is not None:
        assert now <= again <= now + timedelta(seconds=limits.cap_s)
        assert again <= NOON + timedelta(seconds=limits.total_s)


def test_the_longest_wait_doubles_with_each_failure_up_to_the_cap() -> None:
    limits = WebhookLimits(attempts=100, base_s=2.0, cap_s=10.0)
    waits = [next_attempt(limits, failures, NOON, NOON, 1.0) for failures in range(1, 6)]
    assert [(at - NOON).total_seconds() for at in waits if at] == [2.0, 4.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("attempt", "status", "fault"),
    [
        (DeliveryAttempt(status=200), WebhookStatus.DELIVERED, None),
        (DeliveryAttempt(status=204), WebhookStatus.DELIVERED, None),
        (DeliveryAttempt(status=302), WebhookStatus.PENDING, "STATUS"),
        (DeliveryAttempt(status=404), WebhookStatus.PENDING, "STATUS"),
        (DeliveryAttempt(status=500), WebhookStatus.PENDING, "STATUS"),
        (DeliveryAttempt(status=410), WebhookStatus.GIVEN_UP, "STATUS"),
        (DeliveryAttempt(fault="UNREACHABLE"), WebhookStatus.PENDING, "UNREACHABLE"),
        (DeliveryAttempt(fault="TIMEOUT"), WebhookStatus.PENDING, "TIMEOUT"),
        (DeliveryAttempt(fault="ADDRESS_REFUSED"), WebhookStatus.GIVEN_UP, "ADDRESS_REFUSED"),
    ],
)
def test_what_follows_from_an_attempt(attempt: DeliveryAttempt, status: WebhookStatus, fault: str | None) -> None:
    before = WebhookDelivery(url="https://example.com/", attempts=1)
    after = delivery_after(before, attempt, WebhookLimits(), NOON, NOON, 0.5)
    assert (after.status, after.attempts, after.last_fault) == (status, 2, fault)
    assert after.last_status == attempt.status
    assert (after.next_attempt_at is not None) is (status is WebhookStatus.PENDING)
    assert (after.delivered_at is not None) is (status is WebhookStatus.DELIVERED)


def test_an_item_beats_the_batchs_defaults_and_the_batch_gives_the_tenant() -> None:
    batch = BatchRequest.model_validate(
        {
            "tenant_id": "acme",
            "defaults": {"frameworks": ["soc2"], "processing_mode": "low"},
            "items": [
                {"content": "one"},
                {"content": "two", "ref": "r-2", "frameworks": [], "processing_mode": "normal"},
            ],
        },
        strict=False,
    )
    (first_ref, first), (second_ref, second) = item_requests(batch)
    assert (first_ref, second_ref) == (None, "r-2")
    assert (first.content, first.frameworks, first.processing_mode) == ("one", ("soc2",), ProcessingMode.LOW)
    assert (second.content, second.frameworks, second.processing_mode) == ("two", (), ProcessingMode.NORMAL)
    assert (first.tenant_id, second.tenant_id, first.policy_bundle) == ("acme", "acme", "default")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com/a b",
        "https://",
        "javascript:alert(1)",
        "https://example.com\\@127.0.0.1/",
    ],
)
def test_a_url_that_is_no_plain_web_address_is_no_webhook(url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookTarget(url=url)


def test_a_batch_is_never_empty() -> None:
    with pytest.raises(ValidationError):
        BatchRequest.model_validate({"items": []}, strict=False)


@pytest.mark.parametrize(
    "wrong", [{"concurrency": 0}, {"lease_s": 0.0}, {"batch_items": 11, "queue_items": 10}, {"grace_s": -1.0}]
)
def test_limits_that_could_not_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"are|must"):
        JobLimits(**wrong)


def test_an_event_is_the_job_without_items_and_without_its_webhook() -> None:
    job = JobSummary(
        id="job_01abc",
        tenant_id="acme",
        kind=JobKind.BATCH,
        status=JobStatus.FAILED,
        created_at=NOON,
        ended_at=NOON,
        progress=JobProgress(done=1, failed=1, total=2),
        webhook=WebhookDelivery(url="https://example.com/token"),
    )
    body = event_body(job, NOON)
    event = JobEvent.model_validate_json(body)
    assert (event.type, event.timestamp, event.data.id) == ("job.failed", NOON, "job_01abc")
    assert b"webhook" not in body
    assert b"items" not in body
    assert event_id(job.id) == "evt_01abc"
