"""The use cases of the registry of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from llama_mapper.domain.contracts.catalogue import CatalogueVersions
from llama_mapper.domain.contracts.models import (
    MAX_MODEL_VERSIONS,
    ModelActor,
    ModelArtifact,
    ModelCheck,
    ModelDeprecation,
    ModelHistory,
    ModelKind,
    ModelList,
    ModelManifest,
    ModelMatrix,
    ModelPromotion,
    ModelRemark,
    ModelStage,
    ModelStep,
    ModelVersion,
    ModelVersionInfo,
    ModelVersionList,
    RetentionReport,
    RetentionRequest,
    StoredArtifact,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, ModelRegistryError, StoreError, ValidationError
from llama_mapper.domain.kernel.objects import ObjectSource, ObjectStore
from llama_mapper.domain.kernel.signing import Signer
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.models.compatibility import range_problems, require_fit
from llama_mapper.domain.mapping.models.events import Event, Log, StoredModel, StoredVersion
from llama_mapper.domain.mapping.models.fits import fits_of
from llama_mapper.domain.mapping.models.gate import Gate, failures
from llama_mapper.domain.mapping.models.pace import take
from llama_mapper.domain.mapping.models.ports import ModelRecords, ModelsInUse
from llama_mapper.domain.mapping.models.pruning import Pruning
from llama_mapper.domain.mapping.models.shelf import ENVELOPE_FILE, MANIFEST_FILE, ModelShelf
from llama_mapper.domain.mapping.models.signing import digest_of, document_of, seal
from llama_mapper.domain.mapping.models.states import (
    is_discarded,
    require_transition,
    standing_of,
    standings,
    unknown,
)
from llama_mapper.domain.mapping.models.telling import (
    event_of,
    first_of_each_name,
    model_info,
    stages_of,
    version_detail,
    version_info,
    versions_of,
)
from llama_mapper.domain.mapping.models.versions import parsed

_PROMOTABLE = (ModelStage.STAGING, ModelStage.PRODUCTION)


async def nothing_in_use(_: str) -> Sequence[tuple[str, str]]:
    """For installations where nothing but the registry says which models are used."""
    return ()


@dataclass(frozen=True, slots=True)
class RegistryTerms:
    """What the installation decides: the gate of each kind, and how many versions stay in each stage."""

    gates: Mapping[ModelKind, Gate]
    keep: Mapping[ModelStage, int]


class ModelRegistry:
    """Keeps `ModelRegistryApi`.

    A step is decided on the whole log of a model and added under the next number. If somebody else took that number
    meanwhile, the step is decided anew.
    """

    def __init__(
        self,
        records: ModelRecords,
        shelf: ModelShelf,
        objects: ObjectStore,
        signer: Callable[[], Signer],
        catalogue: Callable[[], CatalogueVersions],
        clock: Clock,
        terms: RegistryTerms,
        in_use: ModelsInUse = nothing_in_use,
    ) -> None:
        self._records = records
        self._shelf = shelf
        self._signer = signer
        self._catalogue = catalogue
        self._clock = clock
        self._terms = terms
        self._pruning = Pruning(records, objects, clock, in_use)

    async def list(
        self, tenant_id: str, *, kind: ModelKind | None = None, stage: ModelStage | None = None
    ) -> ModelList:
        """See `ModelRegistryApi.list`."""
        models = first_of_each_name(await self._visible(tenant_id))
        infos = [model_info(each) for each in models if stage is None or stage in stages_of(each)]
        return ModelList(items=tuple(each for each in infos if kind in (None, each.kind)))

    async def versions(self, tenant_id: str, name: str) -> ModelVersionList:
        """See `ModelRegistryApi.versions`."""
        return ModelVersionList(items=versions_of(await self._found(tenant_id, name)))

    async def show(self, tenant_id: str, name: str, version: str) -> ModelVersion:
        """See `ModelRegistryApi.show`."""
        model = await self._found(tenant_id, name)
        return version_detail(model, _version(model, version))

    async def history(self, tenant_id: str, name: str, *, limit: int = 100, before: int | None = None) -> ModelHistory:
        """See `ModelRegistryApi.history`."""
        log = (await self._found(tenant_id, name)).log
        if before is not None:
            log = tuple(event for event in log if event.number < before)
        newest = log[-limit:][::-1]
        more = newest[-1].number if newest and len(log) > limit else None
        return ModelHistory(name=name, items=tuple(event_of(event) for event in newest), before=more)

    async def upload(
        self, owner: str, name: str, version: str, artifact: ModelArtifact, source: ObjectSource
    ) -> StoredArtifact:
        """Keep a file of a version that is to be registered.

        Raises `MODEL_STATE` if the version is registered without this file, `ARTIFACT_CORRUPTED` if the bytes are not
        those of the digest. The same file again changes nothing.
        """
        model = await self._records.model(owner, name)
        registered = model.version(version)
        if registered is None:
            _require_number(model.log, name, version)
        elif artifact not in registered.manifest.artifacts:
            raise ModelRegistryError(f"the version {version} of '{name}' is registered: its files never change")
        elif standings(model.log)[version].pruned:
            raise ModelRegistryError(f"the files of the version {version} of '{name}' were removed for good")
        await self._shelf.put(owner, name, version, artifact, source)
        return StoredArtifact(name=name, version=version, **artifact.model_dump())

    async def register(self, owner: str, manifest: ModelManifest, actor: ModelActor) -> ModelVersion:
        """See `ModelRegistryApi.register`."""
        _require_sense(manifest)
        document = document_of(owner, manifest)
        digest = digest_of(document)
        model = await self._records.model(owner, manifest.name)
        if (known := model.version(manifest.version)) is not None:
            return version_detail(model, _same(known, digest))
        await self._require_room(owner, model)
        _require_number(model.log, manifest.name, manifest.version)
        if (kind := next((each.manifest.kind for each in model.versions), manifest.kind)) is not manifest.kind:
            raise ValidationError(f"'{manifest.name}' is of the kind {kind}", ErrorCode.MODEL_INVALID)
        await self._shelf.require_there(owner, manifest)
        await self._shelf.require_loadable(owner, manifest)
        content = StoredVersion(manifest, digest, seal(document, self._signer()))

        def decide(log: Log) -> Event | None:
            _require_number(log, manifest.name, manifest.version)
            if manifest.version in standings(log):
                return None
            return self._event(log, ModelStep.REGISTERED, manifest.version, ModelStage.CANDIDATE, actor)

        model = await take(self._records, owner, manifest.name, decide, content)
        return version_detail(model, _same(_version(model, manifest.version), digest))

    async def promote(
        self, owner: str, name: str, version: str, promotion: ModelPromotion, actor: ModelActor
    ) -> ModelVersionInfo:
        """See `ModelRegistryApi.promote`. Nothing is in production that was not read back and examined just before."""
        stage = promotion.stage
        if stage not in _PROMOTABLE:
            raise ValidationError("a version is promoted to staging or to production")
        model, found = await self._own(owner, name, version)
        require_transition(standing_of(model.log, name, version), stage)
        if stage is ModelStage.PRODUCTION:
            manifest = found.manifest
            if missed := failures(manifest.metrics, self._terms.gates.get(manifest.kind, {})):
                raise ModelRegistryError(
                    f"{name} {version} is below the gate for production: {'; '.join(missed)}",
                    ErrorCode.MODEL_BELOW_GATE,
                )
            require_fit(manifest, self._catalogue())
        await self._shelf.require_sound(owner, found)

        def decide(log: Log) -> Event:
            require_transition(standing_of(log, name, version), stage)
            return self._event(log, ModelStep.PROMOTED, version, stage, actor, promotion.note)

        return version_info(await take(self._records, owner, name, decide), found)

    async def deprecate(
        self, owner: str, name: str, version: str, deprecation: ModelDeprecation, actor: ModelActor
    ) -> ModelVersionInfo:
        """See `ModelRegistryApi.deprecate`. A deprecated version may be given another date."""
        _, found = await self._own(owner, name, version)

        def decide(log: Log) -> Event:
            standing = standing_of(log, name, version)
            if standing.stage is not ModelStage.DEPRECATED:
                require_transition(standing, ModelStage.DEPRECATED)
            on = deprecation.on or self._clock()
            return self._event(log, ModelStep.DEPRECATED, version, ModelStage.DEPRECATED, actor, deprecation.note, on)

        return version_info(await take(self._records, owner, name, decide), found)

    async def archive(
        self, owner: str, name: str, version: str, remark: ModelRemark, actor: ModelActor
    ) -> ModelVersionInfo:
        """See `ModelRegistryApi.archive`."""
        _, found = await self._own(owner, name, version)

        def decide(log: Log) -> Event:
            require_transition(standing_of(log, name, version), ModelStage.ARCHIVED)
            return self._event(log, ModelStep.ARCHIVED, version, ModelStage.ARCHIVED, actor, remark.note)

        return version_info(await take(self._records, owner, name, decide), found)

    async def verify(self, tenant_id: str, name: str, version: str) -> ModelCheck:
        """See `ModelRegistryApi.verify`."""
        model = await self._found(tenant_id, name)
        found = _version(model, version)
        if standing_of(model.log, name, version).pruned:
            problems = ["its files were removed by the retention rules"]
        else:
            problems = await self._shelf.problems(model.owner, found)
        told = tuple(problem[:512] for problem in problems[:1000])
        return ModelCheck(name=name, version=version, sound=not told, problems=told)

    async def matrix(
        self,
        tenant_id: str,
        *,
        taxonomy: tuple[str, ...] = (),
        vocabulary: tuple[str, ...] = (),
        crosswalk: tuple[str, ...] = (),
    ) -> ModelMatrix:
        """See `ModelRegistryApi.matrix`."""
        here = self._catalogue()
        columns = [
            CatalogueVersions(one, two, three)
            for one in taxonomy or (here.taxonomy,)
            for two in vocabulary or (here.vocabulary,)
            for three in crosswalk or (here.crosswalk,)
        ]
        models = first_of_each_name(await self._visible(tenant_id))
        return ModelMatrix(items=tuple(fit for model in models for fit in fits_of(model, columns)))

    async def retain(self, owner: str, request: RetentionRequest, actor: ModelActor) -> RetentionReport:
        """See `ModelRegistryApi.retain`."""
        return await self._pruning.run(owner, {**self._terms.keep, **request.keep}, actor, dry_run=request.dry_run)

    async def materialise(
        self,
        tenant_id: str,
        name: str,
        version: str,
        folder: Path,
        *,
        tell: Callable[[int], None] = lambda _: None,
        whatever_fits: bool = False,
    ) -> ModelVersion:
        """Put a version's files into `folder`, whole and verified; with `model-manifest.json` and its envelope.

        Raises `MODEL_STATE` if the version is archived, `MODEL_INCOMPATIBLE` unless it fits this catalogue or
        `whatever_fits`, `ARTIFACT_CORRUPTED`, and `CONFLICT` if the folder holds something else.
        """
        model = await self._found(tenant_id, name)
        found = _version(model, version)
        standing = standing_of(model.log, name, version)
        if standing.stage is ModelStage.ARCHIVED:
            raise ModelRegistryError(f"the version {version} of '{name}' is archived")
        if not whatever_fits:
            require_fit(found.manifest, self._catalogue())
        await self._shelf.materialise(model.owner, found, folder, tell)
        return version_detail(model, found)

    def _event(
        self,
        log: Log,
        step: ModelStep,
        version: str,
        stage: ModelStage,
        actor: ModelActor,
        note: str = "",
        deprecated_on: datetime | None = None,
    ) -> Event:
        who, door, keyless = actor.name, actor.door, actor.keyless
        return Event(len(log) + 1, step, version, stage, who, door, keyless, self._clock(), note, deprecated_on)

    async def _visible(self, tenant_id: str) -> Sequence[StoredModel]:
        own = await self._records.models(tenant_id)
        return own if tenant_id == EVERYONE else [*own, *await self._records.models(EVERYONE)]

    async def _found(self, tenant_id: str, name: str) -> StoredModel:
        for owner in dict.fromkeys((tenant_id, EVERYONE)):
            model = await self._records.model(owner, name)
            if model.versions:
                return model
        raise unknown(name)

    async def _own(self, owner: str, name: str, version: str) -> tuple[StoredModel, StoredVersion]:
        model = await self._records.model(owner, name)
        return model, _version(model, version)

    async def _require_room(self, owner: str, model: StoredModel) -> None:
        if len(model.versions) >= MAX_MODEL_VERSIONS:
            raise ModelRegistryError(f"a model has at most {MAX_MODEL_VERSIONS} versions")
        if not model.versions and len(await self._records.models(owner)) >= MAX_MODEL_VERSIONS:
            raise ModelRegistryError(f"an owner has at most {MAX_MODEL_VERSIONS} models")


def _version(model: StoredModel, version: str) -> StoredVersion:
    found = model.version(version)
    if found is None:
        raise unknown(model.name, version)
    return found


def _same(known: StoredVersion, digest: str) -> StoredVersion:
    if known.digest != digest:
        raise StoreError(
            f"{known.manifest.name} {known.manifest.version} has another manifest, and a version never changes",
            ErrorCode.CONFLICT,
            retryable=False,
        )
    return known


def _require_number(log: Log, name: str, version: str) -> None:
    if is_discarded(log, version):
        raise ModelRegistryError(
            f"files of the version {version} of '{name}' were removed since nobody registered it; use another number"
        )


def _require_sense(manifest: ModelManifest) -> None:
    problems = range_problems(manifest.compatible)
    if parsed(manifest.version) is None:
        problems.append(f"'{manifest.version}' is no semantic version")
    if reserved := {MANIFEST_FILE, ENVELOPE_FILE} & {artifact.path for artifact in manifest.artifacts}:
        problems.append(f"{', '.join(sorted(reserved))} is written by the registry itself")
    if problems:
        raise ValidationError("; ".join(problems), ErrorCode.MODEL_INVALID)
