"""What was done to models on their servers, which models are used, and vectors where PostgreSQL has pgvector."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.mapping.pgvector_table import drop_vector_table, make_vector_table
from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import forbid_changes, permit_changes

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create them; without pgvector the vectors' table waits for the next `llama-mapper db migrate` that finds it."""
    op.create_table(
        "model_server_steps",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("of", sa.BigInteger, nullable=False),
        sa.Column("server", ExactText, nullable=False),
        sa.Column("model", ExactText, nullable=False),
        sa.Column("action", ExactText, nullable=False),
        sa.Column("state", ExactText, nullable=False),
        sa.Column("code", ExactText, nullable=False),
        sa.Column("who", ExactText, nullable=False),
        sa.Column("door", ExactText, nullable=False),
        sa.Column("keyless", sa.Boolean, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("note", ExactText, nullable=False),
    )
    op.create_index("model_server_steps_server", "model_server_steps", ["server", "number"])
    forbid_changes("model_server_steps")
    op.create_table(
        "model_uses",
        sa.Column("process", ExactText, primary_key=True),
        sa.Column("name", ExactText, primary_key=True),
        sa.Column("version", ExactText, primary_key=True),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        make_vector_table(op.get_bind())


def downgrade() -> None:
    """Drop them; the extension stays, for it may be used by others."""
    if op.get_bind().dialect.name == "postgresql":
        drop_vector_table(op.get_bind())
    op.drop_table("model_uses")
    permit_changes("model_server_steps")
    op.drop_table("model_server_steps")
