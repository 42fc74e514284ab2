"""`DetectorRecords`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from llama_mapper.adapters.orchestration.sql_detector_records import SqlDetectorRecords
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorRecord, DetectorRecords
from tests.support.loops import LoopThread
from tests.support.store_machines import MOMENTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def a_descriptor(name: str, version: str = "1", vendor: str = "vendor") -> DetectorDescriptor:
    return DetectorDescriptor(name, vendor, version, ("pii.contact", "pii.identity"), ("EMAIL",), (), 0.1)


@pytest.fixture
async def records(fresh: Fresh) -> DetectorRecords:
    return SqlDetectorRecords(await fresh("orchestration"))


async def test_a_new_version_adds_a_record_and_a_known_one_moves_on(records: DetectorRecords) -> None:
    later = NOON + timedelta(microseconds=1)
    await records.observe([a_descriptor("b"), a_descriptor("a", "2")], NOON)
    await records.observe([a_descriptor("b"), a_descriptor("a", "1")], later)
    await records.observe([a_descriptor("b")], NOON - timedelta(days=1))
    categories = ("pii.contact", "pii.identity")
    assert await records.list() == [
        DetectorRecord("a", "vendor", "2", categories, NOON, NOON),
        DetectorRecord("a", "vendor", "1", categories, later, later),
        DetectorRecord("b", "vendor", "1", categories, NOON, later),
    ]


async def test_processes_that_start_together_do_not_block_each_other(records: DetectorRecords) -> None:
    descriptors = [a_descriptor(f"d{number}") for number in range(20)]
    await asyncio.gather(*(records.observe(descriptors[:: (-1) ** n], NOON) for n in range(50)))
    assert len(await records.list()) == 20


class RecordMachine(StoreMachine):
    context = "orchestration"
    descriptors = st.builds(
        a_descriptor, st.sampled_from(["a", "B", "é"]), st.sampled_from("12"), st.sampled_from("vw")
    )

    def __init__(self) -> None:
        super().__init__()
        self.records: DetectorRecords = SqlDetectorRecords(self.database)
        self.model: dict[tuple[str, str, str], DetectorRecord] = {}

    @rule(descriptors=st.lists(descriptors, max_size=5), at=MOMENTS)
    def observe(self, descriptors: list[DetectorDescriptor], at: datetime) -> None:
        self.do(self.records.observe(descriptors, at))
        for each in descriptors:
            key = (each.name, each.vendor, each.vendor_version)
            known = self.model.get(key)
            first, last = (known.first_seen, max(known.last_seen, at)) if known else (at, at)
            self.model[key] = DetectorRecord(*key, each.categories, first, last)

    @invariant()
    def lists_as_the_model(self) -> None:
        expected = sorted(self.model.values(), key=lambda r: (r.name, r.first_seen, r.vendor, r.vendor_version))
        assert self.do(self.records.list()) == expected


def test_any_sequence_of_calls_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(RecordMachine, place, loop_thread)
