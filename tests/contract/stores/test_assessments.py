"""`AssessmentStore`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.assessment.ports import AssessmentRow, AssessmentStore
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, StoreError
from llama_mapper.domain.kernel.ids import new_id
from tests.support.loops import LoopThread
from tests.support.store_machines import MOMENTS, TENANTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]


def a_row(tenant: str = "acme", *, id: str | None = None, body: bytes = b"{}", action: str = "allow") -> AssessmentRow:
    return AssessmentRow(id or new_id("as"), tenant, datetime.now(UTC), action, "LOW", 0.75, body)


@pytest.fixture
async def store(fresh: Fresh) -> AssessmentStore:
    return SqlAssessments(await fresh("assessment"))


async def test_a_saved_body_comes_back_byte_for_byte(store: AssessmentStore) -> None:
    row = a_row(body=bytes(range(256)) * 64)
    await store.save(row)
    assert await store.get("acme", row.id) == row.body


async def test_a_taken_id_is_a_conflict_and_the_first_record_stays(store: AssessmentStore) -> None:
    row = a_row(body=b"first")
    await store.save(row)
    with pytest.raises(ServiceError) as caught:
        await store.save(a_row(id=row.id, body=b"second"))
    assert (caught.value.error_code, caught.value.retryable) == (ErrorCode.CONFLICT, False)
    assert await store.get("acme", row.id) == b"first"


async def test_another_tenants_record_is_as_absent_as_none(store: AssessmentStore) -> None:
    row = a_row("acme")
    await store.save(row)
    assert await store.get("globex", row.id) is None
    assert await store.list("globex", limit=10) == []
    await store.save(a_row("globex", id=row.id, body=b"theirs"))
    assert await store.get("acme", row.id) == row.body


async def test_records_are_listed_newest_id_first_and_page_by_page(store: AssessmentStore) -> None:
    rows = [a_row(id=f"as_{number:03d}") for number in range(7)]
    for row in rows:
        await store.save(row)
    first = await store.list("acme", limit=4)
    second = await store.list("acme", limit=4, before=first[-1].id)
    assert first + second == rows[::-1]


@pytest.mark.parametrize("limit", [0, 1001])
async def test_a_limit_out_of_range_is_refused(store: AssessmentStore, limit: int) -> None:
    with pytest.raises(ServiceError) as caught:
        await store.list("acme", limit=limit)
    assert caught.value.error_code is ErrorCode.INVALID_REQUEST


async def test_fifty_concurrent_saves_all_stay(store: AssessmentStore) -> None:
    rows = [a_row(f"tenant{number % 5}") for number in range(50)]
    await asyncio.gather(*(store.save(row) for row in rows))
    assert [await store.get(row.tenant_id, row.id) for row in rows] == [row.body for row in rows]


async def test_of_concurrent_saves_under_one_id_exactly_one_succeeds(store: AssessmentStore) -> None:
    rows = [a_row(id="as_same", body=str(number).encode()) for number in range(20)]
    outcomes = await asyncio.gather(*(store.save(row) for row in rows), return_exceptions=True)
    kept = [row.body for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
    assert kept == [await store.get("acme", "as_same")]
    assert {e.error_code for e in outcomes if isinstance(e, ServiceError)} == {ErrorCode.CONFLICT}


async def test_a_row_that_the_database_refuses_fails_alone(store: AssessmentStore) -> None:
    rows = [a_row() for _ in range(5)]
    bad = a_row(action="secret-marker\udcff")
    outcomes = await asyncio.gather(*(store.save(row) for row in [*rows, bad]), return_exceptions=True)
    assert outcomes[:5] == [None] * 5
    assert isinstance(outcomes[5], StoreError)
    assert not outcomes[5].retryable
    assert "secret-marker" not in str(outcomes[5])
    assert outcomes[5].__suppress_context__
    assert await store.get("acme", bad.id) is None


async def test_a_cancelled_save_does_not_disturb_the_others(store: AssessmentStore) -> None:
    rows = [a_row() for _ in range(10)]
    saves = [asyncio.create_task(store.save(row)) for row in rows]
    await asyncio.sleep(0)
    saves[0].cancel()
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    assert outcomes[1:] == [None] * 9
    assert [await store.get("acme", row.id) for row in rows[1:]] == [b"{}"] * 9


async def test_saved_records_are_there_after_reopening(fresh: Fresh, place: StorePlace) -> None:
    database = await fresh("assessment")
    row = a_row()
    await SqlAssessments(database).save(row)
    again = await place.reopen(database)
    try:
        assert await SqlAssessments(again).list("acme", limit=1) == [row]
    finally:
        await again.close()


class AssessmentMachine(StoreMachine):
    context = "assessment"
    ids = st.sampled_from([f"as_{letter}" for letter in "0aAzZ_"])

    def __init__(self) -> None:
        super().__init__()
        self.store: AssessmentStore = SqlAssessments(self.database)
        self.model: dict[tuple[str, str], AssessmentRow] = {}

    @rule(tenant=TENANTS, id=ids, at=MOMENTS, body=st.binary(max_size=40), coverage=st.floats(0, 1))
    def save(self, tenant: str, id: str, at: datetime, body: bytes, coverage: float) -> None:
        row = AssessmentRow(id, tenant, at, "block", "HIGH", coverage, body)
        expected = "CONFLICT" if (tenant, id) in self.model else None
        assert self.code_of(self.store.save(row)) == expected
        self.model.setdefault((tenant, id), row)

    @rule(tenant=TENANTS, id=ids)
    def get(self, tenant: str, id: str) -> None:
        kept = self.model.get((tenant, id))
        assert self.do(self.store.get(tenant, id)) == (kept.body if kept else None)

    @rule(tenant=TENANTS, limit=st.integers(1, 4), before=st.none() | ids)
    def list(self, tenant: str, limit: int, before: str | None) -> None:
        own = [row for (owner, id), row in self.model.items() if owner == tenant and (before is None or id < before)]
        expected = sorted(own, key=lambda row: row.id, reverse=True)[:limit]
        assert self.do(self.store.list(tenant, limit=limit, before=before)) == expected


def test_any_sequence_of_calls_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(AssessmentMachine, place, loop_thread)
