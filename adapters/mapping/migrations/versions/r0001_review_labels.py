"""The queue of labels that wait for a person."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import isolate_tenants

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "review_labels",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("id", ExactText, primary_key=True),
        sa.Column("vendor", ExactText, nullable=False),
        sa.Column("vendor_version", ExactText, nullable=False),
        sa.Column("label", ExactText, nullable=False),
        sa.Column("occurrences", sa.BigInteger, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
        sa.Column("status", ExactText, nullable=False),
        sa.UniqueConstraint("tenant_id", "vendor", "vendor_version", "label", name="review_labels_once"),
    )
    op.create_index("review_labels_by_last_seen", "review_labels", ["tenant_id", "last_seen", "id"])
    isolate_tenants("review_labels")


def downgrade() -> None:
    """Drop it."""
    op.drop_table("review_labels")
