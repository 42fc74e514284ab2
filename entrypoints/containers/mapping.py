"""Wiring of the mapping context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.mapping.sql_reviews import SqlReviewQueue
from llama_mapper.domain.mapping.service import MappingService
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.mapping_stages import RunningStages, running_stages
from llama_mapper.entrypoints.containers.platform import PlatformContainer


class MappingContainer(containers.DeclarativeContainer):
    """The review queue on a relational database, the stages after the catalogue, and the service over both."""

    platform = providers.DependenciesContainer()
    database = providers.Singleton(database_for, platform.settings, "mapping")
    reviews = providers.Singleton(SqlReviewQueue, database)
    stages = providers.Dependency(instance_of=RunningStages)
    service = providers.Singleton(
        MappingService,
        catalogue=platform.catalogue,
        reviews=reviews,
        clock=platform.clock,
        service_version=platform.version,
        cascade=stages.provided.cascade,
        metrics=platform.metrics,
    )


@asynccontextmanager
async def running_mapping(platform: PlatformContainer) -> AsyncIterator[MappingContainer]:
    """The context with its database open."""
    async with running_stages(platform.settings(), platform.catalogue(), platform.metrics()) as stages:
        container = MappingContainer(platform=platform, stages=stages)
        async with open_database(container.database()):
            yield container
