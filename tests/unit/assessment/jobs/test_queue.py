"""Order and room: whose turn it is, and how much may wait."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from llama_mapper.domain.assessment.jobs.queue import FairQueue
from llama_mapper.domain.assessment.jobs.room import WaitingRoom
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError


@dataclass(eq=False)
class Waiting:
    """A job with so many items."""

    tenant_id: str
    waiting: int

    def take(self) -> str:
        self.waiting -= 1
        return self.tenant_id


def drained(queue: FairQueue[Waiting]) -> list[str]:
    order = []
    while (job := queue.next()) is not None:
        order.append(job.take())
    return order


def test_a_single_item_does_not_wait_for_another_tenants_thousand() -> None:
    queue: FairQueue[Waiting] = FairQueue()
    queue.add(Waiting("big", 1000))
    queue.add(Waiting("small", 1))
    assert drained(queue)[:3].count("small") == 1


def test_within_a_tenant_the_oldest_job_comes_first() -> None:
    queue: FairQueue[Waiting] = FairQueue()
    first, second = Waiting("a", 2), Waiting("a", 1)
    queue.add(first)
    queue.add(second)
    order = []
    while (job := queue.next()) is not None:
        order.append(job)
        job.take()
    assert order == [first, first, second]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 6)), max_size=12))
def test_everything_is_taken_once_and_turns_are_shared(jobs: list[tuple[str, int]]) -> None:
    queue: FairQueue[Waiting] = FairQueue()
    for tenant, items in jobs:
        queue.add(Waiting(tenant, items))
    order = drained(queue)
    total = Counter[str]()
    for tenant, items in jobs:
        total[tenant] += items
    assert Counter(order) == total
    # While two tenants both wait, neither gets two turns more than the other.
    taken = Counter[str]()
    for tenant in order:
        taken[tenant] += 1
        for other in total:
            if taken[other] < total[other]:
                assert taken[tenant] <= taken[other] + 1


def test_a_removed_job_is_not_taken_and_its_tenant_keeps_its_turns() -> None:
    queue: FairQueue[Waiting] = FairQueue()
    gone, stays = Waiting("a", 3), Waiting("a", 1)
    queue.add(gone)
    queue.remove(gone)
    queue.remove(gone)
    queue.remove(Waiting("nobody", 1))
    queue.add(stays)
    assert drained(queue) == ["a"]


def refusal(room: WaitingRoom, tenant: str, items: int, characters: int = 0) -> ErrorCode | None:
    try:
        room.admit(tenant, items, characters)
    except ServiceError as error:
        assert error.retryable
        assert error.retry_after_s
        return error.error_code
    return None


def test_a_tenant_cannot_fill_the_room() -> None:
    room = WaitingRoom(100, 1000)
    assert refusal(room, "big", 50) is None
    assert refusal(room, "big", 1) is ErrorCode.JOB_QUEUE_FULL
    assert refusal(room, "small", 50) is None
    assert refusal(room, "third", 1) is ErrorCode.JOB_QUEUE_FULL


def test_characters_are_bounded_as_items_are() -> None:
    room = WaitingRoom(100, 1000)
    assert refusal(room, "a", 1, 1001) is ErrorCode.JOB_QUEUE_FULL
    assert refusal(room, "a", 1, 1000) is None
    assert refusal(room, "b", 1, 1) is ErrorCode.JOB_QUEUE_FULL
    assert room.items == 1


@pytest.mark.parametrize("size", [1, 60, 100])
def test_an_empty_room_takes_whatever_it_can_hold(size: int) -> None:
    assert refusal(WaitingRoom(100, 1000), "a", size, size * 10) is None


class RoomMachine(RuleBasedStateMachine):
    """Jobs come and items leave; the room never holds more than it may."""

    def __init__(self) -> None:
        super().__init__()
        self.room = WaitingRoom(20, 100)
        self.inside: list[tuple[str, int]] = []

    @rule(tenant=st.sampled_from("ab"), sizes=st.lists(st.integers(1, 30), min_size=1, max_size=12))
    def admit(self, tenant: str, sizes: list[int]) -> None:
        if refusal(self.room, tenant, len(sizes), sum(sizes)) is None:
            self.inside += [(tenant, size) for size in sizes]

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.inside:
            tenant, size = self.inside.pop(data.draw(st.integers(0, len(self.inside) - 1)))
            self.room.leave(tenant, 1, size)

    @invariant()
    def bounded(self) -> None:
        assert self.room.items == len(self.inside) <= 20
        assert sum(size for _, size in self.inside) <= 100


TestRoom = RoomMachine.TestCase
