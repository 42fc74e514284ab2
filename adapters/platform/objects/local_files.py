"""Writing files that are there whole or not at all."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_mapper.domain.kernel.errors import StoreError

_FULL = {errno.ENOSPC: "no space is left", errno.EDQUOT: "the quota is used up", errno.EFBIG: "the file is too large"}


def disk_error(error: OSError, where: Path) -> StoreError:
    """The store's error for one of the operating system."""
    why = _FULL.get(error.errno or 0) or error.strerror or type(error).__name__
    refused = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    told = StoreError(f"the folder {where} cannot be used: {why}", retryable=not refused)
    told.__cause__ = error
    return told


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turn errors of the operating system that leave the block into the store's."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, where) from error


async def write_draft(draft: Path, parts: AsyncIterator[bytes]) -> int:
    """Write what `parts` gives to the file `draft`, which nobody else uses, down to the disk; return its size in bytes.

    Raise `STORE_UNAVAILABLE` if the disk does not take it. Whatever is raised, no file is left, unless the process is
    killed.
    """
    with disk_errors(draft.parent):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    size = 0
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            async for part in parts:
                with disk_errors(draft.parent):
                    await asyncio.to_thread(_write_all, file.fileno(), part)
                size += len(part)
            with disk_errors(draft.parent):
                await asyncio.to_thread(os.fsync, file.fileno())
    except BaseException:
        remove(draft)
        raise
    return size


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    path.unlink(missing_ok=True)


def _write_all(descriptor: int, part: bytes) -> None:
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def draft_name(name: str) -> str:
    """A name beside `name` that nobody else has."""
    return f"{name}.{os.getpid()}.{secrets.token_hex(8)}"


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder down to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
