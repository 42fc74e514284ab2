"""Costs, budgets and alerts."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import isolate_tenants

revision = "0007"
down_revision = "0006"

_TABLES = ("costs", "cost_batches", "cost_budgets", "cost_alerts")


def upgrade() -> None:
    """Create them."""
    amounts = ("calls", "labels", "prompt_tokens", "completion_tokens", "nanodollars", "compute_us")
    op.create_table(
        "costs",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("day", sa.BigInteger, primary_key=True),
        sa.Column("source", ExactText, primary_key=True),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in amounts],
    )
    op.create_table(
        "cost_batches",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("batch", ExactText, primary_key=True),
        sa.Column("day", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "cost_budgets",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("set_at", sa.BigInteger, nullable=False),
        sa.Column("set_by", ExactText, nullable=False),
    )
    op.create_table(
        "cost_alerts",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("period", ExactText, primary_key=True),
        sa.Column("period_began", sa.BigInteger, primary_key=True),
        sa.Column("share", sa.Float, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.Float, nullable=False),
        sa.Column("limit_usd", sa.Float, nullable=False),
    )
    for table in _TABLES:
        isolate_tenants(table)


def downgrade() -> None:
    """Drop them."""
    for table in reversed(_TABLES):
        op.drop_table(table)
