"""Wiring of the registry of models."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dependency_injector import containers, providers

from llama_mapper.adapters.mapping.model_folders import LocalModelFolders, files_in
from llama_mapper.adapters.mapping.model_loading import HeaderLoadCheck
from llama_mapper.adapters.mapping.sql_model_uses import SqlModelUses
from llama_mapper.adapters.mapping.sql_models import SqlModels
from llama_mapper.adapters.mapping.sql_releases import SqlReleases
from llama_mapper.domain.contracts.catalogue import CatalogueVersions, CatalogueView
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.models import ModelStage
from llama_mapper.domain.contracts.releases import VariantKind
from llama_mapper.domain.kernel.errors import ConfigurationError, ServiceError
from llama_mapper.domain.mapping.models.gate import Bound
from llama_mapper.domain.mapping.models.ports import LocalFile
from llama_mapper.domain.mapping.models.publishing import ModelPublisher
from llama_mapper.domain.mapping.models.service import ModelRegistry, RegistryTerms
from llama_mapper.domain.mapping.models.serving import ServingModels
from llama_mapper.domain.mapping.models.shelf import ENVELOPE_FILE, MANIFEST_FILE, ModelShelf
from llama_mapper.domain.mapping.models.uses import ModelsInService, ReleasedVersions, ToldVersion, UsedModels
from llama_mapper.domain.mapping.releases.in_play import versions_in_play
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.objects import object_store
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings

if TYPE_CHECKING:
    from llama_mapper.adapters.platform.database import Database
    from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
    from llama_mapper.domain.kernel.signing import Signer, Verifier
    from llama_mapper.entrypoints.containers.mapping import MappingContainer

_LOOK_EVERY_S = 60.0
_LOOK_SOON_S = 5.0


def _signer(directory: Path) -> Callable[[], Signer]:
    """Loads the installation's key when something is to be signed."""

    def load() -> Signer:
        from llama_mapper.adapters.platform.ed25519_signer import load_or_create_signer

        return load_or_create_signer(directory)

    return load


def _trusted(directory: Path, more: Path | None) -> Callable[[], Mapping[str, Verifier]]:
    """Reads the public keys to trust, each time, so that a changed key is known without a restart."""

    def load() -> Mapping[str, Verifier]:
        from llama_mapper.adapters.platform.ed25519_signer import (
            PUBLIC_KEY_FILE,
            load_or_create_signer,
            load_public_keys,
        )

        load_or_create_signer(directory)  # writes the public key beside its own where it is not there yet
        keys = dict(load_public_keys(directory / PUBLIC_KEY_FILE))
        if more is not None:
            try:
                keys |= load_public_keys(more)
            except ServiceError as error:
                raise ConfigurationError(f"model_trusted_keys: {error.message}") from error
        return keys

    return load


def _terms(settings: Settings) -> RegistryTerms:
    gates = {
        kind: {name: Bound(bound.min, bound.max) for name, bound in bounds.items()}
        for kind, bounds in settings.model_gate.items()
    }
    return RegistryTerms(gates, dict.fromkeys(ModelStage, settings.model_keep))


def _versions(catalogue: CatalogueView) -> Callable[[], CatalogueVersions]:
    return lambda: catalogue.versions


def _released(database: Database) -> ReleasedVersions:
    """What the releases of the same database need, whichever process runs them."""
    records = SqlReleases(database)

    async def released(kind: VariantKind) -> frozenset[str]:
        return versions_in_play(await records.standing(), kind)

    return released


def _scratch(settings: Settings) -> Path:
    return settings.data_dir / "tmp"


class ModelsContainer(containers.DeclarativeContainer):
    """The registry on the mapping database and the object store."""

    platform = providers.DependenciesContainer()
    database: providers.Provider[Database] = providers.Dependency()
    uses = providers.Singleton(SqlModelUses, database)
    in_use = providers.Singleton(UsedModels, uses, providers.Singleton(_released, database), platform.clock)
    objects = providers.Singleton(object_store, platform.settings)
    records = providers.Singleton(SqlModels, database)
    shelf = providers.Singleton(
        ModelShelf,
        objects,
        providers.Singleton(LocalModelFolders, objects, providers.Callable(_scratch, platform.settings)),
        providers.Singleton(HeaderLoadCheck),
        providers.Singleton(_trusted, platform.key_directory, platform.settings.provided.model_trusted_keys),
    )
    registry = providers.Singleton(
        ModelRegistry,
        records=records,
        shelf=shelf,
        objects=objects,
        signer=providers.Singleton(_signer, platform.key_directory),
        catalogue=providers.Singleton(_versions, platform.catalogue),
        clock=platform.clock,
        terms=providers.Singleton(_terms, platform.settings),
        in_use=in_use,
    )
    publisher = providers.Singleton(ModelPublisher, records, registry)
    serving = providers.Singleton(
        ServingModels, records, providers.Singleton(_versions, platform.catalogue), platform.clock
    )


@asynccontextmanager
async def running_models(platform: PlatformContainer, database: Database) -> AsyncIterator[ModelsContainer]:
    """The registry over the mapping context's open database; the object store is reached when it is first needed."""
    container = ModelsContainer(platform=platform, database=providers.Object(database))
    try:
        yield container
    finally:
        await container.objects().close()


def _gauges(metrics: PrometheusMetrics, serving: ServingModels, in_service: ModelsInService) -> None:
    metrics.gauge(
        "llama_mapper_models_deprecated",
        "Models in service past the date of their deprecation.",
        lambda: len(serving.deprecated() | in_service.deprecated()),
    )
    metrics.gauge(
        "llama_mapper_models_ending",
        "Models in service whose deprecation is less than 30 days away.",
        lambda: len(in_service.ending()),
    )


@asynccontextmanager
async def running_uses(
    platform: PlatformContainer, mapping: MappingContainer, models: ModelsContainer
) -> AsyncIterator[ModelsInService]:
    """Look now and then, until the end of the block, which registered versions the mapping answers with."""
    sources: dict[MappingStage, ToldVersion] = {
        MappingStage.EMBEDDING: mapping.stages().embedding_version,
        MappingStage.MODEL: mapping.watch().models.model_version,
    }
    in_service = ModelsInService(
        f"{socket.gethostname()}/{platform.settings().port}",
        sources,
        models.uses(),
        models.serving().servable,
        mapping.warnings(),
        platform.clock(),
    )
    _gauges(platform.metrics(), models.serving(), in_service)

    async def keep_looking() -> None:
        while True:
            await in_service.look()
            await asyncio.sleep(_LOOK_SOON_S if in_service.trouble else _LOOK_EVERY_S)

    looking = asyncio.create_task(keep_looking())
    try:
        yield in_service
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking


@dataclass(frozen=True, slots=True)
class OpenModels:
    """The registry, and how to put folders into it."""

    registry: ModelRegistry
    publisher: ModelPublisher

    async def files(self, folder: Path) -> Sequence[LocalFile]:
        """A model's files in a folder, without what the registry itself wrote there."""
        return await files_in(folder, ignore=frozenset({MANIFEST_FILE, ENVELOPE_FILE}))


@asynccontextmanager
async def open_models(settings: Settings) -> AsyncIterator[OpenModels]:
    """The installation's registry alone, for the commands that manage it."""
    platform = PlatformContainer(settings=settings)
    async with (
        open_database(database_for(settings, "mapping")) as database,
        running_models(platform, database) as models,
    ):
        yield OpenModels(models.registry(), models.publisher())
