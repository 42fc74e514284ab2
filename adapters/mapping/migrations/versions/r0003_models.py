"""The registry of models."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import (
    forbid_changes,
    isolate_tenants,
    permit_changes,
    share_everyones,
)

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "model_versions",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("name", ExactText, primary_key=True),
        sa.Column("version", ExactText, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", ExactText, nullable=False),
        sa.Column("manifest", ExactText, nullable=False),
        sa.Column("envelope", ExactText, nullable=False),
    )
    op.create_table(
        "model_events",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("name", ExactText, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", ExactText, nullable=False),
        sa.Column("version", ExactText, nullable=False),
        sa.Column("stage", ExactText),
        sa.Column("who", ExactText, nullable=False),
        sa.Column("door", ExactText, nullable=False),
        sa.Column("keyless", sa.Boolean, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("note", ExactText, nullable=False),
        sa.Column("deprecated_on", sa.BigInteger),
    )
    for table in ("model_versions", "model_events"):
        isolate_tenants(table)
        share_everyones(table)
        forbid_changes(table)


def downgrade() -> None:
    """Drop it."""
    for table in ("model_events", "model_versions"):
        permit_changes(table)
        op.drop_table(table)
