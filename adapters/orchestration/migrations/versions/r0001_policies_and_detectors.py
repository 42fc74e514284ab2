"""Policy bundles and detector records."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import isolate_tenants

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "policy_bundles",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(), primary_key=True),
        sa.Column("tenant_id", ExactText, nullable=False),
        sa.Column("name", ExactText, nullable=False),
        sa.Column("version", ExactText, nullable=False),
        sa.Column("digest", ExactText, nullable=False),
        sa.Column("description", ExactText, nullable=False),
        sa.Column("modules", ExactText, nullable=False),
        sa.Column("data", ExactText, nullable=False),
        sa.UniqueConstraint("tenant_id", "name", "version", name="policy_bundles_once"),
    )
    op.create_index("policy_bundles_newest", "policy_bundles", ["tenant_id", "name", "position"])
    isolate_tenants("policy_bundles")
    op.create_table(
        "detector_records",
        sa.Column("name", ExactText, primary_key=True),
        sa.Column("vendor", ExactText, primary_key=True),
        sa.Column("vendor_version", ExactText, primary_key=True),
        sa.Column("categories", ExactText, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("detector_records")
    op.drop_table("policy_bundles")
