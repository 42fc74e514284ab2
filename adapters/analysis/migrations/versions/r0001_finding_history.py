"""The history of findings."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import isolate_tenants

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "finding_history",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("request_id", ExactText, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("counts", ExactText, nullable=False),
    )
    op.create_index("finding_history_by_time", "finding_history", ["tenant_id", "at"])
    isolate_tenants("finding_history")


def downgrade() -> None:
    """Drop it."""
    op.drop_table("finding_history")
