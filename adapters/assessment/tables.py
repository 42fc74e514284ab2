"""The assessment database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, LargeBinary, MetaData, Table

from llama_mapper.adapters.platform.columns import ExactText, Moment

METADATA = MetaData()

ASSESSMENTS = Table(
    "assessments",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("id", ExactText, primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("action", ExactText, nullable=False),
    Column("risk_level", ExactText, nullable=False),
    Column("coverage", Double, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""One row a record; the primary key is also the order in which a tenant's records are listed."""

JOBS = Table(
    "jobs",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("id", ExactText, primary_key=True),
    Column("kind", ExactText, nullable=False),
    Column("status", ExactText, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("expires_at", Moment),
    Column("cancel_requested", Boolean, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("error_code", ExactText),
    Column("error_message", ExactText),
    Column("error_retryable", Boolean),
    Column("webhook_url", ExactText),
    Column("webhook_status", ExactText),
    Column("webhook_attempts", BigInteger, nullable=False),
    Column("webhook_next_at", Moment),
    Column("webhook_delivered_at", Moment),
    Column("webhook_last_status", BigInteger),
    Column("webhook_last_fault", ExactText),
)
"""One row a job; the primary key is also the order in which a tenant's jobs are listed."""

JOB_ITEMS = Table(
    "job_items",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("job_id", ExactText, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("ref", ExactText),
    Column("assessment_id", ExactText, nullable=False),
    Column("done", Boolean, nullable=False),
    Column("error_code", ExactText),
    Column("error_message", ExactText),
    Column("error_retryable", Boolean),
)
"""One row an item; `assessment_id` is given beforehand, and is that of a record only where `done` holds."""

JOB_AGENDA = Table(
    "job_agenda",
    METADATA,
    Column("job_id", ExactText, primary_key=True),
    Column("tenant_id", ExactText, nullable=False),
    Column("owner", ExactText, nullable=False),
    Column("lease_until", Moment),
    Column("cancel_requested", Boolean, nullable=False),
    Column("webhook_at", Moment),
    Column("expires_at", Moment),
    Index("job_agenda_owner", "owner"),
    Index("job_agenda_lease", "lease_until"),
    Index("job_agenda_webhook", "webhook_at"),
    Index("job_agenda_expiry", "expires_at"),
)
"""What servers are to do, for whichever tenant, and when: ids and times only. It is read to learn the tenant, so that
row-level security cannot apply. `lease_until` is null when the job has ended, `webhook_at` unless one is due."""
