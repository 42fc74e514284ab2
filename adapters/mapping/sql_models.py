"""Models' versions and logs in a relational database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.mapping.tables import MODEL_EVENTS, MODEL_VERSIONS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.models import ModelDoor, ModelManifest, ModelStage, ModelStep
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.models.events import Event, StoredModel, StoredVersion

_VERSION, _EVENT = MODEL_VERSIONS.c, MODEL_EVENTS.c


class SqlModels:
    """Keeps `ModelRecords`' promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        new = sqlite.insert(MODEL_EVENTS) if database.is_sqlite else postgresql.insert(MODEL_EVENTS)
        self._insert = new.on_conflict_do_nothing().returning(_EVENT.number)

    async def mark(self, tenant_id: str) -> int:
        """How many events the tenant's models and everyone's have."""
        count = select(func.count()).select_from(MODEL_EVENTS).where(_EVENT.tenant_id.in_((tenant_id, EVERYONE)))
        async with self._database.reading(tenant_id) as connection:
            return int(await connection.scalar(count) or 0)

    async def model(self, owner: str, name: str) -> StoredModel:
        """All that is kept of one name."""
        found = await self._read(
            owner,
            (_EVENT.tenant_id == owner) & (_EVENT.name == name),
            (_VERSION.tenant_id == owner) & (_VERSION.name == name),
        )
        return found[0] if found else StoredModel(owner, name, (), ())

    async def models(self, owner: str) -> Sequence[StoredModel]:
        """The same for every name of an owner, by name."""
        return await self._read(owner, _EVENT.tenant_id == owner, _VERSION.tenant_id == owner)

    async def append(self, owner: str, name: str, event: Event, content: StoredVersion | None = None) -> bool:
        """Add an event and, for a registration, the version, in one transaction; False if the number is taken."""
        async with self._database.writing(owner) as connection:
            if (await connection.execute(self._insert, _row(owner, name, event))).first() is None:
                return False
            if content is not None:
                await connection.execute(
                    insert(MODEL_VERSIONS),
                    {
                        "tenant_id": owner,
                        "name": name,
                        "version": content.manifest.version,
                        "number": event.number,
                        "digest": content.digest,
                        "manifest": content.manifest.model_dump_json(),
                        "envelope": content.envelope.decode("ascii"),
                    },
                )
        return True

    async def _read(self, owner: str, events: ColumnElement[bool], versions: ColumnElement[bool]) -> list[StoredModel]:
        # Events first: a version whose registration is in the log is then there too, and one that came between the two
        # statements is left out below.
        async with self._database.reading(owner) as connection:
            logs: dict[str, list[Event]] = {}
            ordered = select(MODEL_EVENTS).where(events).order_by(_EVENT.name, _EVENT.number)
            for row in await connection.execute(ordered):
                logs.setdefault(row.name, []).append(_event(row))
            contents: dict[str, list[StoredVersion]] = {}
            rows = await connection.execute(
                select(MODEL_VERSIONS).where(versions).order_by(_VERSION.name, _VERSION.number)
            )
            for row in rows:
                known = row.number <= len(logs.get(row.name, ()))
                if known and (version := _version(row)) is not None:
                    contents.setdefault(row.name, []).append(version)
        return [StoredModel(owner, name, tuple(log), tuple(contents.get(name, ()))) for name, log in logs.items()]


def _row(owner: str, name: str, event: Event) -> dict[str, Any]:
    return {
        "tenant_id": owner,
        "name": name,
        "number": event.number,
        "step": event.step.value,
        "version": event.version,
        "stage": event.stage,
        "who": event.who,
        "door": event.door.value,
        "keyless": event.keyless,
        "at": event.at,
        "note": event.note,
        "deprecated_on": event.deprecated_on,
    }


def _event(row: Row[Any]) -> Event:
    return Event(
        number=row.number,
        step=ModelStep(row.step),
        version=row.version,
        stage=None if row.stage is None else ModelStage(row.stage),
        who=row.who,
        door=ModelDoor(row.door),
        keyless=row.keyless,
        at=row.at,
        note=row.note,
        deprecated_on=row.deprecated_on,
    )


def _version(row: Row[Any]) -> StoredVersion | None:
    """The version, or None if another version of this software wrote it in a way unknown here."""
    try:
        manifest = ModelManifest.model_validate_json(row.manifest)
    except ValueError:
        return None
    return StoredVersion(manifest, row.digest, row.envelope.encode("ascii"))
