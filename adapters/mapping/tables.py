"""The mapping database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, Table, UniqueConstraint

from llama_mapper.adapters.platform.columns import ExactText, Moment

METADATA = MetaData()

REVIEW_LABELS = Table(
    "review_labels",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("id", ExactText, primary_key=True),
    Column("vendor", ExactText, nullable=False),
    Column("vendor_version", ExactText, nullable=False),
    Column("label", ExactText, nullable=False),
    Column("occurrences", BigInteger, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("status", ExactText, nullable=False),
    UniqueConstraint("tenant_id", "vendor", "vendor_version", "label", name="review_labels_once"),
    Index("review_labels_by_last_seen", "tenant_id", "last_seen", "id"),
)
"""One row a label that nobody could map. An unknown vendor version is empty text, so that it is unique as well."""

TRAINING_JOBS = Table(
    "training_jobs",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("id", ExactText, primary_key=True),
    Column("status", ExactText, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("request", ExactText, nullable=False),
    Column("progress", ExactText, nullable=False),
    Column("data_digest", ExactText),
    Column("metrics", ExactText, nullable=False),
    Column("model", ExactText),
    Column("error", ExactText),
)
"""One row a training job; the primary key is also the order in which a tenant's jobs are listed. `request`, `progress`,
`metrics` and `error` are JSON."""

TRAINING_AGENDA = Table(
    "training_agenda",
    METADATA,
    Column("job_id", ExactText, primary_key=True),
    Column("tenant_id", ExactText, nullable=False),
    Column("owner", ExactText),
    Column("lease_until", Moment),
    Column("cancel_requested", Boolean, nullable=False),
    Index("training_agenda_owner", "owner"),
)
"""Training jobs that have not ended: ids and times only. It is read to learn the tenant, so that row-level security
cannot apply. Owner and lease are null where nobody holds the job."""
