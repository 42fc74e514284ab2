"""Versions of a tenant's documents of one kind: added, taken away, brought back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from llama_mapper.domain.contracts.curation import (
    DIFFERENCES_LISTED,
    Curator,
    DocumentDifference,
    DocumentHistory,
    DocumentStep,
    DocumentVersion,
    EntryDifference,
    LinkChange,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import DocumentError, ErrorCode, NotFoundError, StoreError
from llama_mapper.domain.mapping.documents.ports import CatalogueDocuments, DocumentKind, NewDocument, StoredDocument

Content = Mapping[str, Any]
Check = Callable[[Content | None], Awaitable[None]]
"""Raises `DOCUMENT_INVALID` if the tenant's documents would not hold together with this content, or without any."""

Problems = list[tuple[str, str]]
"""(where, what) of everything that is wrong."""

_PROBLEMS_TOLD = 1_000
_DOCUMENTS = 256


class DocumentBook:
    """Keeps versions. Two persons at once get the same answers as one after the other: the second is refused."""

    def __init__(
        self, documents: CatalogueDocuments, kind: DocumentKind, taxonomy_version: str, clock: Clock, what: str
    ) -> None:
        """`what` is what a document is called in messages."""
        self.documents = documents
        self._kind = kind
        self._taxonomy_version = taxonomy_version
        self._clock = clock
        self._what = what

    async def put(
        self, owner: str, name: str, content: Content, curator: Curator, expected: int | None, note: str, check: Check
    ) -> StoredDocument:
        """Add a version, unless it is what stands already."""
        known = await self._newest(owner, name, expected)
        digest = digest_of(content)
        if known is not None and known.digest == digest:
            return known
        await check(content)
        if known is None and len(await self.standing(owner)) >= _DOCUMENTS:
            raise invalid([(name, f"would be one more than the {_DOCUMENTS} that a tenant may have")])
        return await self._add(owner, name, known, DocumentStep.UPLOADED, digest, content, None, curator, note)

    async def remove(
        self, owner: str, name: str, curator: Curator, expected: int | None, check: Check
    ) -> StoredDocument:
        """Add a version without content."""
        known = await self._newest(owner, name, expected)
        if known is None or known.content is None:
            raise self._missing()
        await check(None)
        return await self._add(owner, name, known, DocumentStep.REMOVED, None, None, None, curator, "")

    async def rollback(
        self, owner: str, name: str, to: int, curator: Curator, expected: int | None, check: Check
    ) -> StoredDocument:
        """Add a version with the content, or the absence of one, that an earlier one has."""
        known = await self._newest(owner, name, expected)
        earlier = await self.documents.document(owner, self._kind, name, to)
        if known is None or earlier is None:
            raise self._missing()
        if earlier.digest == known.digest:
            raise conflict(f"the content of version {to} stands already")
        await check(earlier.content)
        step = DocumentStep.ROLLED_BACK
        return await self._add(owner, name, known, step, earlier.digest, earlier.content, to, curator, "")

    async def get(self, owner: str, name: str, number: int | None = None) -> StoredDocument:
        """A version, by default the newest; raise `NOT_FOUND` if there is none such."""
        found = await self.documents.document(owner, self._kind, name, number)
        if found is None:
            raise self._missing()
        return found

    async def standing(self, owner: str) -> Sequence[StoredDocument]:
        """The newest version of every document that was not removed, by name."""
        return [each for each in await self.documents.newest(owner, self._kind) if each.content is not None]

    async def history(self, owner: str, name: str) -> DocumentHistory:
        """Its versions, newest first."""
        versions = await self.documents.versions(owner, self._kind, name)
        if not versions:
            raise self._missing()
        return DocumentHistory(items=tuple(version_of(each) for each in versions))

    async def entries(
        self, owner: str, name: str, number: int, read: Callable[[Content], Mapping[str, str]]
    ) -> Mapping[str, str]:
        """What `read` makes of a version; nothing of version 0 and of a removed one."""
        if number == 0:
            return {}
        content = (await self.get(owner, name, number)).content
        return {} if content is None else read(content)

    async def _newest(self, owner: str, name: str, expected: int | None) -> StoredDocument | None:
        known = await self.documents.document(owner, self._kind, name)
        number = 0 if known is None else known.number
        if expected is not None and expected != number:
            raise conflict(f"the {self._what} is at version {number}, not at {expected}")
        return known

    async def _add(
        self,
        owner: str,
        name: str,
        known: StoredDocument | None,
        step: DocumentStep,
        digest: str | None,
        content: Content | None,
        restores: int | None,
        curator: Curator,
        note: str,
    ) -> StoredDocument:
        number = 1 if known is None else known.number + 1
        return await self.documents.add(
            owner,
            NewDocument(
                kind=self._kind,
                name=name,
                number=number,
                step=step,
                digest=digest,
                content=content,
                taxonomy_version=self._taxonomy_version,
                restores=restores,
                curator=curator,
                at=self._clock(),
                note=note,
            ),
        )

    def _missing(self) -> NotFoundError:
        return NotFoundError(f"there is no such {self._what}")


def digest_of(content: Content) -> str:
    """`sha256:` of the content as JSON, the order of its keys included: that of a vendor's versions has a meaning."""
    return f"sha256:{hashlib.sha256(json.dumps(content, separators=(',', ':')).encode()).hexdigest()}"


def version_of(stored: StoredDocument) -> DocumentVersion:
    """A version as it is told."""
    return DocumentVersion(
        number=stored.number,
        step=stored.step,
        digest=stored.digest,
        restores=stored.restores,
        who=stored.curator.name,
        role=stored.curator.role,
        door=stored.curator.door,
        keyless=stored.curator.keyless,
        at=stored.at,
        note=stored.note,
    )


def differences(
    before_name: str, before: Mapping[str, str], after_name: str, after: Mapping[str, str]
) -> DocumentDifference:
    """How two readings of entries differ, in the order of the entries' names."""
    entries = []
    for where in sorted({*before, *after}):
        old, new = before.get(where), after.get(where)
        if old != new:
            change = LinkChange.ADDED if old is None else LinkChange.REMOVED if new is None else LinkChange.CHANGED
            entries.append(EntryDifference(where=where[:512], change=change, before=_short(old), after=_short(new)))
    count = {change: sum(entry.change is change for entry in entries) for change in LinkChange}
    return DocumentDifference(
        before=before_name,
        after=after_name,
        entries=tuple(entries[:DIFFERENCES_LISTED]),
        added=count[LinkChange.ADDED],
        removed=count[LinkChange.REMOVED],
        changed=count[LinkChange.CHANGED],
        truncated=len(entries) > DIFFERENCES_LISTED,
    )


def invalid(problems: Sequence[tuple[str, str]]) -> DocumentError:
    """The error that names every problem, the first few in its message too."""
    shown = "; ".join(f"{where}: {what}" for where, what in problems[:5])
    error = DocumentError(f"the document has {len(problems)} problem{'s' * (len(problems) != 1)}: {shown}")
    error.problems = tuple(problems[:_PROBLEMS_TOLD])
    return error


def conflict(message: str) -> StoreError:
    """The error for who comes second."""
    return StoreError(message, ErrorCode.CONFLICT, retryable=False)


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= 512 else text[:511] + "…"
