"""The table of assessments."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import isolate_tenants

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "assessments",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("id", ExactText, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("action", ExactText, nullable=False),
        sa.Column("risk_level", ExactText, nullable=False),
        sa.Column("coverage", sa.Double, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    isolate_tenants("assessments")


def downgrade() -> None:
    """Drop it."""
    op.drop_table("assessments")
