"""Tenants' own documents, deployments and decided labels, in a relational database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from llama_mapper.adapters.mapping.tables import CATALOGUE_DOCUMENTS, CROSSWALK_DEPLOYMENTS, REVIEW_LABELS
from llama_mapper.adapters.mapping.tenant_changes import newest_positions, next_position
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.crosswalks import CrosswalkStep
from llama_mapper.domain.contracts.curation import VERSIONS_LISTED, Curator, DocumentStep
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.kernel.errors import ErrorCode, StoreError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.documents.ports import (
    Deployment,
    DocumentKind,
    NewDocument,
    ReviewedMeaning,
    StoredDocument,
    StoredStanding,
)
from llama_mapper.domain.mapping.labels import LabelKey

_DOCUMENT, _DEPLOYMENT, _LABEL = CATALOGUE_DOCUMENTS.c, CROSSWALK_DEPLOYMENTS.c, REVIEW_LABELS.c
_QUICKER = "somebody else has just changed it; look at what stands now"


class SqlCatalogueDocuments:
    """Keeps `CatalogueDocuments`' promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        new = sqlite.insert(CROSSWALK_DEPLOYMENTS) if database.is_sqlite else postgresql.insert(CROSSWALK_DEPLOYMENTS)
        self._deploy = new.on_conflict_do_nothing().returning(_DEPLOYMENT.number)

    async def mark(self, tenant_id: str) -> tuple[int, int]:
        """The positions of the newest changes of the tenant and of everyone, 0 where there is none."""
        async with self._database.reading(tenant_id) as connection:
            return await newest_positions(connection, tenant_id)

    async def standing(self, tenant_id: str) -> StoredStanding:
        """All that stands. The mark is read first: what is written meanwhile is read again at the next look."""
        async with self._database.reading(tenant_id) as connection:
            mark = await newest_positions(connection, tenant_id)
            decided = (_LABEL.tenant_id == tenant_id) & _LABEL.position.is_not(None) & _LABEL.canonical.is_not(None)
            labels = (await connection.execute(select(REVIEW_LABELS).where(decided).order_by(_LABEL.position))).all()
            vocabularies = await _newest(connection, tenant_id, DocumentKind.VOCABULARY)
            frameworks = await _newest(connection, tenant_id, DocumentKind.FRAMEWORK)
            settings = await _newest(connection, tenant_id, DocumentKind.SETTINGS)
            both = _DEPLOYMENT.tenant_id.in_((tenant_id, EVERYONE))
            log = (
                await connection.execute(select(CROSSWALK_DEPLOYMENTS).where(both).order_by(_DEPLOYMENT.number))
            ).all()
        return StoredStanding(
            mark=mark,
            reviewed=tuple(
                ReviewedMeaning(
                    LabelKey(row.vendor, row.vendor_version or None, row.label),
                    row.canonical,
                    row.position,
                    row.taxonomy_version,
                )
                for row in labels
            ),
            vocabularies=tuple(each for each in map(_document, vocabularies) if each.content is not None),
            frameworks=tuple(each for each in map(_document, frameworks) if each.content is not None),
            own_deployments=tuple(_deployment(row) for row in log if row.tenant_id == tenant_id),
            everyones_deployments=tuple(_deployment(row) for row in log if row.tenant_id == EVERYONE),
            settings=next((each for each in map(_document, settings) if each.content is not None), None),
        )

    async def document(
        self, owner: str, kind: DocumentKind, name: str, number: int | None = None
    ) -> StoredDocument | None:
        """A version of a document, by default the newest; None if the owner has none such."""
        chosen = select(CATALOGUE_DOCUMENTS).where(_named(owner, kind, name)).order_by(_DOCUMENT.number.desc())
        if number is not None:
            chosen = chosen.where(_DOCUMENT.number == number)
        async with self._database.reading(owner) as connection:
            row = (await connection.execute(chosen.limit(1))).first()
        return None if row is None else _document(row)

    async def add(self, owner: str, document: NewDocument) -> StoredDocument:
        """Add a version; raise `CONFLICT` if its number is not the next."""
        async with self._database.writing(owner) as connection:
            position = await next_position(self._database, connection, owner)
            highest = select(func.max(_DOCUMENT.number)).where(_named(owner, document.kind, document.name))
            if document.number != (await connection.scalar(highest) or 0) + 1:
                raise StoreError(_QUICKER, ErrorCode.CONFLICT, retryable=False)
            await connection.execute(
                insert(CATALOGUE_DOCUMENTS),
                {
                    "tenant_id": owner,
                    "kind": document.kind.value,
                    "name": document.name,
                    "number": document.number,
                    "position": position,
                    "step": document.step.value,
                    "digest": document.digest,
                    # The order of its keys has a meaning: a vendor's versions stand newest first.
                    "content": None if document.content is None else json.dumps(document.content),
                    "taxonomy_version": document.taxonomy_version,
                    "restores": document.restores,
                    **curator_columns(document.curator),
                    "at": document.at,
                    "note": document.note,
                },
            )
        return StoredDocument(
            name=document.name,
            number=document.number,
            position=position,
            step=document.step,
            digest=document.digest,
            content=document.content,
            taxonomy_version=document.taxonomy_version,
            restores=document.restores,
            curator=document.curator,
            at=document.at,
            note=document.note,
        )

    async def newest(self, owner: str, kind: DocumentKind) -> Sequence[StoredDocument]:
        """The newest version of each document of the kind, removed ones included, by name."""
        async with self._database.reading(owner) as connection:
            return [_document(row) for row in await _newest(connection, owner, kind)]

    async def versions(self, owner: str, kind: DocumentKind, name: str) -> Sequence[StoredDocument]:
        """The versions of a document, newest first, at most 1,000, without content."""
        columns = [column for column in CATALOGUE_DOCUMENTS.c if column.name != "content"]
        chosen = select(*columns).where(_named(owner, kind, name)).order_by(_DOCUMENT.number.desc())
        async with self._database.reading(owner) as connection:
            rows = (await connection.execute(chosen.limit(VERSIONS_LISTED))).all()
        return [_document(row) for row in rows]

    async def deployments(self, owner: str) -> Sequence[Deployment]:
        """The owner's log, by number."""
        own = select(CROSSWALK_DEPLOYMENTS).where(_DEPLOYMENT.tenant_id == owner).order_by(_DEPLOYMENT.number)
        async with self._database.reading(owner) as connection:
            return [_deployment(row) for row in await connection.execute(own)]

    async def deploy(self, owner: str, deployment: Deployment) -> bool:
        """Add to the log; False if there is one of this number already."""
        async with self._database.writing(owner) as connection:
            position = await next_position(self._database, connection, owner)
            added = await connection.execute(
                self._deploy,
                {
                    "tenant_id": owner,
                    "number": deployment.number,
                    "position": position,
                    "step": deployment.step.value,
                    "version": deployment.version,
                    "percent": deployment.percent,
                    "accuracy": deployment.accuracy,
                    **curator_columns(deployment.curator),
                    "at": deployment.at,
                    "note": deployment.note,
                },
            )
            is_added = added.first() is not None
            if not is_added:
                await connection.rollback()  # the position is taken by nobody
        return is_added


def curator_columns(curator: Curator) -> dict[str, object]:
    """Who made a change, as columns."""
    return {"who": curator.name, "role": curator.role, "door": curator.door.value, "keyless": curator.keyless}


def curator_of(row: Row[Any]) -> Curator:
    """Who made the change of this row."""
    return Curator(name=row.who, role=row.role, door=Door(row.door), keyless=row.keyless)


def _named(owner: str, kind: DocumentKind, name: str) -> ColumnElement[bool]:
    return (_DOCUMENT.tenant_id == owner) & (_DOCUMENT.kind == kind.value) & (_DOCUMENT.name == name)


async def _newest(connection: AsyncConnection, owner: str, kind: DocumentKind) -> Sequence[Row[Any]]:
    of_kind = (_DOCUMENT.tenant_id == owner) & (_DOCUMENT.kind == kind.value)
    numbers = select(_DOCUMENT.name, func.max(_DOCUMENT.number)).where(of_kind).group_by(_DOCUMENT.name)
    newest = tuple_(_DOCUMENT.name, _DOCUMENT.number).in_(numbers)
    chosen = select(CATALOGUE_DOCUMENTS).where(of_kind & newest).order_by(_DOCUMENT.name)
    return (await connection.execute(chosen)).all()


def _document(row: Row[Any]) -> StoredDocument:
    content = getattr(row, "content", None)
    return StoredDocument(
        name=row.name,
        number=row.number,
        position=row.position,
        step=DocumentStep(row.step),
        digest=row.digest,
        content=None if content is None else json.loads(content),
        taxonomy_version=row.taxonomy_version,
        restores=row.restores,
        curator=curator_of(row),
        at=row.at,
        note=row.note,
    )


def _deployment(row: Row[Any]) -> Deployment:
    return Deployment(
        number=row.number,
        step=CrosswalkStep(row.step),
        version=row.version,
        percent=row.percent,
        accuracy=row.accuracy,
        curator=curator_of(row),
        at=row.at,
        note=row.note,
    )
