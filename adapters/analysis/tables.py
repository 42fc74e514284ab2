"""The analysis database."""

from __future__ import annotations

from sqlalchemy import Column, Index, MetaData, Table

from llama_mapper.adapters.platform.columns import ExactText, Moment

METADATA = MetaData()

FINDING_HISTORY = Table(
    "finding_history",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("request_id", ExactText, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("counts", ExactText, nullable=False),
    Index("finding_history_by_time", "tenant_id", "at"),
)
"""One row an assessment. `counts` is a JSON object, category → findings, in one spelling: equal counts, equal text."""
