"""PostgreSQL's row-level security, for migrations to switch on."""

from __future__ import annotations

from alembic import op

from llama_mapper.adapters.platform.database import TENANT_SETTING
from llama_mapper.domain.kernel.tenancy import EVERYONE


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


def share_everyones(table: str) -> None:
    """Let every tenant see the rows that `EVERYONE` owns besides its own; only who acts for `EVERYONE` adds them."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE POLICY {table}_of_everyone ON {table} FOR SELECT USING (tenant_id = '{EVERYONE}')")


def forbid_changes(table: str) -> None:
    """Let `table` only grow: the database itself refuses to change or delete a row of it."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" RAISE EXCEPTION '{table} only grows' USING ERRCODE = 'data_exception'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION {table}_only_grows()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
        )


def permit_changes(table: str) -> None:
    """Undo `forbid_changes`; dropping a table needs it on PostgreSQL alone."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER {table}_only_grows ON {table}")
        op.execute(f"DROP FUNCTION {table}_only_grows()")
        return
    for verb in ("update", "delete"):
        op.execute(f"DROP TRIGGER {table}_refuses_{verb}")
