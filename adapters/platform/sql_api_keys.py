"""API key records in a relational database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Row, insert, select, update

from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.tables import API_KEYS
from llama_mapper.domain.kernel.credentials import ApiKeyRecord
from llama_mapper.domain.kernel.tenancy import Scope


class SqlApiKeys:
    """Keeps `ApiKeys`' promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: ApiKeyRecord) -> None:
        """Keep a record; raise `CONFLICT` if the key id is taken."""
        row = {
            "key_id": record.key_id,
            "secret_hash": record.secret_hash,
            "name": record.name,
            "tenant_id": record.tenant_id,
            "scopes": " ".join(sorted(record.scopes)),
            "created_at": record.created_at,
            "expires_at": record.expires_at,
            "revoked_at": record.revoked_at,
        }
        async with self._database.writing() as connection:
            await connection.execute(insert(API_KEYS), row)

    async def get(self, key_id: str) -> ApiKeyRecord | None:
        """The record with this id, revoked and expired ones included."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(API_KEYS).where(API_KEYS.c.key_id == key_id))).first()
        return None if row is None else _record(row)

    async def list(self) -> list[ApiKeyRecord]:
        """Every record, oldest first."""
        ordered = select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id)
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(ordered)]

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Mark a key revoked (once: the first moment stays); False if there is none."""
        own = API_KEYS.c.key_id == key_id
        async with self._database.writing() as connection:
            marked = update(API_KEYS).where(own, API_KEYS.c.revoked_at.is_(None)).values(revoked_at=at)
            if (await connection.execute(marked)).rowcount:
                return True
            return await connection.scalar(select(API_KEYS.c.key_id).where(own)) is not None


def _record(row: Row[tuple[object, ...]]) -> ApiKeyRecord:
    return ApiKeyRecord(
        key_id=row.key_id,
        secret_hash=row.secret_hash,
        name=row.name,
        tenant_id=row.tenant_id,
        scopes=frozenset(Scope(scope) for scope in row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
