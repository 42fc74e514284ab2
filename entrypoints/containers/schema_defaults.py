"""Wiring of default versions of schemas: over the releases of this process, or over a link to where they are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from llama_mapper.adapters.platform.jsonschema_validity import JsonSchemaValidity
from llama_mapper.domain.contracts.schema_defaults import SchemaCount, SchemaCounts, SchemaStanding
from llama_mapper.domain.mapping.releases.observations import Observations
from llama_mapper.domain.mapping.releases.ports import CountRecords
from llama_mapper.domain.mapping.releases.router import ReleaseRouter
from llama_mapper.domain.mapping.releases.tally import Outcome, Tally
from llama_mapper.entrypoints.schema_defaults import INTERVAL_S, SchemaDefaults, SchemaReleaseLink, SchemaReleases

LINK_INTERVAL_S = 1.0
"""Between two looks over a link."""

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.evolution.versions import SchemaVersions
    from llama_mapper.entrypoints.settings import Settings


class OwnSchemaReleases:
    """Keeps `SchemaReleases` and `SchemaReleaseLink` over the releases that this process follows."""

    def __init__(self, router: ReleaseRouter, observations: Observations, records: CountRecords) -> None:
        self._router = router
        self._observations = observations
        self._records = records

    async def standing(self) -> SchemaStanding:
        """See `SchemaReleases.standing`."""
        return self._router.schemas

    def count(self, release_id: str, arm: str, outcome: Outcome) -> None:
        """See `SchemaReleases.count`."""
        self._observations.add(release_id, arm, outcome)

    async def take(self, counts: SchemaCounts) -> None:
        """See `SchemaReleaseLink.take`; what is counted of releases that are over is not kept."""
        live = {trial.release_id for trial in self._router.schemas.trials}
        tallies = {(each.release_id, each.arm): _tally(each) for each in counts.items if each.release_id in live}
        await self._records.count(counts.writer, counts.sequence, tallies)


class LinkedSchemaReleases:
    """Keeps `SchemaReleases` over a link; what is counted here is sent in batches."""

    def __init__(self, link: SchemaReleaseLink, on_failure: Callable[[str], None] = lambda _: None) -> None:
        self._link = link
        self.observations = Observations(_LinkedCounts(link), on_failure=on_failure)

    async def standing(self) -> SchemaStanding:
        """See `SchemaReleases.standing`."""
        standing = await self._link.standing()
        self.observations.keep_only({trial.release_id for trial in standing.trials})
        return standing

    def count(self, release_id: str, arm: str, outcome: Outcome) -> None:
        """See `SchemaReleases.count`."""
        self.observations.add(release_id, arm, outcome)


class _LinkedCounts:
    """Keeps `CountRecords` over a link."""

    def __init__(self, link: SchemaReleaseLink) -> None:
        self._link = link

    async def count(self, writer: str, sequence: int, tallies: Mapping[tuple[str, str], Tally]) -> None:
        """See `CountRecords.count`."""
        items = tuple(_count(release_id, arm, tally) for (release_id, arm), tally in tallies.items())
        await self._link.take(SchemaCounts(writer=writer, sequence=sequence, items=items))


@asynccontextmanager
async def running_schema_defaults(
    settings: Settings,
    schemas: Callable[[], SchemaVersions],
    releases: SchemaReleases,
    *,
    interval_s: float = INTERVAL_S,
) -> AsyncIterator[SchemaDefaults]:
    """The default versions, followed until the end of the block.

    Raises `CONFIGURATION_INVALID` if the settings name a version that is not served.
    """
    defaults = SchemaDefaults(schemas, settings.schema_defaults, releases, JsonSchemaValidity(), interval_s=interval_s)
    if settings.schema_defaults:
        _ = defaults.now
    following = [asyncio.create_task(defaults.run())]
    if isinstance(releases, LinkedSchemaReleases):
        following.append(asyncio.create_task(releases.observations.run()))
    try:
        yield defaults
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


def linked_schema_releases(link: SchemaReleaseLink) -> LinkedSchemaReleases:
    """The releases of schemas behind a link; what cannot be sent is logged and sent with the next batch."""

    def told(error: str) -> None:
        structlog.get_logger("llama_mapper.releases").warning("release_work_failed", what="counting", error=error)

    return LinkedSchemaReleases(link, told)


def _count(release_id: str, arm: str, tally: Tally) -> SchemaCount:
    plain = tally.plain()
    fields = {name: plain[name] for name in ("requests", "errors", "labels", "invalid", "latency")}
    return SchemaCount(release_id=release_id, arm=arm, **fields)


def _tally(count: SchemaCount) -> Tally:
    return Tally.read(count.model_dump(exclude={"release_id", "arm"}))
