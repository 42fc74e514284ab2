"""The tables of jobs."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import isolate_tenants

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "jobs",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("id", ExactText, primary_key=True),
        sa.Column("kind", ExactText, nullable=False),
        sa.Column("status", ExactText, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("error_code", ExactText),
        sa.Column("error_message", ExactText),
        sa.Column("error_retryable", sa.Boolean),
        sa.Column("webhook_url", ExactText),
        sa.Column("webhook_status", ExactText),
        sa.Column("webhook_attempts", sa.BigInteger, nullable=False),
        sa.Column("webhook_next_at", sa.BigInteger),
        sa.Column("webhook_delivered_at", sa.BigInteger),
        sa.Column("webhook_last_status", sa.BigInteger),
        sa.Column("webhook_last_fault", ExactText),
    )
    isolate_tenants("jobs")
    op.create_table(
        "job_items",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("job_id", ExactText, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ref", ExactText),
        sa.Column("assessment_id", ExactText, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("error_code", ExactText),
        sa.Column("error_message", ExactText),
        sa.Column("error_retryable", sa.Boolean),
    )
    isolate_tenants("job_items")
    op.create_table(
        "job_agenda",
        sa.Column("job_id", ExactText, primary_key=True),
        sa.Column("tenant_id", ExactText, nullable=False),
        sa.Column("owner", ExactText, nullable=False),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("webhook_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger),
    )
    op.create_index("job_agenda_owner", "job_agenda", ["owner"])
    op.create_index("job_agenda_lease", "job_agenda", ["lease_until"])
    op.create_index("job_agenda_webhook", "job_agenda", ["webhook_at"])
    op.create_index("job_agenda_expiry", "job_agenda", ["expires_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("job_agenda")
    op.drop_table("job_items")
    op.drop_table("jobs")
