"""Wiring of what every context shares: catalogue, keys, identity, metrics."""

from __future__ import annotations

from pathlib import Path

from dependency_injector import containers, providers

from llama_mapper.adapters.platform.catalogue_files import load_catalogue, load_migrations
from llama_mapper.adapters.platform.key_files import (
    TenantRequestDigests,
    TenantTextDigests,
    load_or_create_secret,
)
from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
from llama_mapper.adapters.platform.sql_api_keys import SqlApiKeys
from llama_mapper.domain.kernel.clock import system_clock
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.taxonomies.library import TaxonomyLibrary
from llama_mapper.domain.mapping.taxonomies.present import CurrentId, current_ids
from llama_mapper.entrypoints.containers.databases import database_for
from llama_mapper.entrypoints.containers.schemas import schema_versions
from llama_mapper.entrypoints.containers.shared_state import shared_state
from llama_mapper.entrypoints.containers.tracing import tracing_of
from llama_mapper.entrypoints.settings import Settings
from llama_mapper.entrypoints.version import service_version


def _key_file(settings: Settings, name: str) -> Path:
    return Path(settings.data_dir) / "keys" / name


def current_ids_of(catalogue: Catalogue) -> CurrentId:
    """Ids of earlier versions of the taxonomy as ids of the shipped one."""
    return current_ids(load_migrations(), catalogue.versions.taxonomy, catalogue.labels)


def taxonomy_library(catalogue: Catalogue, current_id: CurrentId) -> TaxonomyLibrary:
    """The versions of the shipped taxonomy."""
    return TaxonomyLibrary(load_migrations(), catalogue.versions.taxonomy, catalogue.labels, current_id)


class PlatformContainer(containers.DeclarativeContainer):
    """What belongs to no context."""

    settings = providers.Dependency(instance_of=Settings)
    context: providers.Provider[str] = providers.Object("")
    """The context that runs here alone; empty where all run."""
    clock = providers.Object(system_clock)
    version = providers.Callable(service_version)
    catalogue = providers.Singleton(load_catalogue)
    current_id = providers.Singleton(current_ids_of, catalogue)
    taxonomies = providers.Singleton(taxonomy_library, catalogue, current_id)
    schemas = providers.Object(schema_versions)
    """What gives the committed versions of the published schemas."""
    metrics = providers.Singleton(PrometheusMetrics)
    tracing = providers.Singleton(tracing_of, settings, context)
    database = providers.Singleton(database_for, settings, "platform")
    api_keys = providers.Singleton(SqlApiKeys, database)
    pepper = providers.Singleton(load_or_create_secret, providers.Callable(_key_file, settings, "api_keys.key"))
    digests = providers.Singleton(
        TenantTextDigests,
        providers.Singleton(load_or_create_secret, providers.Callable(_key_file, settings, "digests.key")),
    )
    request_digests = providers.Singleton(
        TenantRequestDigests,
        providers.Singleton(load_or_create_secret, providers.Callable(_key_file, settings, "digests.key")),
    )
    shared_state = providers.Singleton(shared_state, settings)
    key_directory = providers.Callable(_key_file, settings, "")
