"""Releases and experiments: their steps, what was counted of them, who looks after them."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import forbid_changes, permit_changes

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "release_events",
        sa.Column("release_id", ExactText, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", ExactText, nullable=False),
        sa.Column("step", ExactText, nullable=False),
        sa.Column("settles", ExactText),
        sa.Column("settled_after", sa.Integer),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("who", ExactText, nullable=False),
        sa.Column("door", ExactText, nullable=False),
        sa.Column("keyless", sa.Boolean, nullable=False),
        sa.Column("holds", sa.Boolean, nullable=False),
        sa.Column("note", ExactText, nullable=False),
        sa.Column("is_experiment", sa.Boolean, nullable=False),
        sa.Column("detail", ExactText, nullable=False),
        sa.UniqueConstraint("kind", "settled_after", name="release_events_settle_once"),
    )
    forbid_changes("release_events")
    op.create_table(
        "release_slots",
        sa.Column("slot", ExactText, primary_key=True),
        sa.Column("release_id", ExactText, nullable=False),
    )
    op.create_table(
        "release_tallies",
        sa.Column("release_id", ExactText, primary_key=True),
        sa.Column("arm", ExactText, primary_key=True),
        sa.Column("writer", ExactText, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("counts", ExactText, nullable=False),
    )
    op.create_table(
        "release_points",
        sa.Column("release_id", ExactText, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("point", ExactText, nullable=False),
    )
    op.create_table(
        "release_leases",
        sa.Column("name", ExactText, primary_key=True),
        sa.Column("owner", ExactText, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("release_leases", "release_points", "release_tallies", "release_slots"):
        op.drop_table(table)
    permit_changes("release_events")
    op.drop_table("release_events")
