"""Windows of counts, references, alerts, and what ran since when."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import (
    forbid_changes,
    isolate_tenants,
    permit_changes,
    share_everyones,
)

revision = "0009"
down_revision = "0008"

_TABLES = ("monitoring_windows", "monitoring_references", "monitoring_alerts", "monitoring_marks")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "monitoring_windows",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("width", sa.BigInteger, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("writer", ExactText, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("counts", ExactText, nullable=False),
    )
    op.create_table(
        "monitoring_references",
        sa.Column("tenant_id", ExactText, primary_key=True),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in ("since", "until", "set_at")],
        sa.Column("set_by", ExactText, nullable=False),
    )
    op.create_table(
        "monitoring_alerts",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("day", sa.BigInteger, primary_key=True),
        sa.Column("kind", ExactText, primary_key=True),
        sa.Column("subject", ExactText, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("threshold", sa.Float, nullable=False),
    )
    op.create_table(
        "monitoring_marks",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("name", ExactText, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("value", ExactText, nullable=False),
        sa.Column("is_first", sa.Boolean, nullable=False),
    )
    for table in _TABLES:
        isolate_tenants(table)
    share_everyones("monitoring_marks")
    forbid_changes("monitoring_marks")


def downgrade() -> None:
    """Drop them."""
    permit_changes("monitoring_marks")
    for table in reversed(_TABLES):
        op.drop_table(table)
