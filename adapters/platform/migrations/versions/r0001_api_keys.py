"""The table of API keys."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "api_keys",
        sa.Column("key_id", ExactText, primary_key=True),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("name", ExactText, nullable=False),
        sa.Column("tenant_id", ExactText, nullable=False),
        sa.Column("scopes", ExactText, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("api_keys")
