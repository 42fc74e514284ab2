"""Wiring of the mapping context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from dependency_injector import containers, providers

from llama_mapper.adapters.mapping.alerts_in_log import AlertsInLog
from llama_mapper.adapters.mapping.reports.shipped_templates import FileTemplates
from llama_mapper.adapters.mapping.sql_catalogue_documents import SqlCatalogueDocuments
from llama_mapper.adapters.mapping.sql_costs import SqlCostLedger
from llama_mapper.adapters.mapping.sql_reviews import SqlReviewQueue
from llama_mapper.adapters.platform.catalogue_files import load_crosswalk_cases, load_raw_catalogue
from llama_mapper.domain.contracts.published import models as published_models
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.service import CostService
from llama_mapper.domain.mapping.crosswalks.desk import CrosswalkDesk
from llama_mapper.domain.mapping.frameworks.desk import FrameworkDesk
from llama_mapper.domain.mapping.overlays.vocabularies import VocabularyDesk
from llama_mapper.domain.mapping.reports.desk import TemplateDesk
from llama_mapper.domain.mapping.reports.service import ReportService
from llama_mapper.domain.mapping.reviews.desk import ReviewDesk
from llama_mapper.domain.mapping.service import MappingService
from llama_mapper.domain.mapping.tenants.directory import TenantCatalogues
from llama_mapper.domain.mapping.validation.validator import Check, Validator
from llama_mapper.domain.orchestration.lifecycle.traffic import share_of
from llama_mapper.entrypoints.containers.costs import flushing
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.generation import ModelWatch, generation_of, stage_slots
from llama_mapper.entrypoints.containers.mapping_plugins import mapping_plugins_of
from llama_mapper.entrypoints.containers.mapping_stages import RunningStages, running_stages
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.releases import releases_over, running_releases
from llama_mapper.entrypoints.containers.reports import catalogue_of, template_engine, view_of
from llama_mapper.entrypoints.containers.running import MappingDesks
from llama_mapper.entrypoints.containers.schemas import schema_versions

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
    watch = providers.Dependency(instance_of=ModelWatch)
    releases = providers.Singleton(releases_over, database, platform.settings, platform.clock)
    documents = providers.Singleton(SqlCatalogueDocuments, database)
    tenants = providers.Singleton(
        TenantCatalogues, documents, platform.catalogue, providers.Object(shipped_documents), platform.current_id
    )
    stages = providers.Dependency(instance_of=RunningStages)
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
        cascade=stages.provided.cascade,
        metrics=platform.metrics,
    )
    validator_checks: providers.Provider[tuple[Check, ...]] = providers.Object(())
    validator = providers.Singleton(
        Validator,
        catalogue=platform.catalogue,
        schemas=providers.Object(schema_versions),
        models=providers.Callable(published_models),
        checks=validator_checks,
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
    rendering = providers.Singleton(template_engine, platform.settings)
    template_desk = providers.Singleton(
        TemplateDesk,
        documents,
        providers.Singleton(FileTemplates),
        rendering,
        platform.catalogue,
        providers.Callable(catalogue_of, tenants),
        platform.clock,
    )
    reports = providers.Factory(
        ReportService,
        view_of=providers.Callable(view_of, tenants),
        templates=template_desk,
        engine=rendering,
        current_id=platform.current_id,
        clock=platform.clock,
        service_version=platform.version,
    )
    desks = providers.Factory(
        MappingDesks,
        reviews=review_desk,
        vocabularies=vocabulary_desk,
        frameworks=framework_desk,
        crosswalks=crosswalk_desk,
        templates=template_desk,
    )


@asynccontextmanager
async def running_mapping(platform: PlatformContainer) -> AsyncIterator[MappingContainer]:
    """The context with its database open, and what asks the models that the settings name."""
    settings = platform.settings()
    plugins = mapping_plugins_of(settings)
    models = generation_of(settings, platform.metrics(), plugins.generations)
    watch = ModelWatch(models)
    slots = stage_slots(settings, models, plugins)
    async with (
        watch.running(),
        running_stages(settings, platform.catalogue(), platform.metrics(), slots) as stages,
    ):
        container = MappingContainer(platform=platform, stages=stages, watch=watch)
        container.validator_checks.override(providers.Object(plugins.checks))
        async with (
            open_database(container.database()),
            flushing(container.costs()),
            running_releases(container.releases(), platform.metrics()),
        ):
            yield container
