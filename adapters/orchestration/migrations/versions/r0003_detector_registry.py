"""Revisions of registered detectors."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import forbid_changes, permit_changes

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "detector_revisions",
        sa.Column("name", ExactText, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("change", ExactText, nullable=False),
        sa.Column("definition", ExactText, nullable=False),
        sa.Column("digest", ExactText, nullable=False),
        sa.Column("probe", ExactText, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("changed_by", ExactText, nullable=False),
    )
    forbid_changes("detector_revisions")


def downgrade() -> None:
    """Drop the table."""
    permit_changes("detector_revisions")
    op.drop_table("detector_revisions")
