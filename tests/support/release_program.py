"""A process that looks after releases and kills itself at a given point: `LOCATION WHAT WHEN`.

WHAT is `advance` or `count`; WHEN is `before` the transaction, `within` it, or `after` it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from llama_mapper.adapters.mapping.sql_releases import SqlReleases
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.mapping.releases.tally import Outcome
from tests.support.releases import NOON, Process

COUNTED = 7


class DyingDatabase(Database):
    """Kills the process in its next writing transaction once it is armed."""

    when = ""

    @asynccontextmanager
    async def writing(self, tenant_id: str | None = None) -> AsyncIterator[AsyncConnection]:
        """See `Database.writing`."""
        if self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        async with super().writing(tenant_id) as connection:
            yield connection
            if self.when == "within":
                os.kill(os.getpid(), signal.SIGKILL)
        if self.when == "after":
            os.kill(os.getpid(), signal.SIGKILL)


class DyingReleases(SqlReleases):
    """Arms the database when a step or a batch is written."""

    def __init__(self, database: DyingDatabase, what: str, when: str) -> None:
        super().__init__(database)
        self._dying, self._what, self._when = database, what, when

    def _armed(self, now: str) -> None:
        self._dying.when = self._when if now == self._what else ""

    async def append(self, *arguments: object) -> bool:
        """See `ReleaseRecords.append`."""
        self._armed("advance")
        return await super().append(*arguments)  # type: ignore[arg-type]  # passed on

    async def count(self, *arguments: object) -> None:
        """See `ReleaseRecords.count`."""
        self._armed("count")
        await super().count(*arguments)  # type: ignore[arg-type]  # passed on


async def main(location: str, what: str, when: str) -> None:
    """Count something, then judge; one of the two is the end."""
    database = DyingDatabase(location, "mapping")
    await database.open()
    process = Process(DyingReleases(database, what, when), lambda: NOON + timedelta(hours=1))
    release_id = (await process.records.standing()).live[0][0].release_id
    for _ in range(COUNTED):
        process.observations.add(release_id, "candidate", Outcome(labels=1))
    await process.observations.flush()
    await process.controller.round()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
