"""Wiring of the mapping context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.mapping.alerts_in_log import AlertsInLog
from llama_mapper.adapters.mapping.sql_costs import SqlCostLedger
from llama_mapper.adapters.mapping.sql_reviews import SqlReviewQueue
from llama_mapper.domain.contracts.published import models as published_models
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.service import CostService
from llama_mapper.domain.mapping.service import MappingService
from llama_mapper.domain.mapping.validation.validator import Validator
from llama_mapper.entrypoints.containers.costs import flushing
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.generation import ModelWatch, generation_of
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.releases import releases_over, running_releases
from llama_mapper.entrypoints.containers.schemas import schema_versions


class MappingContainer(containers.DeclarativeContainer):
    """The review queue on a relational database, and the service over it."""

    platform = providers.DependenciesContainer()
    database = providers.Singleton(database_for, platform.settings, "mapping")
    reviews = providers.Singleton(SqlReviewQueue, database)
    cost_ledger = providers.Singleton(SqlCostLedger, database)
    cost_meter = providers.Singleton(CostMeter, cost_ledger, platform.clock)
    models = providers.Singleton(generation_of, platform.settings, platform.metrics)
    watch = providers.Singleton(ModelWatch, models)
    releases = providers.Singleton(releases_over, database, platform.settings, platform.clock)
    service = providers.Singleton(
        MappingService,
        catalogue=platform.catalogue,
        reviews=reviews,
        clock=platform.clock,
        service_version=platform.version,
        meter=cost_meter,
    )
    costs = providers.Singleton(
        CostService, ledger=cost_ledger, meter=cost_meter, sink=providers.Singleton(AlertsInLog), clock=platform.clock
    )
    validator = providers.Singleton(
        Validator,
        catalogue=platform.catalogue,
        schemas=providers.Object(schema_versions),
        models=providers.Callable(published_models),
    )


@asynccontextmanager
async def running_mapping(platform: PlatformContainer) -> AsyncIterator[MappingContainer]:
    """The context with its database open."""
    container = MappingContainer(platform=platform)
    async with (
        open_database(container.database()),
        flushing(container.costs()),
        container.watch().running(),
        running_releases(container.releases(), platform.metrics()),
    ):
        yield container
