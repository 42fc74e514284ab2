"""From files of this machine to a registered version: for the command line, and for whoever trains models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llama_mapper.domain.contracts.models import ModelActor, ModelDescription, ModelManifest, ModelVersion
from llama_mapper.domain.kernel.errors import ErrorCode, StoreError
from llama_mapper.domain.mapping.models.events import StoredModel
from llama_mapper.domain.mapping.models.ports import LocalFile, ModelRecords
from llama_mapper.domain.mapping.models.service import ModelRegistry
from llama_mapper.domain.mapping.models.versions import next_version

_ATTEMPTS = 5


class ModelPublisher:
    """Uploads a model's files and registers the version; after a crash the same call finishes the same version."""

    def __init__(self, records: ModelRecords, registry: ModelRegistry) -> None:
        self._records = records
        self._registry = registry

    async def publish(
        self,
        owner: str,
        description: ModelDescription,
        files: Sequence[LocalFile],
        actor: ModelActor,
        tell: Callable[[int, str], None] = lambda _, __: None,
    ) -> ModelVersion:
        """The registered version; `tell` is called with the bytes done and the file that is next.

        Raises as `ModelRegistryApi.register` does. What the description's origin made before, with the same files, is
        given back instead of another version; so is, where neither origin nor version is named, a version that is the
        same in all else: whoever was cut off before the answer can ask again.
        """
        for attempt in range(_ATTEMPTS):
            model = await self._records.model(owner, description.name)
            if (made := _made_before(model, description, files)) is not None:
                return await self._registry.show(owner, description.name, made)
            manifest = _manifest(description, description.version or _next(model), files)
            await self._upload(owner, manifest, files, tell)
            try:
                return await self._registry.register(owner, manifest, actor)
            except StoreError as error:
                # Somebody else took the number that was the next one.
                taken = error.error_code is ErrorCode.CONFLICT and description.version is None
                if not taken or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    async def _upload(
        self, owner: str, manifest: ModelManifest, files: Sequence[LocalFile], tell: Callable[[int, str], None]
    ) -> None:
        done = 0
        for file in files:
            tell(done, file.artifact.path)
            await self._registry.upload(owner, manifest.name, manifest.version, file.artifact, file.source)
            done += file.artifact.size
        tell(done, "checking")


def _made_before(model: StoredModel, description: ModelDescription, files: Sequence[LocalFile]) -> str | None:
    paths = {file.artifact for file in files}
    for manifest in (version.manifest for version in model.versions):
        if description.origin is not None:
            is_same = manifest.origin == description.origin and set(manifest.artifacts) == paths
        else:
            is_same = description.version is None and manifest == _manifest(description, manifest.version, files)
        if is_same:
            return manifest.version
    return None


def _next(model: StoredModel) -> str:
    """After every number that is used, or used up."""
    return next_version([event.version for event in model.log])


def _manifest(description: ModelDescription, version: str, files: Sequence[LocalFile]) -> ModelManifest:
    told = description.model_dump(exclude={"version", "compatible"})
    return ModelManifest(
        **told,
        version=version,
        compatible=description.compatible,
        artifacts=tuple(sorted((file.artifact for file in files), key=lambda each: each.path)),
    )
