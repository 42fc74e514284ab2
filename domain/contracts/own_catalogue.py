"""The contract of a tenant's own vocabularies and frameworks."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import (
    CanonicalId,
    Contract,
    ControlId,
    Count,
    Identifier,
    Label,
)
from llama_mapper.domain.contracts.curation import Curator, DocumentDifference, DocumentHistory, DocumentVersion

VendorName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
EditionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,30}$")]
FrameworkName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
OwnVersion = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Sentence = Annotated[str, Field(min_length=1, max_length=512)]
_Labels = Annotated[tuple[Label, ...], Field(max_length=1024)]
_Meanings = Annotated[dict[CanonicalId, _Labels], Field(max_length=256)]


class VocabularyVersion(Contract):
    """The labels of one version of a vendor: canonical id → labels."""

    labels: _Meanings = Field(default_factory=dict)
    families: _Meanings = Field(default_factory=dict)
    """Labels, and whatever follows them after one more dot."""
    also: Annotated[dict[Label, Annotated[tuple[CanonicalId, ...], Field(max_length=16)]], Field(max_length=1024)] = (
        Field(default_factory=dict)
    )
    """Label → further canonical ids that it covers."""
    aliases: Annotated[tuple[VendorName, ...], Field(max_length=16)] = ()
    """Vendor names that mean exactly this version."""
    same_as: (
        Annotated[str, Field(max_length=128, pattern=r"^[a-z][a-z0-9_]{0,47}:[A-Za-z0-9][A-Za-z0-9_.-]*$")] | None
    ) = None
    """Start from another list, `vendor:version`."""
    without: _Labels = ()
    """Labels of that list to leave out."""


class VocabularyUpload(Contract):
    """A vendor's vocabulary in the shape of the shipped ones, newest version first."""

    source: Sentence
    basis: Annotated[str, Field(pattern=r"^(defined|run|file|docs|knowledge)$")]
    """How the list is known; it sets the confidence."""
    versions: Annotated[dict[OwnVersion, VocabularyVersion], Field(min_length=1, max_length=64)]
    note: Sentence | None = None


class OwnVocabulary(Contract):
    """A vocabulary of the tenant, as it stands."""

    vendor: Identifier
    version: DocumentVersion
    document: VocabularyUpload | None
    """Null where it was removed."""
    labels: Count
    overrides: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """`version/label: id instead of id` for each label of which the shipped catalogue says otherwise."""


class OwnVocabularyList(Contract):
    """The tenant's vocabularies, by vendor."""

    items: Annotated[tuple[OwnVocabulary, ...], Field(max_length=256)]


class UploadedControl(Contract):
    """A control: what it is called, what an auditor would ask to see, and when it binds beyond its framework."""

    title: Sentence
    evidence: Sentence
    condition: Sentence | None = None


class UploadedLinks(Contract):
    """Which controls findings with a canonical label are evidence relevant to, and why."""

    rationale: Sentence
    controls: Annotated[tuple[ControlId, ...], Field(min_length=1, max_length=256)]


class FrameworkUpload(Contract):
    """One edition of a framework of the tenant's own: its controls, and the canonical labels that touch them."""

    title: Sentence
    kind: Annotated[str, Field(pattern=r"^(control|risk|technique)$")] = "control"
    applies_when: Sentence
    basis: Sentence = "Uploaded by the tenant."
    default: bool = False
    """Whether the framework's name alone means this edition; the first edition does until another says so."""
    controls: Annotated[dict[ControlId, UploadedControl], Field(min_length=1, max_length=512)]
    crosswalk: Annotated[dict[CanonicalId, UploadedLinks], Field(max_length=512)] = Field(default_factory=dict)
    """A subcategory's entry replaces the entry of its category."""


class OwnFramework(Contract):
    """An edition of the tenant's, as it stands."""

    framework: Identifier
    edition: Identifier
    version: DocumentVersion
    document: FrameworkUpload | None
    """Null where it was removed."""


class OwnFrameworkList(Contract):
    """The tenant's editions, by name."""

    items: Annotated[tuple[OwnFramework, ...], Field(max_length=256)]


class VocabularyDeskApi(Protocol):
    """A tenant's own vocabularies. They stand over the shipped ones, in every process within two seconds.

    Raises `DOCUMENT_INVALID` naming every problem, `CONFLICT` if the version is not `expected`, where that is given,
    `NOT_FOUND` for what the tenant does not have.
    """

    async def put(
        self,
        tenant_id: str,
        vendor: str,
        upload: VocabularyUpload,
        curator: Curator,
        *,
        expected: int | None,
        note: str,
    ) -> OwnVocabulary:
        """Make this the vendor's vocabulary; with the content that stands already nothing changes."""
        ...

    async def remove(self, tenant_id: str, vendor: str, curator: Curator, *, expected: int | None) -> OwnVocabulary:
        """Take the vocabulary away; its versions stay, to be rolled back to."""
        ...

    async def rollback(
        self, tenant_id: str, vendor: str, to: int, curator: Curator, *, expected: int | None
    ) -> OwnVocabulary:
        """Make the content of an earlier version stand again, as a new version."""
        ...

    async def get(self, tenant_id: str, vendor: str, number: int | None = None) -> OwnVocabulary:
        """The vocabulary as it stands, or one of its versions."""
        ...

    async def list(self, tenant_id: str) -> OwnVocabularyList:
        """Every vocabulary that stands."""
        ...

    async def history(self, tenant_id: str, vendor: str) -> DocumentHistory:
        """Its versions."""
        ...

    async def difference(self, tenant_id: str, vendor: str, before: int, after: int) -> DocumentDifference:
        """How two versions differ; a removed one, and version 0, are empty."""
        ...


class FrameworkDeskApi(Protocol):
    """A tenant's own frameworks, for its requests alone; errors as of `VocabularyDeskApi`.

    A name that the shipped catalogue uses is `DOCUMENT_INVALID`. Records that named an edition keep what they say.
    """

    async def put(
        self,
        tenant_id: str,
        framework: str,
        edition: str,
        upload: FrameworkUpload,
        curator: Curator,
        *,
        expected: int | None,
        note: str,
    ) -> OwnFramework:
        """Make this the edition; with the content that stands already nothing changes."""
        ...

    async def remove(
        self, tenant_id: str, framework: str, edition: str, curator: Curator, *, expected: int | None
    ) -> OwnFramework:
        """Let no further request name the edition; its versions stay."""
        ...

    async def rollback(
        self, tenant_id: str, framework: str, edition: str, to: int, curator: Curator, *, expected: int | None
    ) -> OwnFramework:
        """Make the content of an earlier version stand again, as a new version."""
        ...

    async def get(self, tenant_id: str, framework: str, edition: str, number: int | None = None) -> OwnFramework:
        """The edition as it stands, or one of its versions."""
        ...

    async def list(self, tenant_id: str) -> OwnFrameworkList:
        """Every edition that stands."""
        ...

    async def history(self, tenant_id: str, framework: str, edition: str) -> DocumentHistory:
        """Its versions."""
        ...

    async def difference(
        self, tenant_id: str, framework: str, edition: str, before: int, after: int
    ) -> DocumentDifference:
        """How two versions differ; a removed one, and version 0, are empty."""
        ...
