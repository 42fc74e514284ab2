"""Following what defines detectors while the service runs: the registry, files, DNS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.detectors import DetectorDefinition, DetectorSource
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ConfigurationError, ServiceError
from llama_mapper.domain.orchestration.registry.checks import check_definition
from llama_mapper.domain.orchestration.registry.following import kept_running
from llama_mapper.entrypoints.settings import Settings

if TYPE_CHECKING:
    from llama_mapper.adapters.orchestration.discovery.file_source import FileSource
    from llama_mapper.adapters.orchestration.discovery.srv_source import SrvSource
    from llama_mapper.domain.orchestration.ports import DetectorRecords
    from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
    from llama_mapper.domain.orchestration.registry.following import RegistryFollower
    from llama_mapper.domain.orchestration.registry.ports import DetectorCatalogue

_AGAIN_S = 5.0


@asynccontextmanager
async def following_definitions(
    settings: Settings,
    fleet: DetectorFleet,
    follower: RegistryFollower,
    records: DetectorRecords,
    catalogue: DetectorCatalogue,
    clock: Clock,
) -> AsyncIterator[None]:
    """Every source read once, then followed until the end of the block; DNS answers when it answers.

    Raises `CONFIGURATION_INVALID` for settings that cannot be followed. A database that cannot be read now is told and
    tried again, not an error.
    """
    runs: list[tuple[DetectorSource, Callable[[], Awaitable[None]]]] = [(DetectorSource.REGISTRY, follower.run)]
    if settings.detector_files:
        files = file_source(settings, fleet, catalogue, clock)
        await files.refresh()
        runs.append((DetectorSource.FILE, files.run))
    if settings.detector_srv:
        runs.append((DetectorSource.DNS, srv_source(settings, fleet, catalogue, clock).run))
    with suppress(ServiceError):  # the follower tells it
        await follower.refresh()
    tasks = [asyncio.create_task(kept_running(run, partial(_tell, fleet, source), _AGAIN_S)) for source, run in runs]
    tasks.append(asyncio.create_task(_observing(fleet, records, clock)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        fleet.close()


async def _observing(fleet: DetectorFleet, records: DetectorRecords, clock: Clock) -> None:
    """Note every detector version that comes into service; what cannot be written now is written later."""
    noted: object = None
    while True:
        descriptors = fleet.descriptors()
        if descriptors != noted:
            with suppress(ServiceError):
                await records.observe(descriptors, clock())
                noted = descriptors
        await asyncio.sleep(_AGAIN_S)


def file_source(settings: Settings, fleet: DetectorFleet, catalogue: DetectorCatalogue, clock: Clock) -> FileSource:
    """The definitions in the files that the settings name."""
    from llama_mapper.adapters.orchestration.discovery.file_source import FileSource

    def check(definition: DetectorDefinition) -> Sequence[str]:
        return check_definition(definition, catalogue)

    return FileSource(settings.detector_files, fleet, check, clock)


def srv_source(settings: Settings, fleet: DetectorFleet, catalogue: DetectorCatalogue, clock: Clock) -> SrvSource:
    """The detectors whose addresses DNS tells; raise `CONFIGURATION_INVALID` for a template that cannot be read."""
    from llama_mapper.adapters.orchestration.discovery.definition_files import read_definition
    from llama_mapper.adapters.orchestration.discovery.srv_dnspython import DnspythonSrv
    from llama_mapper.adapters.orchestration.discovery.srv_records import srv_entry
    from llama_mapper.adapters.orchestration.discovery.srv_source import SrvSource

    templates: dict[str, DetectorDefinition] = {}
    for entry in settings.detector_srv:
        name, file = srv_entry(entry)
        try:
            templates[name] = read_definition(file)
            check_definition(templates[name], catalogue)
        except ServiceError as error:
            raise ConfigurationError(f"detector_srv: {file.name}: {error.message}") from error
    return SrvSource(templates, DnspythonSrv(settings.detector_srv_server), fleet, clock)


def _tell(fleet: DetectorFleet, source: DetectorSource, error: str) -> None:
    fleet.trouble(source, f"following it broke off ({error}) and begins again")


def definition_in(file: Path) -> DetectorDefinition:
    """The one definition in a file; raise `CONFIGURATION_INVALID`."""
    from llama_mapper.adapters.orchestration.discovery.definition_files import read_definition

    try:
        return read_definition(file)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error.message}") from error
