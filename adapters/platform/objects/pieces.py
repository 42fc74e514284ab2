"""Reading what is to be stored in pieces of one size, and checking on the way that it is what it should be."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from llama_mapper.adapters.platform.objects.local_files import disk_errors
from llama_mapper.domain.kernel.objects import ObjectSource, corrupted

READ_SIZE = 1024 * 1024
"""Bytes that are read and written at once."""


async def file_digest(path: Path) -> tuple[str, int]:
    """SHA-256 in hexadecimal digits, and the size in bytes, of a file; raise OSError."""

    def read() -> tuple[str, int]:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()

    return await asyncio.to_thread(read)


async def pieces(what: str, source: ObjectSource, sha256: str, size: int) -> AsyncGenerator[bytes, None]:
    """The bytes of `source` in pieces of `size` bytes, of which only the last may be shorter.

    Instead of an end, raise `ARTIFACT_CORRUPTED` if the digest of all is not `sha256`: who stores nothing before the
    end never stores anything else. Nothing is given for no bytes.
    """
    digest = hashlib.sha256()
    held = bytearray()
    async for chunk in _chunks(source):
        held += chunk
        while len(held) >= size:
            piece = bytes(memoryview(held)[:size])
            del held[:size]
            await asyncio.to_thread(digest.update, piece)
            yield piece
    if held:
        await asyncio.to_thread(digest.update, held)
        yield bytes(held)
    if digest.hexdigest() != sha256:
        raise corrupted(what)


async def _chunks(source: ObjectSource) -> AsyncIterator[bytes]:
    if not isinstance(source, Path):
        async for chunk in source:
            yield chunk
        return
    with disk_errors(source.parent):
        file = await asyncio.to_thread(source.open, "rb")
    try:
        while True:
            with disk_errors(source.parent):
                chunk = await asyncio.to_thread(file.read, READ_SIZE)
            if not chunk:
                return
            yield chunk
    finally:
        file.close()
