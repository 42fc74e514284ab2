"""Opening the registry of detectors alone, for the commands that manage it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llama_mapper.domain.contracts.detectors import DetectorRegistryApi
from llama_mapper.entrypoints.containers.databases import open_database
from llama_mapper.entrypoints.containers.definitions import file_source
from llama_mapper.entrypoints.containers.orchestration import OrchestrationContainer
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings


@asynccontextmanager
async def open_detector_registry(settings: Settings) -> AsyncIterator[DetectorRegistryApi]:
    """The installation's registry; no detector is started, and running servers follow by themselves."""
    platform = PlatformContainer(settings=settings)
    container = OrchestrationContainer(platform=platform)
    async with open_database(container.database()):
        fleet = container.fleet()
        try:
            if settings.detector_files:
                await file_source(settings, fleet, platform.catalogue(), platform.clock()).refresh()
            await container.follower().refresh()
            yield container.registry()
        finally:
            fleet.close()
            await container.remote().close()
