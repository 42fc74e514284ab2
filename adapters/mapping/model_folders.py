"""Folders that hold a model's files, filled from the object store and read for publishing."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from llama_mapper.adapters.platform.objects.local_files import disk_errors, sync_folder
from llama_mapper.adapters.platform.objects.pieces import file_digest
from llama_mapper.domain.contracts.models import MAX_ARTIFACTS, ModelArtifact
from llama_mapper.domain.kernel.errors import ErrorCode, StoreError, ValidationError
from llama_mapper.domain.kernel.objects import ObjectStore, corrupted
from llama_mapper.domain.mapping.models.ports import LocalFile


class LocalModelFolders:
    """Keeps `ModelFolders`' promise: a folder is filled under another name beside it and renamed when it is whole."""

    def __init__(self, objects: ObjectStore, scratch: Path) -> None:
        self._objects = objects
        self._scratch = scratch

    async def fill(
        self, folder: Path, files: Mapping[str, ModelArtifact], more: Mapping[str, bytes], tell: Callable[[int], None]
    ) -> None:
        """See `ModelFolders.fill`."""
        folder = await asyncio.to_thread(folder.absolute)
        if await asyncio.to_thread(folder.exists):
            await self._require_same(folder, list(files.values()), more)
            return
        draft = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(8)}")
        try:
            with disk_errors(folder.parent):
                draft.mkdir(parents=True)
            done = 0
            for key, artifact in files.items():
                path = draft / artifact.path
                with disk_errors(folder.parent):
                    path.parent.mkdir(parents=True, exist_ok=True)
                stored = await self._objects.fetch(key, path)
                if (stored.sha256, stored.size) != (artifact.sha256, artifact.size):
                    raise corrupted(f"the file {artifact.path}")
                done += artifact.size
                tell(done)
            await asyncio.to_thread(self._finish, draft, folder, more)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
            raise

    @asynccontextmanager
    async def temporary(self) -> AsyncIterator[Path]:
        """See `ModelFolders.temporary`."""
        with disk_errors(self._scratch):
            self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
            place = Path(tempfile.mkdtemp(prefix="model-", dir=self._scratch))
        try:
            yield place / "model"
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    def _finish(self, draft: Path, folder: Path, more: Mapping[str, bytes]) -> None:
        with disk_errors(folder.parent):
            for name, content in more.items():
                with (draft / name).open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            for place, _, _ in os.walk(draft):
                sync_folder(Path(place))
            try:
                draft.rename(folder)
            except OSError:
                if folder.exists():
                    raise _taken(folder) from None
                raise
            sync_folder(folder.parent)

    async def _require_same(self, folder: Path, artifacts: Sequence[ModelArtifact], more: Mapping[str, bytes]) -> None:
        found = {file.artifact for file in await files_in(folder, ignore=frozenset(more))}
        there = [(folder / name).is_file() for name in more]
        if found != set(artifacts) or not all(there):
            raise _taken(folder)


async def files_in(folder: Path, *, ignore: frozenset[str] = frozenset()) -> list[LocalFile]:
    """The files of a model in `folder`, by path, hidden ones left out; raise `MODEL_INVALID` for what cannot be one."""
    with disk_errors(folder):
        names = await asyncio.to_thread(_names_in, folder, ignore)
        found = []
        for name in names:
            sha256, size = await file_digest(folder / name)
            try:
                artifact = ModelArtifact(path=name, sha256=sha256, size=size)
            except ValueError:
                raise _refused(f"a file's name has characters that an artifact's must not: {name!r:.100}") from None
            found.append(LocalFile(folder / name, artifact))
    return found


def _names_in(folder: Path, ignore: frozenset[str]) -> list[str]:
    if not folder.is_dir():
        raise _refused(f"{folder} is not a folder")
    names = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts) or path.is_dir() or inside.as_posix() in ignore:
            continue
        if not path.resolve().is_relative_to(folder.resolve()):
            raise _refused(f"{inside} leads out of {folder}")
        names.append(inside.as_posix())
    if len(names) > MAX_ARTIFACTS:
        raise _refused(f"{folder} has more than {MAX_ARTIFACTS} files")
    return names


def _refused(message: str) -> ValidationError:
    return ValidationError(message, ErrorCode.MODEL_INVALID)


def _taken(folder: Path) -> StoreError:
    return StoreError(f"the folder {folder} is there with something else", ErrorCode.CONFLICT, retryable=False)
