"""Objects in a folder of this machine, or of a file server.

An object is a folder under the store's root, named as its key. In it `.object.json` says digest and size, and so which
`.content-<digest>` beside it is the object: as long as that file is not in place, nothing is. Segments of a key never
begin with a dot, so that `a` and `a/b` can both be objects.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from llama_mapper.adapters.platform.objects.checked_objects import (
    CheckedObjects,
    KeyTakenMeanwhile,
    OpenObject,
    missing,
)
from llama_mapper.adapters.platform.objects.local_files import disk_errors, draft_name, sync_folder, write_draft
from llama_mapper.adapters.platform.objects.pieces import READ_SIZE
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.kernel.objects import ObjectEntry, StoredObject, UnfinishedUpload, corrupted, require_key

_POINTER, _CONTENT, _DRAFT, _LOCK = ".object.json", ".content-", ".draft-", ".lock"
_ATTEMPTS = 8


class FolderObjects(CheckedObjects):
    """Keeps `ObjectStore`'s promise with atomic renames, each preceded by a sync of what it names."""

    def __init__(self, root: Path) -> None:
        super().__init__(READ_SIZE)
        self._root = root

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""
        return await asyncio.to_thread(self._stored, require_key(key))

    async def entries(self, prefix: str = "") -> AsyncIterator[ObjectEntry]:
        """See `ObjectStore.entries`."""
        for key in await asyncio.to_thread(self._keys, prefix):
            if (stored := await self.head(key)) is not None:
                yield ObjectEntry(stored.key, stored.size, stored.stored_at)

    async def delete(self, key: str) -> bool:
        """See `ObjectStore.delete`."""
        return await asyncio.to_thread(self._delete, require_key(key))

    async def unfinished(self) -> AsyncIterator[UnfinishedUpload]:
        """See `ObjectStore.unfinished`."""
        for left in await asyncio.to_thread(lambda: list(self._left_over())):
            yield UnfinishedUpload(self._key_of(left.parent), _changed_at(left))

    async def discard_unfinished(self, before: datetime) -> int:
        """See `ObjectStore.discard_unfinished`."""

        def discard() -> int:
            discarded = 0
            with disk_errors(self._root), self._locked():
                for left in list(self._left_over()):
                    with suppress(FileNotFoundError):
                        if _changed_at(left) < before:
                            left.unlink()
                            discarded += 1
                            self._remove_empty(left.parent)
            return discarded

        return await asyncio.to_thread(discard)

    async def ping(self) -> None:
        """See `ObjectStore.ping`."""

        def look() -> None:
            with disk_errors(self._root):
                self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
                if not os.access(self._root, os.W_OK | os.X_OK):
                    raise StoreError(f"the folder {self._root} cannot be written", retryable=False)

        await asyncio.to_thread(look)

    async def close(self) -> None:
        """See `ObjectStore.close`."""

    async def _write(self, key: str, parts: AsyncIterator[bytes], sha256: str, *, replace: bool) -> StoredObject:
        draft = await asyncio.to_thread(self._begin, self._root / key)
        try:
            size = await write_draft(draft, parts)
            await asyncio.to_thread(self._publish, key, draft, sha256, size, replace)
        finally:
            draft.unlink(missing_ok=True)
        stored = await self.head(key)
        if stored is None:
            raise StoreError(f"the object {key} was removed by somebody else meanwhile")
        return stored

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncIterator[OpenObject]:
        def open_it() -> tuple[StoredObject, int]:
            for _ in range(_ATTEMPTS):
                stored = self._stored(key)
                if stored is None:
                    raise missing(key)
                with disk_errors(self._root), suppress(FileNotFoundError):
                    return stored, os.open(self._content(key, stored.sha256), os.O_RDONLY | os.O_CLOEXEC)
                # Replaced between the two looks: the pointer names another content now, or none is there at all.
            raise corrupted(f"the object {key}")

        stored, descriptor = await asyncio.to_thread(open_it)
        file = os.fdopen(descriptor, "rb", buffering=0)

        async def chunks() -> AsyncIterator[bytes]:
            while True:
                with disk_errors(self._root):
                    chunk = await asyncio.to_thread(file.read, READ_SIZE)
                if not chunk:
                    return
                yield chunk

        try:
            yield OpenObject(stored, chunks())
        finally:
            file.close()

    def _publish(self, key: str, draft: Path, sha256: str, size: int, replace: bool) -> None:
        folder = draft.parent
        pointer, content = folder / _POINTER, self._content(key, sha256)
        with disk_errors(self._root), self._locked():
            before = self._stored(key)
            if before is not None and not replace:
                raise KeyTakenMeanwhile
            draft.replace(content)
            sync_folder(folder)
            text = json.dumps({"sha256": sha256, "size": size, "stored_at_us": time.time_ns() // 1000})
            draft.write_text(text, "utf-8")
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(pointer)
            sync_folder(folder)
            if before is not None and before.sha256 != sha256:
                self._content(key, before.sha256).unlink(missing_ok=True)

    def _stored(self, key: str) -> StoredObject | None:
        with disk_errors(self._root):
            try:
                said = json.loads((self._root / key / _POINTER).read_bytes())
                at = datetime.fromtimestamp(said["stored_at_us"] / 1e6, UTC)
                return StoredObject(key, int(said["size"]), at, str(said["sha256"]))
            except (FileNotFoundError, NotADirectoryError):
                return None
            except (ValueError, KeyError, TypeError):
                raise corrupted(f"the record of the object {key}") from None

    def _delete(self, key: str) -> bool:
        folder = self._root / key
        if not folder.is_dir():
            return False
        with disk_errors(self._root), self._locked():
            stored = self._stored(key)
            if stored is None:
                return False
            (folder / _POINTER).unlink()
            self._content(key, stored.sha256).unlink(missing_ok=True)
            sync_folder(folder)
            self._remove_empty(folder)
        return True

    def _begin(self, folder: Path) -> Path:
        """An empty draft in the object's folder, which keeps others from removing it as an empty one."""
        draft = folder / draft_name(_DRAFT)
        with disk_errors(self._root), self._locked():
            made = [each for each in (folder, *folder.parents) if not each.exists()]
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for each in made:
                sync_folder(each.parent)
            draft.touch(0o600)
        return draft

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among all who change names below the root, for as long as the block takes: some syncs, no content."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._root / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone
                return
            folder = folder.parent

    def _keys(self, prefix: str) -> list[str]:
        start = self._root / prefix.rpartition("/")[0]
        with disk_errors(self._root):
            keys = [self._key_of(Path(folder)) for folder, _, files in os.walk(start) if _POINTER in files]
        return [key for key in keys if key.startswith(prefix)]

    def _left_over(self) -> Iterator[Path]:
        """Drafts, and contents that nothing points to."""
        for name, _, files in os.walk(self._root):
            folder = Path(name)
            stored = self._stored(self._key_of(folder)) if _POINTER in files else None
            current = None if stored is None else _CONTENT + stored.sha256
            for file in files:
                if file.startswith(_DRAFT) or (file.startswith(_CONTENT) and file != current):
                    yield folder / file

    def _content(self, key: str, sha256: str) -> Path:
        return self._root / key / (_CONTENT + sha256)

    def _key_of(self, folder: Path) -> str:
        return folder.relative_to(self._root).as_posix()


def _changed_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
