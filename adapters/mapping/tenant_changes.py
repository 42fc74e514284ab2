"""The order of a tenant's changes."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from llama_mapper.adapters.mapping.tables import TENANT_CHANGES
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.kernel.tenancy import EVERYONE


async def next_position(database: Database, connection: AsyncConnection, tenant_id: str) -> int:
    """Take the tenant's next position. Until the transaction ends nobody else takes one: changes come one by one."""
    insert = sqlite.insert(TENANT_CHANGES) if database.is_sqlite else postgresql.insert(TENANT_CHANGES)
    position = TENANT_CHANGES.c.position
    taken = await connection.scalar(
        insert.values(tenant_id=tenant_id, position=1)
        .on_conflict_do_update(index_elements=[TENANT_CHANGES.c.tenant_id], set_={"position": position + 1})
        .returning(position)
    )
    return int(taken or 0)


async def newest_positions(connection: AsyncConnection, tenant_id: str) -> tuple[int, int]:
    """The positions of the tenant's and of everyone's newest changes, 0 where there is none."""
    columns = select(TENANT_CHANGES).where(TENANT_CHANGES.c.tenant_id.in_((tenant_id, EVERYONE)))
    known: dict[str, int] = {row.tenant_id: row.position for row in await connection.execute(columns)}
    return known.get(tenant_id, 0), known.get(EVERYONE, 0)
