"""What every object store does alike: keys and digests are checked here, in one place."""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from pathlib import Path

from llama_mapper.adapters.platform.objects.local_files import disk_errors, draft_name, sync_folder, write_draft
from llama_mapper.adapters.platform.objects.pieces import pieces
from llama_mapper.domain.kernel.errors import NotFoundError, StoreError
from llama_mapper.domain.kernel.objects import (
    ObjectSource,
    StoredObject,
    corrupted,
    key_taken,
    require_key,
    require_sha256,
)


class KeyTakenMeanwhile(Exception):
    """Somebody else finished an object under this key first."""


@dataclass(frozen=True, slots=True)
class OpenObject:
    """An object that is being read."""

    stored: StoredObject
    chunks: AsyncIterator[bytes]


class CheckedObjects(ABC):
    """The part of `ObjectStore` that is alike for all; `part_size` is how many bytes are held at once."""

    def __init__(self, part_size: int) -> None:
        self._part_size = part_size

    async def put(self, key: str, source: ObjectSource, sha256: str, *, replace: bool = False) -> StoredObject:
        """See `ObjectStore.put`."""
        require_key(key)
        require_sha256(sha256)
        if not replace and (known := await self.head(key)) is not None:
            return _same(known, sha256)
        async with aclosing(pieces(f"the object {key}", source, sha256, self._part_size)) as parts:
            try:
                return await self._write(key, parts, sha256, replace=replace)
            except KeyTakenMeanwhile:
                known = await self.head(key)
        if known is None:
            raise StoreError(f"the object {key} was written and removed by somebody else meanwhile")
        return _same(known, sha256)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """See `ObjectStore.read`."""
        async with self._open(require_key(key)) as found:
            async for chunk in _verified(found):
                yield chunk

    async def fetch(self, key: str, path: Path) -> StoredObject:
        """See `ObjectStore.fetch`."""
        draft = path.with_name("." + draft_name(path.name))
        async with self._open(require_key(key)) as found:
            await write_draft(draft, _verified(found))
            with disk_errors(path.parent):
                draft.replace(path)
                await asyncio.to_thread(sync_folder, path.parent)
            return found.stored

    @abstractmethod
    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""

    @abstractmethod
    async def _write(self, key: str, parts: AsyncIterator[bytes], sha256: str, *, replace: bool) -> StoredObject:
        """Store all of `parts`, and nothing before they have ended; raise `KeyTakenMeanwhile`."""

    @abstractmethod
    def _open(self, key: str) -> AbstractAsyncContextManager[OpenObject]:
        """The object, to be read; raise `NOT_FOUND`."""


def missing(key: str) -> NotFoundError:
    """The error for a key that has no object."""
    return NotFoundError(f"there is no object {key}")


async def chained(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Both, then the rest."""
    yield first
    yield second
    async for each in rest:
        yield each


async def _verified(found: OpenObject) -> AsyncIterator[bytes]:
    digest = hashlib.sha256()
    async for chunk in found.chunks:
        await asyncio.to_thread(digest.update, chunk)
        yield chunk
    if digest.hexdigest() != found.stored.sha256:
        raise corrupted(f"the object {found.stored.key}")


def _same(known: StoredObject, sha256: str) -> StoredObject:
    if known.sha256 != sha256:
        raise key_taken(known.key)
    return known
