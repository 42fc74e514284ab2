"""Objects: bytes under a key, of any size, kept outside the databases."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from llama_mapper.domain.kernel.errors import ArtifactError, ErrorCode, StoreError, ValidationError

KEY_LIMIT = 768
"""Characters of a key: all that every store takes, with room for a prefix of the installation's own."""

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@-]{0,127}(?:/[A-Za-z0-9_][A-Za-z0-9_.+=@-]{0,127}){0,15}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

ObjectSource = Path | AsyncIterable[bytes]
"""What to store: a file, or pieces of bytes as they come."""


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """An object as a listing shows it; `size` is in bytes."""

    key: str
    size: int
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class StoredObject(ObjectEntry):
    """An object with the digest that it was stored under: SHA-256 of all its bytes, 64 hexadecimal digits."""

    sha256: str


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """What is left of an upload that never came to its end, or goes on now."""

    key: str
    begun_at: datetime


class ObjectStore(Protocol):
    """Bytes under keys. An object is there as a whole or not at all, whatever happens to who writes it.

    A key is up to 16 segments of `A-Z a-z 0-9 _ . + = @ -`, joined by `/`, none of which begins with a dot or a sign.
    Every method raises `INVALID_REQUEST` for another key, and `STORE_UNAVAILABLE` if the store does not answer, is full
    or refuses the credentials (then not retryable). Memory is bounded, however large an object is.
    """

    async def put(self, key: str, source: ObjectSource, sha256: str, *, replace: bool = False) -> StoredObject:
        """Store what `source` gives; raise `ARTIFACT_CORRUPTED`, and store nothing, if its SHA-256 is another.

        An object that is there already is left as it is: the same bytes are success, others `CONFLICT`, unless
        `replace`. After an upload that was cut off, the same call again stores the object once.
        """
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes in pieces; raise `NOT_FOUND`, and `ARTIFACT_CORRUPTED` after the last piece if the digest
        is another than it was stored under. Whoever uses pieces before the end uses what is not verified.
        """
        ...

    async def fetch(self, key: str, path: Path) -> StoredObject:
        """Write the object to the file `path`, which appears verified and whole or not at all; errors as of `read`."""
        ...

    async def head(self, key: str) -> StoredObject | None:
        """What is known of an object without reading it, or None if there is none."""
        ...

    def entries(self, prefix: str = "") -> AsyncIterator[ObjectEntry]:
        """Every object whose key begins with the text `prefix`, in no particular order."""
        ...

    async def delete(self, key: str) -> bool:
        """Remove an object; whether there was one."""
        ...

    def unfinished(self) -> AsyncIterator[UnfinishedUpload]:
        """Uploads that did not come to their end. They are no objects, and they take up room."""
        ...

    async def discard_unfinished(self, before: datetime) -> int:
        """Remove what is left of uploads that began before this moment; return how many there were."""
        ...

    async def ping(self) -> None:
        """Return if the store answers and takes the credentials."""
        ...

    async def close(self) -> None:
        """Free connections and threads. A second call does nothing."""
        ...


def require_key(key: str) -> str:
    """The key; raise `INVALID_REQUEST` unless it is one."""
    if len(key) > KEY_LIMIT or not _KEY.fullmatch(key):
        raise ValidationError(
            f"an object's key is at most {KEY_LIMIT} characters: 1 to 16 segments of letters, digits and _.+=@-, each "
            "beginning with a letter, a digit or _"
        )
    return key


def require_sha256(digest: str) -> str:
    """The digest; raise `INVALID_REQUEST` unless it is 64 lower-case hexadecimal digits."""
    if not _SHA256.fullmatch(digest):
        raise ValidationError("a SHA-256 digest is 64 lower-case hexadecimal digits")
    return digest


def corrupted(what: str) -> ArtifactError:
    """The error for bytes that are not those of their digest."""
    return ArtifactError(f"{what}: its bytes are not those of its digest")


def key_taken(key: str) -> StoreError:
    """The error for a key that has other bytes."""
    return StoreError(f"the object {key} is stored with other bytes", ErrorCode.CONFLICT, retryable=False)
