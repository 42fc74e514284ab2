"""The releases of an installation, for commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.evolution.defaults import DefaultVersions
from llama_mapper.domain.contracts.releases import ReleaseActor, ReleaseDoor
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.releases.experiments import ExperimentService
from llama_mapper.domain.mapping.releases.service import ReleaseService
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.identity import open_api_keys
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.releases import Releases, releases_over

if TYPE_CHECKING:
    from llama_mapper.entrypoints.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenReleases:
    """Releases and experiments, and who works on them here."""

    releases: ReleaseService
    experiments: ExperimentService
    actor: ReleaseActor
    schemas: DefaultVersions
    """Which versions of schemas callers get who name none."""


@asynccontextmanager
async def open_releases(settings: Settings, person: str, *, validates: bool = False) -> AsyncIterator[OpenReleases]:
    """The installation's releases, for the person who runs the command; running servers follow by themselves.

    One who `validates` has models and stages, too, to try a version with.
    """
    async with open_api_keys(settings) as identity:
        keyless = not await identity.keys.list()
    try:
        actor = ReleaseActor(name=person, door=ReleaseDoor.COMMAND, keyless=keyless)
    except ValueError:
        raise ValidationError("a person's name has 1 to 128 printable characters") from None
    platform = PlatformContainer(settings=settings)
    if validates:
        from llama_mapper.entrypoints.containers.mapping import running_mapping

        async with running_mapping(platform) as mapping:
            await mapping.watch().wait(settings.release_suite_timeout_s)
            yield _opened(mapping.releases(), platform, actor)
        return
    async with open_database(database_for(settings, "mapping")) as database:
        found = releases_over(database, settings, platform.catalogue(), platform.clock(), schemas=platform.schemas())
        await found.router.refresh()
        yield _opened(found, platform, actor)


def _opened(found: Releases, platform: PlatformContainer, actor: ReleaseActor) -> OpenReleases:
    configured = platform.settings().schema_defaults
    schemas = DefaultVersions(platform.schemas()(), found.router.schemas, configured)
    return OpenReleases(found.service, found.experiments, actor, schemas)
