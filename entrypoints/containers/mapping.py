"""Wiring of the mapping context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.mapping.sql_reviews import SqlReviewQueue
from llama_mapper.domain.mapping.service import MappingService
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.generation import ModelWatch, generation_of
from llama_mapper.entrypoints.containers.platform import PlatformContainer


class MappingContainer(containers.DeclarativeContainer):
    """The review queue on a relational database, and the service over it."""

    platform = providers.DependenciesContainer()
    database = providers.Singleton(database_for, platform.settings, "mapping")
    reviews = providers.Singleton(SqlReviewQueue, database)
    models = providers.Singleton(generation_of, platform.settings, platform.metrics)
    watch = providers.Singleton(ModelWatch, models)
    service = providers.Singleton(
        MappingService,
        catalogue=platform.catalogue,
        reviews=reviews,
        clock=platform.clock,
        service_version=platform.version,
    )


@asynccontextmanager
async def running_mapping(platform: PlatformContainer) -> AsyncIterator[MappingContainer]:
    """The context with its database open."""
    container = MappingContainer(platform=platform)
    async with open_database(container.database()), container.watch().running():
        yield container
