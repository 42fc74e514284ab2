"""Finished adapters in a folder: for installations without a registry of models, and for handing over."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from llama_mapper.adapters.mapping.training.durable_files import (
    MANIFEST,
    CorruptFolderError,
    is_disk_full,
    publish_folder,
    verified_folder,
)
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.training.ports import TrainedModel


class FolderRegistration:
    """Keeps `ModelRegistration`'s promise: `root/TENANT/TASK/JOB` is the artifact, verified and copied whole."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def register(self, trained: TrainedModel) -> str:
        """See `ModelRegistration.register`. The reference is the folder's path below the root."""
        return await asyncio.to_thread(self._copy, trained)

    def _copy(self, trained: TrainedModel) -> str:
        reference = f"{trained.key.tenant_id}/{trained.task.value}/{trained.key.id}"
        target = self._root / reference
        try:
            facts = verified_folder(trained.folder)
            if target.exists() and _digests(target) == _digests(trained.folder):
                return reference
            names = json.loads((trained.folder / MANIFEST).read_bytes())["files"]
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            publish_folder(target, {name: (trained.folder / name).read_bytes() for name in names}, facts)
        except CorruptFolderError as error:
            raise StoreError(f"the finished adapter was changed: {error}", retryable=False) from error
        except OSError as error:
            why = "there is no room" if is_disk_full(error) else type(error).__name__
            raise StoreError(f"the finished adapter cannot be kept ({why})") from error
        return reference


def _digests(folder: Path) -> object:
    try:
        verified_folder(folder)
        return json.loads((folder / MANIFEST).read_bytes())["files"]
    except CorruptFolderError:
        return None
