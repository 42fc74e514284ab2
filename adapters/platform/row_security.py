"""PostgreSQL's row-level security, for migrations to switch on."""

from __future__ import annotations

from alembic import op

from llama_mapper.adapters.platform.database import TENANT_SETTING


def isolate_tenants(table: str) -> None:
    """Let `table` show and take only rows whose `tenant_id` is the transaction's tenant, its owner's included.

    Without a tenant set, no row is visible. SQLite has no such thing: there every statement names the tenant itself.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    is_own = f"tenant_id = current_setting('{TENANT_SETTING}', true)"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_of_tenant ON {table} USING ({is_own}) WITH CHECK ({is_own})")
