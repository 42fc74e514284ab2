"""The platform database."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, MetaData, Table

from llama_mapper.adapters.platform.columns import ExactText, Moment

METADATA = MetaData()

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", ExactText, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("name", ExactText, nullable=False),
    Column("tenant_id", ExactText, nullable=False),
    Column("scopes", ExactText, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
)
"""One row a key. It is read to learn the tenant, so row-level security cannot apply; `scopes` are space-separated."""
