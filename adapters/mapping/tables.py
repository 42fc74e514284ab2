"""The mapping database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, UniqueConstraint

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
