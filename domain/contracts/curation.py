"""What all changes to a tenant's own catalogue share: who makes them, versions, and how versions differ."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from llama_mapper.domain.contracts.base import Contract, Count, ShortText, VersionText
from llama_mapper.domain.contracts.policies import Digest, Door, PersonName

DIFFERENCES_LISTED = 2_000
VERSIONS_LISTED = 1_000

Role = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z_]+$")]
"""As what somebody decided: `admin` by an API key with that scope, `operator` by a command, `keyless` where nobody was
asked for a key."""


class Curator(Contract):
    """Who changes the tenant's catalogue."""

    name: PersonName
    door: Door
    role: Role
    keyless: bool
    """Whether the installation has no API keys, so that the name proves nothing."""


class DocumentStep(StrEnum):
    """What happened to a document."""

    UPLOADED = "uploaded"
    REMOVED = "removed"
    ROLLED_BACK = "rolled_back"


class DocumentVersion(Contract):
    """One version of a document, without its content. Versions are never changed and never deleted."""

    number: Count
    """Counts up within the document, from 1."""
    step: DocumentStep
    digest: Digest | None
    """Of the content; null where the document was removed."""
    restores: Count | None = None
    """Of a roll back: the version whose content this is again."""
    who: ShortText
    role: Role
    door: Door
    keyless: bool
    at: datetime
    note: ShortText = ""


class DocumentHistory(Contract):
    """A document's versions, newest first."""

    items: Annotated[tuple[DocumentVersion, ...], Field(max_length=VERSIONS_LISTED)]


class LinkChange(StrEnum):
    """How one entry differs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class EntryDifference(Contract):
    """One entry that differs: of a vocabulary a label's meaning, of a framework a control or a link."""

    where: ShortText
    change: LinkChange
    before: ShortText | None = None
    after: ShortText | None = None


class DocumentDifference(Contract):
    """How one version differs from another, entry by entry."""

    before: VersionText
    after: VersionText
    entries: Annotated[tuple[EntryDifference, ...], Field(max_length=DIFFERENCES_LISTED)]
    added: Count
    removed: Count
    changed: Count
    truncated: bool
    """Whether more entries differ than are listed."""
