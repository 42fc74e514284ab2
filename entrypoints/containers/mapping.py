"""Wiring of the mapping context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.mapping.sql_reviews import SqlReviewQueue
from llama_mapper.domain.mapping.service import MappingService
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.releases import releases_over, running_releases


class MappingContainer(containers.DeclarativeContainer):
    """The review queue on a relational database, and the service over it."""

    platform = providers.DependenciesContainer()
    database = providers.Singleton(database_for, platform.settings, "mapping")
    reviews = providers.Singleton(SqlReviewQueue, database)
    releases = providers.Singleton(releases_over, database, platform.settings, platform.clock)
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
    async with (
        open_database(container.database()),
        running_releases(container.releases(), platform.metrics()),
    ):
        yield container
