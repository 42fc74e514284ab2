"""The mapping database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, Table, Text, UniqueConstraint

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
    Column("suggestions", Text, nullable=False, server_default="[]"),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    Column("canonical", ExactText),
    Column("decided_at", Moment),
    Column("decided_by", ExactText),
    Column("decided_role", ExactText),
    Column("position", BigInteger),
    Column("taxonomy_version", ExactText),
    UniqueConstraint("tenant_id", "vendor", "vendor_version", "label", name="review_labels_once"),
    Index("review_labels_by_last_seen", "tenant_id", "last_seen", "id"),
    Index("review_labels_by_position", "tenant_id", "position"),
)
"""One row a label that nobody could map. An unknown vendor version is empty text, so that it is unique as well.

`position` is that of the decision that holds, null while the label is open; `suggestions` is JSON.
"""

TENANT_CHANGES = Table(
    "tenant_changes",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""The position of the newest change of a tenant's catalogue. Who changes it takes the next, and the row's lock."""

REVIEW_DECISIONS = Table(
    "review_decisions",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("review_id", ExactText, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("step", ExactText, nullable=False),
    Column("canonical", ExactText),
    Column("suggested", Float),
    Column("who", ExactText, nullable=False),
    Column("role", ExactText, nullable=False),
    Column("door", ExactText, nullable=False),
    Column("keyless", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    Column("note", ExactText, nullable=False),
)
"""One row a decision; it only grows."""

CATALOGUE_DOCUMENTS = Table(
    "catalogue_documents",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("kind", ExactText, primary_key=True),
    Column("name", ExactText, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("step", ExactText, nullable=False),
    Column("digest", ExactText),
    Column("content", Text),
    Column("taxonomy_version", ExactText, nullable=False),
    Column("restores", BigInteger),
    Column("who", ExactText, nullable=False),
    Column("role", ExactText, nullable=False),
    Column("door", ExactText, nullable=False),
    Column("keyless", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    Column("note", ExactText, nullable=False),
)
"""One row a version of a tenant's vocabulary, framework edition or crosswalk; it only grows. `content` is JSON."""

CROSSWALK_DEPLOYMENTS = Table(
    "crosswalk_deployments",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("step", ExactText, nullable=False),
    Column("version", ExactText),
    Column("percent", Integer),
    Column("accuracy", Float),
    Column("who", ExactText, nullable=False),
    Column("role", ExactText, nullable=False),
    Column("door", ExactText, nullable=False),
    Column("keyless", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    Column("note", ExactText, nullable=False),
)
"""One row a change of which crosswalk answers; it only grows."""

COSTS = Table(
    "costs",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("day", BigInteger, primary_key=True),
    Column("source", ExactText, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("labels", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("nanodollars", BigInteger, nullable=False),
    Column("compute_us", BigInteger, nullable=False),
)
"""One row a tenant, day (days since 1970-01-01, UTC) and source."""

COST_BATCHES = Table(
    "cost_batches",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("batch", ExactText, primary_key=True),
    Column("day", BigInteger, nullable=False),
)
"""Batches that were added, so that none is added twice; those of past days are forgotten."""

COST_BUDGETS = Table(
    "cost_budgets",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("terms", Text, nullable=False),
    Column("set_at", Moment, nullable=False),
    Column("set_by", ExactText, nullable=False),
)

COST_ALERTS = Table(
    "cost_alerts",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("period", ExactText, primary_key=True),
    Column("period_began", BigInteger, primary_key=True),
    Column("share", Float, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("spent", Float, nullable=False),
    Column("limit_usd", Float, nullable=False),
)

MAPPING_USES = Table(
    "mapping_uses",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("day", BigInteger, primary_key=True),
    Column("strategy", ExactText, primary_key=True),
    Column("kind", ExactText, primary_key=True),
    Column("stage", ExactText, primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("labels", BigInteger, nullable=False),
)
"""How many labels were answered by which stage with which confidence (in hundredths) on a day; never which."""

COST_RECOMMENDATIONS = Table(
    "cost_recommendations",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("day", BigInteger, primary_key=True),
    Column("recommendation", Text, nullable=False),
)
"""What the optimiser recommended, one a day. JSON."""

MODEL_VERSIONS = Table(
    "model_versions",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("name", ExactText, primary_key=True),
    Column("version", ExactText, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("digest", ExactText, nullable=False),
    Column("manifest", ExactText, nullable=False),
    Column("envelope", ExactText, nullable=False),
)
"""One row a version of a model, never changed; `number` is that of the event that registered it. Others: JSON."""

MODEL_EVENTS = Table(
    "model_events",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("name", ExactText, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("step", ExactText, nullable=False),
    Column("version", ExactText, nullable=False),
    Column("stage", ExactText),
    Column("who", ExactText, nullable=False),
    Column("door", ExactText, nullable=False),
    Column("keyless", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    Column("note", ExactText, nullable=False),
    Column("deprecated_on", Moment),
)
"""One row a step in the life of a model, never changed."""

RELEASE_EVENTS = Table(
    "release_events",
    METADATA,
    Column("release_id", ExactText, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", ExactText, nullable=False),
    Column("step", ExactText, nullable=False),
    Column("settles", ExactText),
    Column("settled_after", Integer),
    Column("at", Moment, nullable=False),
    Column("who", ExactText, nullable=False),
    Column("door", ExactText, nullable=False),
    Column("keyless", Boolean, nullable=False),
    Column("holds", Boolean, nullable=False),
    Column("note", ExactText, nullable=False),
    Column("is_experiment", Boolean, nullable=False),
    Column("detail", ExactText, nullable=False),
    UniqueConstraint("kind", "settled_after", name="release_events_settle_once"),
)
"""One row a step, of no tenant, never changed; `detail` is JSON. `settles` is the version that answers for the kind
from then on, and `settled_after` counts such steps within a kind from 0, so that the newest is
known whatever clocks say."""

RELEASE_SLOTS = Table(
    "release_slots",
    METADATA,
    Column("slot", ExactText, primary_key=True),
    Column("release_id", ExactText, nullable=False),
)
"""What only one release at a time may have, and which has it."""

RELEASE_TALLIES = Table(
    "release_tallies",
    METADATA,
    Column("release_id", ExactText, primary_key=True),
    Column("arm", ExactText, primary_key=True),
    Column("writer", ExactText, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("counts", ExactText, nullable=False),
)
"""What a process has counted in all of an arm, as JSON; a later `sequence` takes an earlier one's place."""

RELEASE_POINTS = Table(
    "release_points",
    METADATA,
    Column("release_id", ExactText, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    Column("point", ExactText, nullable=False),
)
"""What was known of a release's effects at a moment, as JSON."""

RELEASE_LEASES = Table(
    "release_leases",
    METADATA,
    Column("name", ExactText, primary_key=True),
    Column("owner", ExactText, nullable=False),
    Column("until", Moment, nullable=False),
)
"""Who looks after the releases, and until when without being heard of."""

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

MONITORING_WINDOWS = Table(
    "monitoring_windows",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("width", BigInteger, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("writer", ExactText, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("counts", ExactText, nullable=False),
)
"""What a writer has counted of a window so far, as JSON; a later `sequence` takes an earlier one's place. `width` is in
seconds, `start` in seconds since 1970-01-01, UTC."""

MONITORING_REFERENCES = Table(
    "monitoring_references",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("set_at", Moment, nullable=False),
    Column("set_by", ExactText, nullable=False),
)

MONITORING_ALERTS = Table(
    "monitoring_alerts",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("day", BigInteger, primary_key=True),
    Column("kind", ExactText, primary_key=True),
    Column("subject", ExactText, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("value", Float, nullable=False),
    Column("threshold", Float, nullable=False),
)

MONITORING_MARKS = Table(
    "monitoring_marks",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("name", ExactText, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("value", ExactText, nullable=False),
    Column("is_first", Boolean, nullable=False),
)
"""What ran since when: versions, and digests of settings. It only grows; its rows are everyone's."""

SERVER_STEPS = Table(
    "model_server_steps",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("of", BigInteger, nullable=False),
    Column("server", ExactText, nullable=False),
    Column("model", ExactText, nullable=False),
    Column("action", ExactText, nullable=False),
    Column("state", ExactText, nullable=False),
    Column("code", ExactText, nullable=False),
    Column("who", ExactText, nullable=False),
    Column("door", ExactText, nullable=False),
    Column("keyless", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    Column("note", ExactText, nullable=False),
    Index("model_server_steps_server", "server", "number"),
)
"""One row a step, of no tenant, never changed: when it is begun, and with `of` pointing there when it has ended."""

MODEL_USES = Table(
    "model_uses",
    METADATA,
    Column("process", ExactText, primary_key=True),
    Column("name", ExactText, primary_key=True),
    Column("version", ExactText, primary_key=True),
    Column("seen_at", Moment, nullable=False),
)
"""Which versions of the installation's models a running process answers with, and when it last said so."""
