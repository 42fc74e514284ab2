"""The mapping database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, MetaData, Table, Text, UniqueConstraint

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
