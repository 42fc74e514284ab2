"""How labels were answered, as counts, and what the optimiser recommended."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import isolate_tenants

revision = "0008"
down_revision = "0007"

_TABLES = ("mapping_uses", "cost_recommendations")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "mapping_uses",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("day", sa.BigInteger, primary_key=True),
        sa.Column("strategy", ExactText, primary_key=True),
        sa.Column("kind", ExactText, primary_key=True),
        sa.Column("stage", ExactText, primary_key=True),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("labels", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "cost_recommendations",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("day", sa.BigInteger, primary_key=True),
        sa.Column("recommendation", sa.Text, nullable=False),
    )
    for table in _TABLES:
        isolate_tenants(table)


def downgrade() -> None:
    """Drop them."""
    for table in reversed(_TABLES):
        op.drop_table(table)
