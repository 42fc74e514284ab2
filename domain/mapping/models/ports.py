"""What the registry of models needs from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llama_mapper.domain.contracts.models import ModelArtifact, ModelManifest
from llama_mapper.domain.mapping.models.events import Event, StoredModel, StoredVersion


class ModelRecords(Protocol):
    """Where versions and logs are kept. Nothing in it is ever changed or deleted. `EVERYONE` may be the owner."""

    async def mark(self, tenant_id: str) -> int:
        """How many events the tenant's models and everyone's have. Nothing happened while it stays the same."""
        ...

    async def model(self, owner: str, name: str) -> StoredModel:
        """All that is kept of one name, as of one moment; with an empty log where there is nothing."""
        ...

    async def models(self, owner: str) -> Sequence[StoredModel]:
        """The same for every name of an owner, by name."""
        ...

    async def append(self, owner: str, name: str, event: Event, content: StoredVersion | None = None) -> bool:
        """Add an event and, for a registration, the version: both or neither.

        False if an event of this number is there already: somebody else was quicker.
        """
        ...


class LoadCheck(Protocol):
    """Tells whether what uses models could load one."""

    async def problems(self, manifest: ModelManifest, folder: Path) -> Sequence[str]:
        """What keeps the model in `folder` from being loaded, without loading it; raises nothing that it causes."""
        ...


class ModelFolders(Protocol):
    """Folders of this machine that hold a model's files."""

    async def fill(
        self, folder: Path, files: Mapping[str, ModelArtifact], more: Mapping[str, bytes], tell: Callable[[int], None]
    ) -> None:
        """Make the folder with the objects `files` (key → where it belongs) and `more` (name → content).

        It is there whole and verified or not at all; one that holds just these files already is left. `tell` is called
        with the bytes done. Raises `CONFLICT` if the folder is there with something else, `ARTIFACT_CORRUPTED`,
        `NOT_FOUND` for a file that is not in the store, and `STORE_UNAVAILABLE`.
        """
        ...

    def temporary(self) -> AbstractAsyncContextManager[Path]:
        """A place for a folder that is gone after the block; the folder itself is not made."""
        ...


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to publish, where it belongs in the model."""

    source: Path
    artifact: ModelArtifact


ModelsInUse = Callable[[str], Awaitable[Collection[tuple[str, str]]]]
"""Gives (name, version) of the owner's models that something uses now, such as a release."""
