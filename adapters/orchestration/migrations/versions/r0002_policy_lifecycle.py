"""The events of policy bundles; what is stored already goes on being in force."""

import time

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

_STEPS = ("drafted", "validated", "approved", "activated")


def upgrade() -> None:
    """Create the table, and give every stored version its events."""
    events = op.create_table(
        "policy_events",
        sa.Column("tenant_id", ExactText, primary_key=True),
        sa.Column("name", ExactText, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", ExactText, nullable=False),
        sa.Column("version", ExactText),
        sa.Column("who", ExactText, nullable=False),
        sa.Column("door", ExactText, nullable=False),
        sa.Column("keyless", sa.Boolean, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("note", ExactText, nullable=False),
        sa.Column("waiver", ExactText),
        sa.Column("key_name", ExactText),
        sa.Column("content_type", ExactText),
        sa.Column("enforcement", ExactText),
        sa.Column("percent", sa.Integer),
        sa.Column("previous", sa.Integer),
    )
    stored = _stored()
    if stored:
        op.bulk_insert(events, stored)
    isolate_tenants("policy_events")
    for table in ("policy_bundles", "policy_events"):
        share_everyones(table)
        forbid_changes(table)


def downgrade() -> None:
    """Drop it; the newest version of each bundle is then in force."""
    for table in ("policy_events", "policy_bundles"):
        permit_changes(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP POLICY policy_bundles_of_everyone ON policy_bundles")
    op.drop_table("policy_events")


def _stored() -> list[dict[str, object]]:
    """Until now the version stored last was in force: each was activated as it was stored."""
    bundles = sa.table("policy_bundles", *map(sa.column, ("tenant_id", "name", "version", "position")))
    is_postgres = op.get_bind().dialect.name == "postgresql"
    if is_postgres:  # no tenant is set here, and without one not even the owner sees a row
        op.execute("ALTER TABLE policy_bundles NO FORCE ROW LEVEL SECURITY")
    rows = op.get_bind().execute(sa.select(bundles).order_by(bundles.c.position)).all()
    if is_postgres:
        op.execute("ALTER TABLE policy_bundles FORCE ROW LEVEL SECURITY")
    now = time.time_ns() // 1000
    numbers: dict[tuple[str, str], int] = {}
    events = []
    for row in rows:
        number = numbers.get((row.tenant_id, row.name), 0)
        for offset, step in enumerate(_STEPS, 1):
            is_activation = step == "activated"
            events.append(
                {
                    "tenant_id": row.tenant_id,
                    "name": row.name,
                    "number": number + offset,
                    "step": step,
                    "version": row.version,
                    "who": "unknown",
                    "door": "migration",
                    "keyless": False,
                    "at": now,
                    "note": "stored before versions were approved",
                    "waiver": None,
                    "key_name": None,
                    "content_type": None,
                    "enforcement": "enforce" if is_activation else None,
                    "percent": 100 if is_activation else None,
                    "previous": number if is_activation and number else None,
                }
            )
        numbers[row.tenant_id, row.name] = number + len(_STEPS)
    return events
