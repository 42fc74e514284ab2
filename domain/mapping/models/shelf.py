"""A model's files in the object store: where they are, and whether they are what was registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from llama_mapper.domain.contracts.models import ModelArtifact, ModelManifest
from llama_mapper.domain.kernel.errors import ArtifactError, ErrorCode, NotFoundError, ServiceError, ValidationError
from llama_mapper.domain.kernel.objects import ObjectSource, ObjectStore
from llama_mapper.domain.kernel.signing import Verifier
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.models.events import StoredVersion
from llama_mapper.domain.mapping.models.ports import LoadCheck, ModelFolders
from llama_mapper.domain.mapping.models.signing import require_signed

MANIFEST_FILE = "model-manifest.json"
ENVELOPE_FILE = "model-envelope.json"
"""Written beside a model's own files wherever it is put for use."""

_EVERYONE = "_installation"  # no tenant id begins so
_ROOT = "models"


def owner_prefix(owner: str) -> str:
    """What the keys of an owner's artifacts begin with."""
    return f"{_ROOT}/{_EVERYONE if owner == EVERYONE else owner}/"


def artifact_key(owner: str, name: str, version: str, artifact: ModelArtifact) -> str:
    """Where an artifact is kept. The key holds its digest, so that no upload ever changes what another one put."""
    return f"{owner_prefix(owner)}{name}/{version}/{artifact.sha256}/{artifact.path}"


def named_by(owner: str, key: str) -> tuple[str, str]:
    """Name and version that an artifact's key is of."""
    name, version, *_ = key.removeprefix(owner_prefix(owner)).split("/")
    return name, version


def files_of(owner: str, manifest: ModelManifest) -> dict[str, ModelArtifact]:
    """Key → artifact of all files of a version."""
    return {artifact_key(owner, manifest.name, manifest.version, each): each for each in manifest.artifacts}


class ModelShelf:
    """Puts models' files into the object store, checks them there, and takes them out for use."""

    def __init__(
        self,
        objects: ObjectStore,
        folders: ModelFolders,
        check: LoadCheck,
        trusted: Callable[[], Mapping[str, Verifier]],
    ) -> None:
        self._objects = objects
        self._folders = folders
        self._check = check
        self._trusted = trusted

    async def put(self, owner: str, name: str, version: str, artifact: ModelArtifact, source: ObjectSource) -> None:
        """Keep an artifact; raise `ARTIFACT_CORRUPTED` if its bytes are not those of its digest."""
        await self._objects.put(artifact_key(owner, name, version, artifact), source, artifact.sha256)

    async def require_there(self, owner: str, manifest: ModelManifest) -> None:
        """Raise `MODEL_INVALID`, naming the files, unless each is in the store with its digest and its size."""
        problems = []
        for key, artifact in files_of(owner, manifest).items():
            stored = await self._objects.head(key)
            if stored is None:
                problems.append(f"{artifact.path} was not uploaded with this digest")
            elif (stored.sha256, stored.size) != (artifact.sha256, artifact.size):
                problems.append(f"{artifact.path} is {stored.size} bytes long in the store, not {artifact.size}")
        if problems:
            raise _invalid(manifest, problems)

    async def problems(self, owner: str, version: StoredVersion) -> list[str]:
        """Everything that keeps a version from being used: signature, files, digests, loading."""
        found = []
        try:
            require_signed(owner, version.manifest, version.envelope, self._trusted())
        except ArtifactError as error:
            found.append(error.message)
        return found + await self._unloadable(owner, version.manifest)

    async def require_sound(self, owner: str, version: StoredVersion) -> None:
        """Raise `ARTIFACT_CORRUPTED` if there is any such problem."""
        if found := await self.problems(owner, version):
            raise ArtifactError(f"{version.manifest.name} {version.manifest.version} cannot be used: {_told(found)}")

    async def require_loadable(self, owner: str, manifest: ModelManifest) -> None:
        """Raise `MODEL_INVALID` unless all files can be read back and would load."""
        if found := await self._unloadable(owner, manifest):
            raise _invalid(manifest, found)

    async def materialise(
        self, owner: str, version: StoredVersion, folder: Path, tell: Callable[[int], None] = lambda _: None
    ) -> None:
        """Put the files of a version into `folder`, whole and verified; the folder is new, or holds just these."""
        require_signed(owner, version.manifest, version.envelope, self._trusted())
        manifest = version.manifest
        more = {MANIFEST_FILE: manifest.model_dump_json(indent=2).encode(), ENVELOPE_FILE: version.envelope}
        try:
            await self._folders.fill(folder, files_of(owner, manifest), more, tell)
        except NotFoundError as error:
            raise ArtifactError(f"a file of {manifest.name} {manifest.version} is gone: {error.message}") from error

    async def _unloadable(self, owner: str, manifest: ModelManifest) -> list[str]:
        async with self._folders.temporary() as folder:
            try:
                await self._folders.fill(folder, files_of(owner, manifest), {}, lambda _: None)
            except ServiceError as error:
                if error.error_code not in (ErrorCode.NOT_FOUND, ErrorCode.ARTIFACT_CORRUPTED):
                    raise
                return [error.message]
            return list(await self._check.problems(manifest, folder))


def _invalid(manifest: ModelManifest, problems: list[str]) -> ValidationError:
    return ValidationError(
        f"{manifest.name} {manifest.version} cannot be registered: {_told(problems)}", ErrorCode.MODEL_INVALID
    )


def _told(problems: list[str]) -> str:
    more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
    return "; ".join(problems[:4]) + more
