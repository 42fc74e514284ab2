"""Decisions on labels, and tenants' own documents."""

import sqlalchemy as sa
from alembic import op

from llama_mapper.adapters.platform.columns import ExactText
from llama_mapper.adapters.platform.row_security import (
    forbid_changes,
    isolate_tenants,
    permit_changes,
    share_everyones,
)

revision = "0002"
down_revision = "0001"

_CURATOR = (
    ("who", ExactText),
    ("role", ExactText),
    ("door", ExactText),
    ("keyless", sa.Boolean),
    ("at", sa.BigInteger),
    ("note", ExactText),
)
_DECISION = ("suggestions", "revision", "canonical", "decided_at", "decided_by", "decided_role", "position")


def upgrade() -> None:
    """Add the columns of decisions, and create the tables."""
    for column in (
        sa.Column("suggestions", sa.Text, nullable=False, server_default="[]"),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("canonical", ExactText),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("decided_by", ExactText),
        sa.Column("decided_role", ExactText),
        sa.Column("position", sa.BigInteger),
        sa.Column("taxonomy_version", ExactText),
    ):
        op.add_column("review_labels", column)
    op.create_index("review_labels_by_position", "review_labels", ["tenant_id", "position"])
    op.create_table(
        "tenant_changes",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "review_decisions",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("review_id", ExactText, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("step", ExactText, nullable=False),
        sa.Column("canonical", ExactText),
        sa.Column("suggested", sa.Float),
        *(sa.Column(name, kind, nullable=False) for name, kind in _CURATOR),
    )
    op.create_table(
        "catalogue_documents",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("kind", ExactText, primary_key=True),
        sa.Column("name", ExactText, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("step", ExactText, nullable=False),
        sa.Column("digest", ExactText),
        sa.Column("content", sa.Text),
        sa.Column("taxonomy_version", ExactText, nullable=False),
        sa.Column("restores", sa.BigInteger),
        *(sa.Column(name, kind, nullable=False) for name, kind in _CURATOR),
    )
    for table in ("tenant_changes", "review_decisions", "catalogue_documents"):
        isolate_tenants(table)
    for table in ("tenant_changes", "catalogue_documents"):
        share_everyones(table)
    for table in ("review_decisions", "catalogue_documents"):
        forbid_changes(table)


def downgrade() -> None:
    """Drop all of it: what was decided and uploaded is lost."""
    for table in ("review_decisions", "catalogue_documents"):
        permit_changes(table)
    for table in ("catalogue_documents", "review_decisions", "tenant_changes"):
        op.drop_table(table)
    op.drop_index("review_labels_by_position", "review_labels")
    for name in (*_DECISION, "taxonomy_version"):
        op.drop_column("review_labels", name)
