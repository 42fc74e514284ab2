"""Training jobs."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import isolate_tenants

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "training_jobs",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("id", ExactText, primary_key=True),
        sa.Column("status", ExactText, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("request", ExactText, nullable=False),
        sa.Column("progress", ExactText, nullable=False),
        sa.Column("data_digest", ExactText),
        sa.Column("metrics", ExactText, nullable=False),
        sa.Column("model", ExactText),
        sa.Column("error", ExactText),
    )
    isolate_tenants("training_jobs")
    op.create_table(
        "training_agenda",
        sa.Column("job_id", ExactText, primary_key=True),
        sa.Column("tenant_id", ExactText, nullable=False),
        sa.Column("owner", ExactText),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
    )
    op.create_index("training_agenda_owner", "training_agenda", ["owner"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("training_agenda")
    op.drop_table("training_jobs")
