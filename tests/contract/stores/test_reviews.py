"""`ReviewQueue`."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from llama_mapper.adapters.mapping.sql_reviews import SqlReviewQueue
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.mapping import ReviewItem
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, StoreError
from llama_mapper.domain.mapping.ports import ReviewQueue, UnknownLabel
from tests.support.loops import LoopThread
from tests.support.store_machines import MOMENTS, TENANTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def a_label(label: str, *, occurrences: int = 1, version: str | None = "1") -> UnknownLabel:
    return UnknownLabel("vendor", version, label, occurrences)


async def all_items(queue: ReviewQueue, tenant: str, limit: int) -> list[ReviewItem]:
    items: list[ReviewItem] = []
    cursor: str | None = None
    while True:
        page = await queue.page(tenant, limit=limit, cursor=cursor)
        items.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return items


@pytest.fixture
async def queue(fresh: Fresh) -> ReviewQueue:
    return SqlReviewQueue(await fresh("mapping"))


async def test_a_label_seen_again_gains_occurrences_and_a_later_last_seen(queue: ReviewQueue) -> None:
    await queue.add("acme", [a_label("X", occurrences=2), a_label("X", occurrences=3)], NOON)
    await queue.add("acme", [a_label("X")], NOON + timedelta(seconds=1))
    await queue.add("acme", [a_label("X")], NOON - timedelta(seconds=1))
    (item,) = (await queue.page("acme", limit=10, cursor=None)).items
    assert (item.occurrences, item.last_seen, item.first_seen) == (7, NOON + timedelta(seconds=1), NOON)


async def test_versions_known_and_unknown_are_different_labels(queue: ReviewQueue) -> None:
    versions = ["1", "2", None]
    for _ in range(2):
        await queue.add("acme", [a_label("X", version=version) for version in versions], NOON)
    items = (await queue.page("acme", limit=10, cursor=None)).items
    assert {(item.vendor_version, item.occurrences) for item in items} == {("1", 2), ("2", 2), (None, 2)}


async def test_a_tenant_sees_only_its_own_queue(queue: ReviewQueue) -> None:
    await queue.add("acme", [a_label("ours")], NOON)
    await queue.add("globex", [a_label("theirs")], NOON)
    assert [item.label for item in (await queue.page("acme", limit=10, cursor=None)).items] == ["ours"]


async def test_labels_queued_while_paging_do_not_shift_the_pages(queue: ReviewQueue) -> None:
    for number in range(6):
        await queue.add("acme", [a_label(f"old{number}")], NOON + timedelta(seconds=number))
    first = await queue.page("acme", limit=3, cursor=None)
    await queue.add("acme", [a_label(f"new{number}") for number in range(4)], NOON + timedelta(hours=1))
    second = await queue.page("acme", limit=3, cursor=first.next_cursor)
    assert [item.label for item in first.items + second.items] == [f"old{number}" for number in range(5, -1, -1)]
    assert second.next_cursor is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "A" * 200,
        urlsafe_b64encode(b"1:12:review_short").decode(),
        urlsafe_b64encode(b"1:999999999999999999:review_" + b"0" * 26).decode().rstrip("="),
        urlsafe_b64encode(b"1:1:review_" + b"0" * 26).decode().rstrip("=") + "=",
        urlsafe_b64encode(b"2:1:review_" + b"0" * 26).decode().rstrip("="),
    ],
)
async def test_a_cursor_that_is_not_ours_is_refused(queue: ReviewQueue, cursor: str) -> None:
    with pytest.raises(ServiceError) as caught:
        await queue.page("acme", limit=10, cursor=cursor)
    assert caught.value.error_code is ErrorCode.INVALID_REQUEST


async def test_another_tenants_cursor_opens_nothing_of_theirs(queue: ReviewQueue) -> None:
    await queue.add("globex", [a_label(f"L{number}") for number in range(4)], NOON)
    theirs = await queue.page("globex", limit=2, cursor=None)
    assert (await queue.page("acme", limit=2, cursor=theirs.next_cursor)).items == ()


async def test_labels_are_added_all_or_none(queue: ReviewQueue) -> None:
    with pytest.raises(StoreError):
        await queue.add("acme", [a_label("good"), a_label("bad\udcff")], NOON)
    assert (await queue.page("acme", limit=10, cursor=None)).items == ()


async def test_fifty_concurrent_adds_lose_no_occurrence(queue: ReviewQueue) -> None:
    labels = [a_label(f"L{number}") for number in range(4)]
    await asyncio.gather(*(queue.add("acme", labels[:: (-1) ** n], NOON) for n in range(50)))
    items = (await queue.page("acme", limit=10, cursor=None)).items
    assert [item.occurrences for item in items] == [50] * 4


class ReviewMachine(StoreMachine):
    context = "mapping"
    labels = st.builds(
        UnknownLabel,
        st.sampled_from(["v", "w"]),
        st.none() | st.sampled_from(["1", "2"]),
        st.sampled_from(["S5", "s5", "é", "a b"]),
        st.integers(1, 5),
    )

    def __init__(self) -> None:
        super().__init__()
        self.queue: ReviewQueue = SqlReviewQueue(self.database)
        self.model: dict[tuple[str, str, str | None, str], tuple[int, datetime, datetime]] = {}

    @rule(tenant=TENANTS, labels=st.lists(labels, max_size=5), at=MOMENTS)
    def add(self, tenant: str, labels: list[UnknownLabel], at: datetime) -> None:
        self.do(self.queue.add(tenant, labels, at))
        for label in labels:
            key = (tenant, label.vendor, label.vendor_version, label.label)
            occurrences, first, last = self.model.get(key, (0, at, at))
            self.model[key] = (occurrences + label.occurrences, first, max(last, at))

    @rule(tenant=TENANTS, limit=st.integers(1, 4))
    def page_through(self, tenant: str, limit: int) -> None:
        items = self.do(all_items(self.queue, tenant, limit))
        assert items == sorted(items, key=lambda item: (-item.last_seen.timestamp(), item.id))
        assert {
            (item.tenant_id, item.vendor, item.vendor_version, item.label): (
                item.occurrences,
                item.first_seen,
                item.last_seen,
            )
            for item in items
        } == {key: kept for key, kept in self.model.items() if key[0] == tenant}
        assert len({item.id for item in items}) == len(items)


def test_any_sequence_of_calls_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(ReviewMachine, place, loop_thread)
