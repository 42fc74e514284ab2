"""Policy bundles in a relational database."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Row, func, select
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.orchestration.tables import POLICY_BUNDLES
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.database_errors import conflict
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.ports import PolicyBundle


class SqlPolicyBundles:
    """Keeps `PolicyBundles`' promise on SQLite and PostgreSQL. The newest version is the one that was added last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert(POLICY_BUNDLES) if database.is_sqlite else postgresql.insert(POLICY_BUNDLES)
        self._insert = insert.on_conflict_do_nothing().returning(POLICY_BUNDLES.c.position)

    async def get(self, tenant_id: str, name: str) -> PolicyBundle | None:
        """The newest version of the tenant's bundle `name`, or None."""
        own = (POLICY_BUNDLES.c.tenant_id == tenant_id) & (POLICY_BUNDLES.c.name == name)
        newest = select(POLICY_BUNDLES).where(own).order_by(POLICY_BUNDLES.c.position.desc()).limit(1)
        async with self._database.reading(tenant_id) as connection:
            row = (await connection.execute(newest)).first()
        return None if row is None else _bundle(row)

    async def put(self, tenant_id: str, bundle: PolicyBundle) -> None:
        """Add a version; raise `CONFLICT` if the tenant has this name and version with another digest.

        The same version with the same digest again changes nothing; it does not become the newest. Raises
        `POLICY_INVALID` if the data is not JSON.
        """
        row = {
            "tenant_id": tenant_id,
            "name": bundle.name,
            "version": bundle.version,
            "digest": bundle.digest,
            "description": bundle.description,
            "modules": _json(bundle.modules),
            "data": _json(bundle.data),
        }
        same_version = (
            (POLICY_BUNDLES.c.tenant_id == tenant_id)
            & (POLICY_BUNDLES.c.name == bundle.name)
            & (POLICY_BUNDLES.c.version == bundle.version)
        )
        async with self._database.writing(tenant_id) as connection:
            if (await connection.execute(self._insert, row)).first() is not None:
                return
            if await connection.scalar(select(POLICY_BUNDLES.c.digest).where(same_version)) != bundle.digest:
                raise conflict("this version of the policy bundle, with other content,")

    async def list(self, tenant_id: str) -> Sequence[PolicyBundle]:
        """The newest version of each of the tenant's bundles, by name."""
        own = POLICY_BUNDLES.c.tenant_id == tenant_id
        newest = select(func.max(POLICY_BUNDLES.c.position)).where(own).group_by(POLICY_BUNDLES.c.name)
        bundles = select(POLICY_BUNDLES).where(own & POLICY_BUNDLES.c.position.in_(newest))
        async with self._database.reading(tenant_id) as connection:
            rows = await connection.execute(bundles.order_by(POLICY_BUNDLES.c.name))
            return [_bundle(row) for row in rows]


def _json(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise PolicyEnforcementError("a policy bundle's data must be JSON") from None


def _bundle(row: Row[tuple[object, ...]]) -> PolicyBundle:
    return PolicyBundle(
        name=row.name,
        version=row.version,
        digest=row.digest,
        description=row.description,
        modules=json.loads(row.modules),
        data=json.loads(row.data),
    )
