"""The assessment database."""

from __future__ import annotations

from sqlalchemy import Column, Double, LargeBinary, MetaData, Table

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
