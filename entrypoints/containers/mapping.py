"""Wiring of the mapping context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from dependency_injector import containers, providers

from llama_mapper.adapters.mapping.alerts_in_log import AlertsInLog
from llama_mapper.adapters.mapping.sql_catalogue_documents import SqlCatalogueDocuments
from llama_mapper.adapters.mapping.sql_changes import SqlChanges
from llama_mapper.adapters.mapping.sql_costs import SqlCostLedger
from llama_mapper.adapters.mapping.sql_monitoring import SqlMonitoring
from llama_mapper.adapters.mapping.sql_reviews import SqlReviewQueue
from llama_mapper.adapters.platform.catalogue_files import load_crosswalk_cases, load_raw_catalogue
from llama_mapper.domain.contracts.published import models as published_models
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.optimising import CostOptimiser
from llama_mapper.domain.mapping.costs.service import CostService
from llama_mapper.domain.mapping.crosswalks.desk import CrosswalkDesk
from llama_mapper.domain.mapping.frameworks.desk import FrameworkDesk
from llama_mapper.domain.mapping.models.uses import ModelWarnings
from llama_mapper.domain.mapping.monitoring.meter import WindowMeter
from llama_mapper.domain.mapping.monitoring.service import MonitoringService
from llama_mapper.domain.mapping.monitoring.watching import MonitoringWatch
from llama_mapper.domain.mapping.overlays.export import OverlayExport
from llama_mapper.domain.mapping.overlays.vocabularies import VocabularyDesk
from llama_mapper.domain.mapping.ports import UnknownLabels
from llama_mapper.domain.mapping.releases.split_cascade import SplitCascade
from llama_mapper.domain.mapping.reviews.desk import ReviewDesk
from llama_mapper.domain.mapping.service import MappingService
from llama_mapper.domain.mapping.settings.desk import MappingSettingsDesk
from llama_mapper.domain.mapping.tenants.directory import TenantCatalogues
from llama_mapper.domain.mapping.validation.tenant_validator import TenantValidator
from llama_mapper.domain.mapping.validation.validator import Check, Validator
from llama_mapper.domain.orchestration.lifecycle.traffic import share_of
from llama_mapper.entrypoints.containers.costs import flushing, model_prices
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.generation import (
    ModelWatch,
    configured_models,
    released_stages,
    stage_slots,
)
from llama_mapper.entrypoints.containers.mapping_plugins import mapping_plugins_of
from llama_mapper.entrypoints.containers.mapping_stages import RunningStages, running_stages
from llama_mapper.entrypoints.containers.monitoring import places_of, running_monitoring
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.release_suites import release_suites
from llama_mapper.entrypoints.containers.releases import releases_over, running_releases
from llama_mapper.entrypoints.containers.running import MappingDesks

shipped_documents = cache(load_raw_catalogue)
"""The shipped documents, read where they are first needed: an installation without uploads never holds them."""


class MappingContainer(containers.DeclarativeContainer):
    """The review queue on a relational database, the stages after the catalogue, and the service over both."""

    platform = providers.DependenciesContainer()
    database = providers.Singleton(database_for, platform.settings, "mapping")
    reviews = providers.Singleton(SqlReviewQueue, database)
    cost_ledger = providers.Singleton(SqlCostLedger, database)
    cost_meter = providers.Singleton(CostMeter, cost_ledger, platform.clock)
    costs = providers.Singleton(
        CostService, ledger=cost_ledger, meter=cost_meter, sink=providers.Singleton(AlertsInLog), clock=platform.clock
    )
    windows = providers.Singleton(SqlMonitoring, database)
    changes = providers.Singleton(SqlChanges, database)
    window_meter = providers.Singleton(
        WindowMeter, windows, platform.clock, vendors=platform.catalogue.provided.vendors
    )
    monitoring = providers.Singleton(
        MonitoringService,
        windows,
        window_meter,
        changes,
        cost_ledger,
        platform.clock,
        places=providers.Callable(places_of, platform.settings),
        instances=platform.settings.provided.monitoring_instances,
        reference_days=platform.settings.provided.monitoring_reference_days,
        minimum_labels=platform.settings.provided.monitoring_minimum_labels,
    )
    monitoring_watch = providers.Singleton(
        MonitoringWatch, monitoring, windows, window_meter, providers.Singleton(AlertsInLog), platform.clock
    )
    watch = providers.Dependency(instance_of=ModelWatch)
    releases = providers.Singleton(
        releases_over, database, platform.settings, platform.catalogue, platform.clock, platform.schemas
    )
    documents = providers.Singleton(SqlCatalogueDocuments, database)
    tenants = providers.Singleton(
        TenantCatalogues, documents, platform.catalogue, providers.Object(shipped_documents), platform.current_id
    )
    stages = providers.Dependency(instance_of=RunningStages)
    unknown_labels: providers.Provider[UnknownLabels | None] = providers.Object(None)
    warnings = providers.Singleton(ModelWarnings)
    service = providers.Singleton(
        MappingService,
        catalogue=platform.catalogue,
        reviews=reviews,
        clock=platform.clock,
        service_version=platform.version,
        tenants=tenants,
        share=providers.Object(share_of),
        meter=cost_meter,
        may_ask_models=costs.provided.may_ask_models,
        cascade=unknown_labels,
        metrics=platform.metrics,
        warning=warnings.provided.of,
        windows=window_meter,
        offline=platform.settings.provided.mapping_offline,
    )
    settings_desk = providers.Singleton(
        MappingSettingsDesk, documents, platform.catalogue.provided.versions.taxonomy, platform.clock
    )
    optimiser = providers.Singleton(
        CostOptimiser,
        ledger=cost_ledger,
        meter=cost_meter,
        settings=settings_desk,
        sink=providers.Singleton(AlertsInLog),
        clock=platform.clock,
        models=providers.Callable(model_prices, platform.settings),
        every_days=platform.settings.provided.mapping_optimise_every_days,
    )
    validator_checks: providers.Provider[tuple[Check, ...]] = providers.Object(())
    validator = providers.Singleton(
        TenantValidator,
        providers.Singleton(
            Validator,
            catalogue=platform.catalogue,
            schemas=platform.schemas,
            models=providers.Callable(published_models),
            checks=validator_checks,
        ),
        tenants,
    )
    review_desk = providers.Singleton(
        ReviewDesk,
        reviews,
        platform.catalogue.provided.labels,
        platform.catalogue.provided.versions.taxonomy,
        platform.clock,
    )
    vocabulary_desk = providers.Singleton(
        VocabularyDesk,
        documents,
        platform.catalogue,
        platform.catalogue.provided.labels,
        providers.Object(shipped_documents),
        platform.clock,
    )
    framework_desk = providers.Singleton(
        FrameworkDesk, documents, platform.catalogue, platform.catalogue.provided.labels, platform.clock
    )
    crosswalk_desk = providers.Singleton(
        CrosswalkDesk,
        documents,
        platform.catalogue,
        platform.catalogue.provided.labels,
        providers.Object(shipped_documents),
        providers.Object(cache(load_crosswalk_cases)),
        platform.current_id,
        platform.clock,
        gate=platform.settings.provided.crosswalk_gate,
    )
    overlays = providers.Singleton(OverlayExport, documents)
    desks = providers.Factory(
        MappingDesks,
        reviews=review_desk,
        vocabularies=vocabulary_desk,
        frameworks=framework_desk,
        crosswalks=crosswalk_desk,
        settings=settings_desk,
        overlays=overlays,
    )


@asynccontextmanager
async def running_mapping(platform: PlatformContainer) -> AsyncIterator[MappingContainer]:
    """The context with its database open, and what asks the models that the settings name."""
    settings = platform.settings()
    plugins = mapping_plugins_of(settings)
    models = configured_models(settings, platform.metrics(), plugins.generations)
    watch = ModelWatch(models)
    container = MappingContainer(platform=platform, watch=watch)
    container.validator_checks.override(providers.Object(plugins.checks))
    releases = container.releases()
    released = released_stages(settings, models, releases.router, releases.watch.may_answer, platform.metrics())
    slots = stage_slots(settings, None if released is None else released.stage, plugins)
    async with (
        watch.running(),
        running_stages(settings, platform.catalogue(), platform.metrics(), slots) as stages,
        open_database(container.database()),
        flushing(container.costs(), container.optimiser()),
        running_releases(releases, platform.metrics()),
        running_monitoring(container.monitoring_watch(), container.changes(), platform),
    ):
        container.stages.override(providers.Object(stages))
        if stages.cascade is not None:
            split = SplitCascade(stages.cascade, releases.router)
            releases.splits.append(split)
            container.unknown_labels.override(providers.Object(split))
        if released is not None:
            releases.splits.extend(released.splits)
        releases.suites.update(release_suites(settings, stages, released))
        yield container
