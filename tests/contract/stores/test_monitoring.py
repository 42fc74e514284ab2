"""`WindowStore` and `ChangeEvents`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from llama_mapper.adapters.mapping.sql_catalogue_documents import SqlCatalogueDocuments
from llama_mapper.adapters.mapping.sql_changes import _DOCUMENTS, SqlChanges
from llama_mapper.adapters.mapping.sql_models import SqlModels
from llama_mapper.adapters.mapping.sql_monitoring import SqlMonitoring
from llama_mapper.adapters.mapping.tables import CROSSWALK_DEPLOYMENTS, RELEASE_EVENTS, REVIEW_DECISIONS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.curation import Curator, DocumentStep
from llama_mapper.domain.contracts.models import (
    ModelArtifact,
    ModelDoor,
    ModelKind,
    ModelManifest,
    ModelStage,
    ModelStep,
)
from llama_mapper.domain.contracts.monitoring import (
    ChangeKind,
    MonitoringAlert,
    MonitoringAlertKind,
    ReferenceSpan,
)
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.documents.ports import DocumentKind, NewDocument
from llama_mapper.domain.mapping.models.events import Event, StoredVersion
from llama_mapper.domain.mapping.monitoring.ports import Part, WindowStore
from llama_mapper.domain.mapping.monitoring.tally import Dimension, Tally
from llama_mapper.domain.mapping.monitoring.windows import KEPT, Span, Width
from tests.support.loops import LoopThread
from tests.support.store_machines import TENANTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
START = int(NOON.timestamp())
DAY = Span(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


def _tally(labels: int, vendor: str = "presidio") -> Tally:
    tally = Tally()
    tally.at(Dimension.ALL, "all").labels = labels
    tally.at(Dimension.VENDOR, vendor).labels = labels
    return tally


def _part(labels: int, sequence: int = 1, *, writer: str = "w", start: int = START, width: Width = Width.HOUR) -> Part:
    return Part(width, start, writer, sequence, _tally(labels))


async def _labels(store: WindowStore, tenant: str, width: Width = Width.HOUR) -> dict[int, int]:
    return {each.start: each.tally.all.labels for each in await store.windows(tenant, width, DAY)}


@pytest.fixture
async def store(fresh: Fresh) -> WindowStore:
    return SqlMonitoring(await fresh("mapping"))


async def test_a_writers_later_count_takes_the_earlier_ones_place_and_never_the_other_way(store: WindowStore) -> None:
    for labels, sequence in ((5, 1), (9, 3), (7, 2), (9, 3)):
        await store.put("acme", [_part(labels, sequence)])
    assert await _labels(store, "acme") == {START: 9}


async def test_what_several_writers_counted_adds_up_and_tenants_and_widths_stay_apart(store: WindowStore) -> None:
    await store.put("acme", [_part(5), _part(6, writer="v"), _part(1, width=Width.MINUTE, start=START + 60)])
    await store.put("beta", [_part(100)])
    await store.put(EVERYONE, [_part(111)])
    assert await _labels(store, "acme") == {START: 11}
    assert await _labels(store, "acme", Width.MINUTE) == {START + 60: 1}
    assert await _labels(store, "beta") == {START: 100}
    assert await _labels(store, EVERYONE) == {START: 111}
    (window,) = await store.windows("acme", Width.HOUR, DAY)
    assert window.tally.of(Dimension.VENDOR)["presidio"].labels == 11


async def test_the_same_parts_from_five_tasks_at_once_count_once(store: WindowStore) -> None:
    await asyncio.gather(*[store.put("acme", [_part(5), _part(6, writer="v")]) for _ in range(5)])
    assert await _labels(store, "acme") == {START: 11}


async def test_a_span_has_the_windows_that_start_in_it_in_order(store: WindowStore) -> None:
    await store.put("acme", [_part(number + 1, start=START + number * 3600) for number in (3, 1, 2, 0)])
    span = Span(NOON + timedelta(hours=1), NOON + timedelta(hours=3))
    assert [each.tally.all.labels for each in await store.windows("acme", Width.HOUR, span)] == [2, 3]


async def test_minutes_are_forgotten_after_two_days_and_hours_are_not(store: WindowStore) -> None:
    for width in Width:
        await store.put("acme", [_part(1, width=width)])
    later = START + int(KEPT[Width.MINUTE].total_seconds()) + 3600
    for width in Width:
        await store.put("acme", [_part(1, width=width, start=later)])
    assert await _labels(store, "acme", Width.MINUTE) == {}
    assert await _labels(store, "acme") == {START: 1}


async def test_a_reference_is_replaced_and_removed(store: WindowStore) -> None:
    assert await store.reference("acme") is None
    for by in ("anna", "bert"):
        reference = ReferenceSpan(since=NOON - timedelta(days=7), until=NOON, set_at=NOON, set_by=by)
        await store.set_reference("acme", reference)
        assert await store.reference("acme") == reference
    assert await store.reference("beta") is None
    for _ in range(2):
        await store.set_reference("acme", None)
        assert await store.reference("acme") is None


async def test_an_alert_is_kept_once_a_day_for_each_kind_and_subject(store: WindowStore) -> None:
    def alert(
        kind: MonitoringAlertKind = MonitoringAlertKind.DRIFT, subject: str = "stage", days: int = 0
    ) -> MonitoringAlert:
        at = NOON + timedelta(days=days)
        return MonitoringAlert(at=at, day=at.date(), kind=kind, subject=subject, value=0.4, threshold=0.25)

    assert await store.alert("acme", alert())
    assert not await store.alert("acme", alert())
    assert await store.alert("acme", alert(subject="vendor"))
    assert await store.alert("acme", alert(MonitoringAlertKind.ANOMALY))
    assert await store.alert("beta", alert())
    assert await store.alert("acme", alert(days=1))
    assert [one.day.day for one in await store.alerts("acme", 2)] == [11, 10]
    assert len(await store.alerts("acme", 10)) == 4
    assert await store.alerts("acme", 1) == [alert(days=1)]


async def test_what_runs_is_noted_when_it_changes_and_told_from_the_second_time_on(fresh: Fresh) -> None:
    changes = SqlChanges(await fresh("mapping"))
    marks = {"service": "1.0", "settings.mapping_threshold": "aa", "catalogue.taxonomy": "3"}
    for hour, more in enumerate(({}, {}, {"settings.mapping_threshold": "bb"}, {"service": "1.1"})):
        marks |= more
        await changes.note(marks, NOON + timedelta(hours=hour))
    found = await changes.between("acme", DAY, 10)
    assert [(one.at.hour, one.kind, one.subject, one.step) for one in found] == [
        (15, ChangeKind.SERVICE, "1.1", "now 1.1"),
        (14, ChangeKind.SETTINGS, "mapping_threshold", "changed"),
    ]
    assert all(one.everyone for one in found)
    assert len(await changes.between("acme", DAY, 1)) == 1


async def test_a_tenants_changes_are_its_own_and_everyones(fresh: Fresh) -> None:
    database = await fresh("mapping")
    changes, documents, models = SqlChanges(database), SqlCatalogueDocuments(database), SqlModels(database)
    curator = Curator(name="anna", door=Door.HTTP, role="admin", keyless=False)
    content = {"labels": {"SECRET": "pii.contact_information"}}
    vocabulary = NewDocument(
        DocumentKind.VOCABULARY,
        "acme_codes",
        1,
        DocumentStep.UPLOADED,
        "sha256:0",
        content,
        "3",
        None,
        curator,
        NOON,
        "",
    )
    await documents.add("acme", vocabulary)
    who = {"who": "anna", "door": "http", "keyless": False, "note": "a note"}
    rows = {
        CROSSWALK_DEPLOYMENTS: {
            "tenant_id": EVERYONE, "number": 1, "position": 1, "step": "deployed", "version": "7", "percent": 20,
            "accuracy": 1.0, "role": "admin",
        },
        REVIEW_DECISIONS: {
            "tenant_id": "acme", "review_id": "r1", "number": 1, "position": 1, "step": "corrected",
            "canonical": "pii.contact_information", "role": "admin",
        },
    }  # fmt: skip
    for table, row in rows.items():
        async with database.writing(str(row["tenant_id"])) as connection:
            await connection.execute(table.insert(), {**row, **who, "at": NOON - timedelta(hours=1)})
    release = {
        "release_id": "x", "number": 1, "kind": "model", "step": "completed", "settles": "m@2", "settled_after": 0,
        "at": NOON - timedelta(hours=2), "holds": False, "is_experiment": False, "detail": "{}",
    }  # fmt: skip
    async with database.writing() as connection:
        await connection.execute(RELEASE_EVENTS.insert(), {**release, **who})
    manifest = ModelManifest(
        name="m",
        version="1.0.0",
        kind=ModelKind.MAPPER,
        base_model="tiny",
        artifacts=(ModelArtifact(path="a", sha256="0" * 64, size=0),),
    )
    event = Event(1, ModelStep.REGISTERED, "1.0.0", ModelStage.CANDIDATE, "anna", ModelDoor.HTTP, False, NOON, "a note")
    for owner in (EVERYONE, "beta"):
        await models.append(owner, "m", event, StoredVersion(manifest, "sha256:0", b"{}"))
    told = await changes.between("acme", DAY, 10)
    assert [(one.kind, one.subject, one.step, one.everyone) for one in told] == [
        (ChangeKind.VOCABULARY, "acme_codes", "uploaded", False),
        (ChangeKind.MODEL, "m@1.0.0", "registered", True),
        (ChangeKind.REVIEW, "pii.contact_information", "corrected", False),
        (ChangeKind.CROSSWALK, "7 20 %", "deployed", True),
        (ChangeKind.RELEASE, "model: m@2", "completed", True),
    ]
    assert sorted(one.kind.value for one in await changes.between("beta", DAY, 10)) == [
        "crosswalk", "model", "model", "release",
    ]  # fmt: skip
    assert not {"anna", "a note", "SECRET"} & set(str(told).replace("'", " ").split())


class WindowMachine(StoreMachine):
    """Parts in any order, some of them again, against what the highest sequences say."""

    context = "mapping"

    def __init__(self) -> None:
        super().__init__()
        self.store = SqlMonitoring(self.database)
        self.newest: dict[tuple[str, int, str], tuple[int, int]] = {}

    @rule(
        tenant=TENANTS,
        hours=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
        writer=st.sampled_from("vw"),
        sequence=st.integers(1, 4),
        labels=st.integers(0, 9),
    )
    def put(self, tenant: str, hours: list[int], writer: str, sequence: int, labels: int) -> None:
        """Write some windows."""
        starts = [START + hour * 3600 for hour in hours]
        self.do(self.store.put(tenant, [_part(labels, sequence, writer=writer, start=start) for start in starts]))
        for start in starts:
            key = tenant, start, writer
            if self.newest.get(key, (0, 0))[0] < sequence:
                self.newest[key] = sequence, labels

    @rule(tenant=TENANTS)
    def read(self, tenant: str) -> None:
        """A tenant sees the sum of its writers and nothing of others."""
        expected: dict[int, int] = {}
        for (owner, start, _), (_, labels) in self.newest.items():
            if owner == tenant:
                expected[start] = expected.get(start, 0) + labels
        assert self.do(_labels(self.store, tenant)) == expected


def test_any_sequence_of_parts_adds_up(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(WindowMachine, place, loop_thread)


def test_every_document_that_decides_how_labels_are_mapped_is_told_as_a_change() -> None:
    assert set(_DOCUMENTS) == {kind.value for kind in DocumentKind} - {DocumentKind.TEMPLATE.value}
