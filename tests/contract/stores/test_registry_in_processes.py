"""The registry's use cases over both databases, with more than one process following."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest

from llama_mapper.adapters.orchestration.sql_detector_registry import SqlDetectorRegistry
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.detectors import DetectorChange, DetectorSource, ProbeOutcome
from llama_mapper.domain.contracts.orchestration import DetectorStatus, OrchestrationRequest
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.findings import FindingReader
from llama_mapper.domain.orchestration.ports import Detector, Inspection, RawFinding
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.registry.following import RegistryFollower
from llama_mapper.domain.orchestration.registry.service import DetectorRegistryService
from llama_mapper.domain.orchestration.registry.trial import SAMPLE
from llama_mapper.domain.orchestration.roster import DetectorRoster
from llama_mapper.domain.orchestration.service import OrchestrationService
from tests.support.definitions import Workshop, a_definition
from tests.support.store_places import StorePlace
from tests.unit.orchestration.support import FixedEngine, HmacDigests, NoBundles, ScriptedDetector, raw_plan

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CATALOGUE = load_catalogue()


class Process:
    """All that one process of a service has for the registry."""

    def __init__(self, database: Database, interval_s: float = 1.0) -> None:
        shipped: Detector = ScriptedDetector("shipped", ("pii.personal_identifiers",))
        self.workshop = Workshop(lambda text: Inspection((RawFinding("EMAIL_ADDRESS", 0.9, 0, 4),)))
        self.roster = DetectorRoster(CATALOGUE, {"shipped": shipped})
        fixed = {"shipped": (DetectorSource.SHIPPED, shipped)}
        self.fleet = DetectorFleet(self.roster, fixed, self.workshop.make, CATALOGUE, release=self.workshop.release)
        store = SqlDetectorRegistry(database)
        self.follower = RegistryFollower(store, self.fleet, interval_s)
        self.registry = DetectorRegistryService(
            store,
            self.fleet,
            CATALOGUE,
            FindingReader(CATALOGUE, HmacDigests()),
            self.workshop.make,
            self.workshop.release,
            self.follower.refresh,
            lambda: NOON,
            trial_limit_s=5.0,
        )


@pytest.fixture
async def database(fresh: Fresh) -> Database:
    return await fresh("orchestration")


@pytest.fixture
def here(database: Database) -> Process:
    return Process(database)


@pytest.fixture
async def there(place: StorePlace, database: Database) -> AsyncIterator[Process]:
    again = await place.reopen(database)
    process = Process(again)
    following = asyncio.create_task(process.follower.run())
    yield process
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await again.close()


async def code_of(asked: Awaitable[object]) -> ErrorCode:
    with pytest.raises(ServiceError) as caught:
        await asked
    return caught.value.error_code


async def until(holds: Callable[[], bool], limit_s: float = 30.0) -> float:
    """Seconds until it holds."""
    began = monotonic()
    while not holds():
        assert monotonic() - began < limit_s, "it never came about"
        await asyncio.sleep(0.02)
    return monotonic() - began


async def test_a_registered_detector_was_tried_and_is_in_service(here: Process) -> None:
    made = await here.registry.register(a_definition(), "anna's key\n")
    assert "outside" in here.roster.detectors
    assert made.probe is not None and made.probe.passed
    assert (made.probe.labels, made.probe.unknown_labels) == (("EMAIL_ADDRESS",), ())
    assert (made.detector.revision, made.detector.registered_by) == (1, "anna's key")
    assert made.detector.info is not None and made.detector.info.ready
    tried, served = here.workshop.made
    assert (len(tried.asked), tried.released, served.asked) == (1, 1, [])
    assert all(message.content in tried.asked[0] for message in SAMPLE)


@pytest.mark.parametrize("address", ["http://dead", "http://127.0.0.1:9"])
async def test_a_detector_that_does_not_answer_as_it_should_is_not_stored(here: Process, address: str) -> None:
    here.workshop.behave = lambda text: Inspection((RawFinding("", 7.0),))
    definition = a_definition(url=address)
    assert await code_of(here.registry.register(definition, "anna")) is ErrorCode.DETECTOR_PROBE_FAILED
    assert await here.registry.list() == ()
    waived = await here.registry.register(definition, "anna", probe=False)
    assert waived.probe is None
    assert (await here.registry.history("outside")).items[0].probe is ProbeOutcome.WAIVED


@pytest.mark.parametrize(
    "wrong",
    [
        {"categories": ["no.such"]},
        {"vocabulary": {"X": "pii.personal_identifiers.no_such"}},
        {"credential": {"env": "LLAMA_MAPPER_DATABASE_URL"}},
        {"url": "http://extra"},
    ],
)
async def test_a_definition_that_contradicts_the_catalogue_is_refused(here: Process, wrong: dict[str, Any]) -> None:
    assert await code_of(here.registry.register(a_definition(**wrong), "anna")) is ErrorCode.DETECTOR_INVALID
    assert await here.registry.list() == ()


async def test_what_is_probably_not_meant_is_a_warning(here: Process) -> None:
    odd = a_definition(vendor="nobody_knows", categories=[], credential={"env": "DETECTOR_KEY"})
    assert len((await here.registry.register(odd, "anna")).warnings) == 3
    known = a_definition("other", vendor="nobody_knows", vocabulary={"X": "pii.personal_identifiers"})
    assert (await here.registry.register(known, "anna")).warnings == ()


async def test_names_are_unique_over_all_sources(here: Process) -> None:
    await here.registry.register(a_definition(), "anna")
    for taken in ("outside", "shipped"):
        assert await code_of(here.registry.register(a_definition(taken), "anna")) is ErrorCode.CONFLICT
    assert await code_of(here.registry.delete("shipped", "anna")) is ErrorCode.CONFLICT


async def test_every_change_is_a_revision_and_none_is_lost(here: Process) -> None:
    registry, moved = here.registry, a_definition(url="http://127.0.0.1:2")
    await registry.register(a_definition(), "anna")
    await registry.update("outside", moved, "bert")
    await registry.update("outside", moved, "bert")
    await registry.disable("outside", "carl")
    await registry.disable("outside", "carl")
    assert "outside" not in here.roster.detectors
    assert (await registry.show("outside")).info is None
    await registry.enable("outside", "carl")
    assert "outside" in here.roster.detectors
    await registry.delete("outside", "dora")
    assert "outside" not in here.roster.detectors
    for gone in (registry.show("outside"), registry.enable("outside", "x"), registry.delete("outside", "x")):
        assert await code_of(gone) is ErrorCode.DETECTOR_NOT_FOUND
    await registry.register(a_definition(), "eve")
    history = (await registry.history("outside")).items
    assert [(each.revision, each.change, each.changed_by) for each in history] == [
        (1, DetectorChange.REGISTERED, "anna"),
        (2, DetectorChange.UPDATED, "bert"),
        (3, DetectorChange.DISABLED, "carl"),
        (4, DetectorChange.ENABLED, "carl"),
        (5, DetectorChange.DELETED, "dora"),
        (6, DetectorChange.REGISTERED, "eve"),
    ]
    assert await code_of(registry.history("never")) is ErrorCode.DETECTOR_NOT_FOUND


async def test_a_detector_cannot_be_renamed(here: Process) -> None:
    await here.registry.register(a_definition(), "anna")
    renamed = here.registry.update("outside", a_definition("other"), "anna")
    assert await code_of(renamed) is ErrorCode.INVALID_REQUEST


async def test_of_two_who_register_one_name_at_once_one_succeeds(here: Process, there: Process) -> None:
    outcomes = await asyncio.gather(
        *(process.registry.register(a_definition(), "x") for process in (here, there, here, there)),
        return_exceptions=True,
    )
    refused = [each.error_code for each in outcomes if isinstance(each, ServiceError)]
    assert refused == [ErrorCode.CONFLICT] * 3, outcomes


async def test_a_change_in_one_process_is_in_service_in_another_within_two_seconds(
    here: Process, there: Process
) -> None:
    await until(lambda: there.follower.seen == 0)
    took = []
    await here.registry.register(a_definition(), "anna")
    took.append(await until(lambda: "outside" in there.roster.detectors))
    before = there.roster.detectors["outside"]
    await here.registry.update("outside", a_definition(url="http://127.0.0.1:2"), "anna")
    took.append(await until(lambda: there.roster.detectors["outside"] is not before))
    await here.registry.delete("outside", "anna")
    took.append(await until(lambda: "outside" not in there.roster.detectors))
    # Each is the interval of a second and two quick reads: the median is judged, since a machine may stand still once.
    assert sorted(took)[1] < 2.0, took


async def test_no_request_fails_while_detectors_change(here: Process) -> None:
    async def slow(text: str) -> Inspection:
        await asyncio.sleep(0.005)
        return Inspection()

    await here.registry.register(a_definition(), "anna")
    plan = raw_plan(["outside"], ["shipped"], categories=["pii.personal_identifiers"])
    service = OrchestrationService(
        here.roster,
        FixedEngine(plan),
        NoBundles(),
        [make_bundle("default", "1.0.0", "for tests", {}, {})],
        CATALOGUE,
        HmacDigests(),
        "0.0.1",
        1000,
    )
    over = False
    answered = 0

    async def ask() -> None:
        nonlocal answered
        while not over:
            answer = await service.orchestrate(OrchestrationRequest(content="mail", tenant_id="acme"))
            assert [each.status for each in answer.detector_results] == [DetectorStatus.SUCCESS] * 2
            answered += 1
            await asyncio.sleep(0)

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    for port in range(2, 12):
        await here.registry.update("outside", a_definition(url=f"http://127.0.0.1:{port}"), "anna")
    over = True
    await asyncio.gather(*asking)
    assert answered > 10


async def test_a_database_that_is_away_leaves_everything_in_service_and_is_told(
    fresh: Fresh, place: StorePlace
) -> None:
    database = await fresh("orchestration")
    process = Process(database, interval_s=0.02)
    await process.registry.register(a_definition(), "anna")
    await database.close()
    following = asyncio.create_task(process.follower.run())
    await until(lambda: "registry" in process.fleet.notes())
    assert "outside" in process.roster.detectors
    await database.open()
    await until(lambda: process.fleet.notes() == {})
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
