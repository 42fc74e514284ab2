"""What a tenant's own catalogue needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from llama_mapper.domain.contracts.crosswalks import CrosswalkStep
from llama_mapper.domain.contracts.curation import Curator, DocumentStep
from llama_mapper.domain.mapping.labels import LabelKey


class DocumentKind(StrEnum):
    """What a document is; its name is a vendor, `framework:edition`, a crosswalk's version, or `mapping`."""

    VOCABULARY = "vocabulary"
    FRAMEWORK = "framework"
    CROSSWALK = "crosswalk"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class ReviewedMeaning:
    """A label that a person decided on; `position` tells which of two changes is the later one."""

    key: LabelKey
    canonical: str
    position: int
    taxonomy_version: str


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A version of a document; `content` is None where it was removed. `position` orders all of a tenant's changes."""

    name: str
    number: int
    position: int
    step: DocumentStep
    digest: str | None
    content: Mapping[str, Any] | None
    taxonomy_version: str
    restores: int | None
    curator: Curator
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A version to add, as number `number`, which is one more than there are."""

    kind: DocumentKind
    name: str
    number: int
    step: DocumentStep
    digest: str | None
    content: Mapping[str, Any] | None
    taxonomy_version: str
    restores: int | None
    curator: Curator
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """One change of which crosswalk answers. `version` is None of a roll back to the shipped one."""

    number: int
    step: CrosswalkStep
    version: str | None
    percent: int | None
    accuracy: float | None
    curator: Curator
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class StoredStanding:
    """All that stands for a tenant, as of one moment. Logs and documents by owner: the tenant's own, everyone's."""

    mark: tuple[int, int]
    reviewed: tuple[ReviewedMeaning, ...]
    vocabularies: tuple[StoredDocument, ...]
    frameworks: tuple[StoredDocument, ...]
    own_deployments: tuple[Deployment, ...]
    everyones_deployments: tuple[Deployment, ...]
    settings: StoredDocument | None = None


class CatalogueStandings(Protocol):
    """What stands, to be read for every tenant again and again."""

    async def mark(self, tenant_id: str) -> tuple[int, int]:
        """The positions of the newest changes of the tenant and of everyone, 0 where there is none.

        Nothing has changed while they stay the same.
        """
        ...

    async def standing(self, tenant_id: str) -> StoredStanding:
        """All that stands, by one transaction. Documents that were removed are left out."""
        ...

    async def document(
        self, owner: str, kind: DocumentKind, name: str, number: int | None = None
    ) -> StoredDocument | None:
        """A version of a document, by default the newest; None if the owner has none such."""
        ...


class CatalogueDocuments(CatalogueStandings, Protocol):
    """Where tenants' documents and deployments are kept. Nothing in it is ever changed or deleted."""

    async def add(self, owner: str, document: NewDocument) -> StoredDocument:
        """Add a version; raise `CONFLICT` if its number is not the next: somebody else was quicker."""
        ...

    async def newest(self, owner: str, kind: DocumentKind) -> Sequence[StoredDocument]:
        """The newest version of each document of the kind, removed ones included, by name."""
        ...

    async def versions(self, owner: str, kind: DocumentKind, name: str) -> Sequence[StoredDocument]:
        """The versions of a document, newest first, at most 1,000, without content."""
        ...

    async def deployments(self, owner: str) -> Sequence[Deployment]:
        """The owner's log, by number."""
        ...

    async def deploy(self, owner: str, deployment: Deployment) -> bool:
        """Add to the log; False if there is one of this number already: somebody else was quicker."""
        ...
