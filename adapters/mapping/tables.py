"""The mapping database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, Table, UniqueConstraint

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
