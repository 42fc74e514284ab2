"""Wiring of the analysis context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.analysis.sql_history import SqlFindingHistory
from llama_mapper.domain.analysis.service import AnalysisService
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.platform import PlatformContainer


class AnalysisContainer(containers.DeclarativeContainer):
    """History on a relational database, and the service over it."""

    platform = providers.DependenciesContainer()
    database = providers.Singleton(database_for, platform.settings, "analysis")
    history = providers.Singleton(SqlFindingHistory, database)
    service = providers.Singleton(
        AnalysisService,
        catalogue=platform.catalogue,
        history=history,
        clock=platform.clock,
        service_version=platform.version,
        window_days=platform.settings.provided.history_window_days,
    )


@asynccontextmanager
async def running_analysis(platform: PlatformContainer) -> AsyncIterator[AnalysisContainer]:
    """The context with its database open; what it still has to write is written at the end."""
    container = AnalysisContainer(platform=platform)
    async with open_database(container.database()):
        service = container.service()
        await service.start()
        try:
            yield container
        finally:
            await service.stop()
