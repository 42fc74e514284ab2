"""Policy bundles and their logs in a relational database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.orchestration.tables import POLICY_BUNDLES, POLICY_EVENTS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.orchestration import ContentType
from llama_mapper.domain.contracts.policies import Door, Enforcement, PolicyStep, Waiver
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.orchestration.lifecycle.events import Event, Log, Slot
from llama_mapper.domain.orchestration.lifecycle.ports import Activations, StoredVersion
from llama_mapper.domain.orchestration.ports import PolicyBundle

_BUNDLE, _EVENT = POLICY_BUNDLES.c, POLICY_EVENTS.c


class SqlPolicyRecords:
    """Keeps `PolicyRecords`' promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        new = sqlite.insert(POLICY_EVENTS) if database.is_sqlite else postgresql.insert(POLICY_EVENTS)
        self._insert = new.on_conflict_do_nothing().returning(POLICY_EVENTS.c.number)

    async def mark(self, tenant_id: str, bundle: str) -> tuple[int, int]:
        """The numbers of the newest events of the tenant's bundle and of everyone's, 0 where there is none."""
        newest = (
            select(_EVENT.tenant_id, func.max(_EVENT.number))
            .where(_of_both(tenant_id, bundle))
            .group_by(_EVENT.tenant_id)
        )
        async with self._database.reading(tenant_id) as connection:
            numbers: dict[str, int] = {row[0]: row[1] for row in await connection.execute(newest)}
        return numbers.get(tenant_id, 0), numbers.get(EVERYONE, 0)

    async def activations(self, tenant_id: str, bundle: str) -> Activations:
        """Both logs' activation events, by one statement and so as of one moment."""
        about_slots = _of_both(tenant_id, bundle) & _EVENT.enforcement.is_not(None)
        async with self._database.reading(tenant_id) as connection:
            rows = (await connection.execute(select(POLICY_EVENTS).where(about_slots).order_by(_EVENT.number))).all()
        return Activations(
            own=tuple(_event(row) for row in rows if row.tenant_id == tenant_id),
            everyone=tuple(_event(row) for row in rows if row.tenant_id == EVERYONE),
        )

    async def get(self, owner: str, bundle: str, version: str) -> PolicyBundle | None:
        """The content of a version of the owner's bundle, or None."""
        this = (_BUNDLE.tenant_id == owner) & (_BUNDLE.name == bundle) & (_BUNDLE.version == version)
        async with self._database.reading(owner) as connection:
            row = (await connection.execute(select(POLICY_BUNDLES).where(this))).first()
        return None if row is None else _bundle(row)

    async def names(self, owner: str) -> Sequence[str]:
        """Every bundle of the owner, sorted."""
        names = select(_EVENT.name).where(_EVENT.tenant_id == owner).distinct().order_by(_EVENT.name)
        async with self._database.reading(owner) as connection:
            return (await connection.scalars(names)).all()

    async def log(self, owner: str, bundle: str) -> Log:
        """Every event of the owner's bundle, by number."""
        of_bundle = (_EVENT.tenant_id == owner) & (_EVENT.name == bundle)
        async with self._database.reading(owner) as connection:
            rows = await connection.execute(select(POLICY_EVENTS).where(of_bundle).order_by(_EVENT.number))
            return tuple([_event(row) for row in rows])

    async def append(self, owner: str, bundle: str, event: Event, content: PolicyBundle | None = None) -> bool:
        """Add an event and, for a draft, the version's content, in one transaction; False if the number is taken."""
        row = _row(owner, bundle, event)
        stored = None if content is None else _content(owner, content)
        async with self._database.writing(owner) as connection:
            if (await connection.execute(self._insert, row)).first() is None:
                return False
            if stored is not None:
                await connection.execute(insert(POLICY_BUNDLES), stored)
        return True

    async def versions(self, owner: str, bundle: str) -> Sequence[StoredVersion]:
        """Every version of the owner's bundle, oldest first."""
        of_bundle = (_BUNDLE.tenant_id == owner) & (_BUNDLE.name == bundle)
        columns = select(_BUNDLE.version, _BUNDLE.digest, _BUNDLE.description).where(of_bundle)
        async with self._database.reading(owner) as connection:
            rows = await connection.execute(columns.order_by(_BUNDLE.position))
            return [StoredVersion(row.version, row.digest, row.description) for row in rows]


def _of_both(tenant_id: str, bundle: str) -> ColumnElement[bool]:
    return _EVENT.tenant_id.in_((tenant_id, EVERYONE)) & (_EVENT.name == bundle)


def _row(owner: str, bundle: str, event: Event) -> dict[str, Any]:
    slot = event.slot
    return {
        "tenant_id": owner,
        "name": bundle,
        "number": event.number,
        "step": event.step.value,
        "version": event.version,
        "who": event.who,
        "door": event.door.value,
        "keyless": event.keyless,
        "at": event.at,
        "note": event.note,
        "waiver": event.waiver,
        "key_name": slot.key if slot else None,
        "content_type": slot.content_type if slot else None,
        "enforcement": slot.enforcement if slot else None,
        "percent": event.percent,
        "previous": event.previous,
    }


def _event(row: Row[Any]) -> Event:
    slot = None
    if row.enforcement is not None:
        kind = None if row.content_type is None else ContentType(row.content_type)
        slot = Slot(row.key_name, kind, Enforcement(row.enforcement))
    return Event(
        number=row.number,
        step=PolicyStep(row.step),
        version=row.version,
        who=row.who,
        door=Door(row.door),
        keyless=row.keyless,
        at=row.at,
        note=row.note,
        waiver=None if row.waiver is None else Waiver(row.waiver),
        slot=slot,
        percent=row.percent,
        previous=row.previous,
    )


def _content(owner: str, bundle: PolicyBundle) -> dict[str, str]:
    return {
        "tenant_id": owner,
        "name": bundle.name,
        "version": bundle.version,
        "digest": bundle.digest,
        "description": bundle.description,
        "modules": _json(bundle.modules),
        "data": _json(bundle.data),
    }


def _json(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise PolicyEnforcementError("a policy bundle's data must be JSON") from None


def _bundle(row: Row[Any]) -> PolicyBundle:
    return PolicyBundle(
        name=row.name,
        version=row.version,
        digest=row.digest,
        description=row.description,
        modules=json.loads(row.modules),
        data=json.loads(row.data),
    )
