"""The orchestration database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Identity, Index, Integer, MetaData, Table, UniqueConstraint

from llama_mapper.adapters.platform.columns import ExactText, Moment

METADATA = MetaData()

POLICY_BUNDLES = Table(
    "policy_bundles",
    METADATA,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("tenant_id", ExactText, nullable=False),
    Column("name", ExactText, nullable=False),
    Column("version", ExactText, nullable=False),
    Column("digest", ExactText, nullable=False),
    Column("description", ExactText, nullable=False),
    Column("modules", ExactText, nullable=False),
    Column("data", ExactText, nullable=False),
    UniqueConstraint("tenant_id", "name", "version", name="policy_bundles_once"),
    Index("policy_bundles_newest", "tenant_id", "name", "position"),
)
"""One row a version, never changed; `position` grows, so that versions sort by age. `modules`, `data`: JSON."""

POLICY_EVENTS = Table(
    "policy_events",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("name", ExactText, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("step", ExactText, nullable=False),
    Column("version", ExactText),
    Column("who", ExactText, nullable=False),
    Column("door", ExactText, nullable=False),
    Column("keyless", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    Column("note", ExactText, nullable=False),
    Column("waiver", ExactText),
    Column("key_name", ExactText),
    Column("content_type", ExactText),
    Column("enforcement", ExactText),
    Column("percent", Integer),
    Column("previous", Integer),
)
"""One row a step in the life of a bundle, never changed; `enforcement` is null where the step is about no scope."""

DETECTOR_RECORDS = Table(
    "detector_records",
    METADATA,
    Column("name", ExactText, primary_key=True),
    Column("vendor", ExactText, primary_key=True),
    Column("vendor_version", ExactText, primary_key=True),
    Column("categories", ExactText, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
)
"""One row a detector version, of no tenant; `categories` is a JSON array."""
