"""`llama-mapper serve` that kills itself when it takes a given step of a release: `STEP WHEN ARGUMENTS…`.

WHEN is `within` the transaction that records the step, or `after` it, when nobody was told of it yet.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from sqlalchemy.ext.asyncio import AsyncConnection

from llama_mapper.adapters.mapping.sql_releases import SqlReleases
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.mapping.releases.events import Event
from llama_mapper.entrypoints.cli.main import main

_append, _writing = SqlReleases.append, Database.writing
_dies = ContextVar("dies", default="")
_step = _when = ""


async def _dying_append(releases: SqlReleases, event: Event, slot: str) -> bool:
    token = _dies.set(_when if event.step.value == _step else "")
    try:
        return await _append(releases, event, slot)
    finally:
        _dies.reset(token)


@asynccontextmanager
async def _dying_writing(database: Database, tenant_id: str | None = None) -> AsyncIterator[AsyncConnection]:
    async with _writing(database, tenant_id) as connection:
        yield connection
        if _dies.get() == "within":
            os.kill(os.getpid(), signal.SIGKILL)
    if _dies.get() == "after":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _step, _when = sys.argv.pop(1), sys.argv.pop(1)
    for place, name, dying in ((SqlReleases, "append", _dying_append), (Database, "writing", _dying_writing)):
        setattr(place, name, dying)
    main()
