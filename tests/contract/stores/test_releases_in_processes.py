"""Releases with more than one process: they follow, count and judge together, and die at the worst moments."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from llama_mapper.adapters.mapping.sql_releases import SqlReleases
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.releases import ReleaseNote, ReleaseState, ReleaseStep
from llama_mapper.domain.mapping.releases.tally import Outcome
from tests.support.release_program import COUNTED
from tests.support.releases import ANNA, MODEL, NOON, Process, canary
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def database(fresh: Fresh) -> Database:
    return await fresh("mapping")


@pytest.fixture
async def there(place: StorePlace, database: Database) -> AsyncIterator[Process]:
    again = await place.reopen(database)
    process = Process(SqlReleases(again), lambda: NOON)
    following = asyncio.create_task(process.router.run())
    yield process
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await again.close()


def version_of(process: Process) -> str:
    variant = process.router.route(MODEL).assign("acme", "x").variant
    assert variant is not None
    return variant.version


async def until(holds: Callable[[], bool], limit_s: float = 30.0) -> float:
    began = monotonic()
    while not holds():
        assert monotonic() - began < limit_s, "it never came about"
        await asyncio.sleep(0.02)
    return monotonic() - began


async def test_a_step_in_one_process_holds_in_another_within_two_seconds(database: Database, there: Process) -> None:
    here = Process(SqlReleases(database), lambda: NOON)
    await until(lambda: version_of(there) == "v1" and there.router.trouble is None)
    took = []
    for _ in range(3):
        release = await here.releases.start(canary(stages=(100.0,)), ANNA)
        took.append(await until(lambda: version_of(there) == "v2"))
        await here.releases.roll_back(release.id, ReleaseNote(), ANNA)
        took.append(await until(lambda: version_of(there) == "v1"))
    # Each is the interval of a second and two quick reads: the median is judged, since a machine may stand still once.
    assert sorted(took)[len(took) // 2] < 2.0, took


async def test_while_the_records_are_away_what_held_goes_on(database: Database, place: StorePlace) -> None:
    again = await place.reopen(database)
    process = Process(SqlReleases(again), lambda: NOON, interval_s=0.02)
    await process.releases.start(canary(stages=(100.0,)), ANNA)
    await process.router.refresh()
    await again.close()
    following = asyncio.create_task(process.router.run())
    await until(lambda: process.router.trouble is not None)
    assert version_of(process) == "v2"
    await again.open()
    await until(lambda: process.router.trouble is None)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await again.close()


async def test_many_controllers_at_once_take_a_step_once(database: Database, place: StorePlace) -> None:
    others = [await place.reopen(database) for _ in range(2)]
    processes = [Process(SqlReleases(each), lambda: NOON + timedelta(hours=1)) for each in (database, *others)]
    release = await Process(SqlReleases(database), lambda: NOON).releases.start(canary(), ANNA)
    processes[0].observations.add(release.id, "candidate", Outcome(labels=1))
    for _ in range(30):
        processes[1].observations.add(release.id, "candidate", Outcome(labels=1))
    await asyncio.gather(*(process.observations.flush() for process in processes))
    assert (await processes[2].records.tallies(release.id))["candidate"].requests == 31
    leads = await asyncio.gather(*(process.controller.round() for process in processes))
    assert sorted(leads) == [False, False, True]
    assert [each.step for each in await processes[0].records.log(release.id)] == [
        ReleaseStep.STARTED,
        ReleaseStep.ADVANCED,
    ]
    for each in others:
        await each.close()


@pytest.mark.parametrize("when", ["before", "within", "after"])
@pytest.mark.parametrize("what", ["advance", "count"])
async def test_a_process_killed_at_work_leaves_nothing_half_done_and_nothing_doubled(
    database: Database, what: str, when: str
) -> None:
    process = Process(SqlReleases(database), lambda: NOON + timedelta(hours=2))
    starter = Process(SqlReleases(database), lambda: NOON)
    release = await starter.releases.start(canary(min_requests=COUNTED), ANNA)
    url = database.url
    location = str(Path(str(url.database)).parent) if database.is_sqlite else url.render_as_string(hide_password=False)
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.release_program",
        location,
        what,
        when,
        cwd=ROOT,
        env=dict(os.environ),
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await asyncio.wait_for(program.communicate(), timeout=120)
    assert program.returncode == -9, told.decode()[-2000:]
    # PostgreSQL notices that its client is gone when it next writes to it; until then a transaction may be open.
    counted = (await process.records.tallies(release.id)).get("candidate")
    is_lost = what == "count" and when != "after"
    assert (0 if counted is None else counted.requests) == (0 if is_lost else COUNTED)
    events = [each.step for each in await process.records.log(release.id)]
    advanced = what == "advance" and when == "after"
    assert events == [ReleaseStep.STARTED, *([ReleaseStep.ADVANCED] if advanced else [])]
    for _ in range(2):
        await process.controller.round()
    events = [each.step for each in await process.records.log(release.id)]
    assert events.count(ReleaseStep.ADVANCED) == (0 if is_lost else 1)
    shown = await process.releases.release(release.id)
    assert (shown.state, shown.stage) == (ReleaseState.RUNNING, 0 if is_lost else 1)
