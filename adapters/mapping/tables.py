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
