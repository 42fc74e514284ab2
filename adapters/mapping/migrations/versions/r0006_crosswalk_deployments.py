"""Which crosswalk version answers which share of the traffic."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import (
    forbid_changes,
    isolate_tenants,
    permit_changes,
    share_everyones,
)

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "crosswalk_deployments",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("step", ExactText, nullable=False),
        sa.Column("version", ExactText),
        sa.Column("percent", sa.Integer),
        sa.Column("accuracy", sa.Float),
        sa.Column("who", ExactText, nullable=False),
        sa.Column("role", ExactText, nullable=False),
        sa.Column("door", ExactText, nullable=False),
        sa.Column("keyless", sa.Boolean, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("note", ExactText, nullable=False),
    )
    isolate_tenants("crosswalk_deployments")
    share_everyones("crosswalk_deployments")
    forbid_changes("crosswalk_deployments")


def downgrade() -> None:
    """Drop it."""
    permit_changes("crosswalk_deployments")
    op.drop_table("crosswalk_deployments")
