"""The bulkhead, by example and against a simple model."""

from __future__ import annotations

import asyncio
import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llama_mapper.domain.orchestration.resilience.bulkhead import Bulkhead, Entry
from tests.support.virtual_time import VirtualLoop, run_in_virtual_time
from tests.unit.orchestration.resilience.support import Clock


def test_who_comes_first_is_served_first_and_newcomers_overtake_nobody() -> None:
    async def story(clock: Clock) -> None:
        bulkhead = Bulkhead(1, 10)
        assert bulkhead.try_enter()
        served: list[int] = []

        async def visit(number: int) -> None:
            assert await bulkhead.enter(math.inf) is Entry.GRANTED
            served.append(number)
            await asyncio.sleep(1)
            bulkhead.leave()

        visits = [asyncio.create_task(visit(number)) for number in range(5)]
        await asyncio.sleep(0)
        bulkhead.leave()
        assert not bulkhead.try_enter(), "the place is promised already"
        await asyncio.gather(*visits)
        assert served == [0, 1, 2, 3, 4]
        assert (bulkhead.taken, bulkhead.waiting) == (0, 0)

    run_in_virtual_time(story)


def test_one_more_than_the_queue_holds_is_refused_at_once() -> None:
    async def story(clock: Clock) -> None:
        bulkhead = Bulkhead(1, 2)
        assert bulkhead.try_enter()
        waiting = [asyncio.create_task(bulkhead.enter(5)) for _ in range(2)]
        await asyncio.sleep(0)
        assert await bulkhead.enter(5) is Entry.FULL
        assert clock() == 0
        assert await asyncio.gather(*waiting) == [Entry.LATE, Entry.LATE]
        assert clock() == 5
        assert (bulkhead.taken, bulkhead.waiting) == (1, 0)

    run_in_virtual_time(story)


def test_cancelling_one_who_was_just_given_the_place_passes_it_on() -> None:
    async def story(clock: Clock) -> None:
        bulkhead = Bulkhead(1, 10)
        assert bulkhead.try_enter()
        first, second = (asyncio.create_task(bulkhead.enter(math.inf)) for _ in range(2))
        await asyncio.sleep(0)
        bulkhead.leave()
        first.cancel()
        assert await second is Entry.GRANTED
        assert (first.cancelled(), bulkhead.taken) == (True, 1)
        bulkhead.leave()
        assert bulkhead.taken == 0

    run_in_virtual_time(story)


def test_everybody_can_be_sent_away() -> None:
    async def story(clock: Clock) -> None:
        bulkhead = Bulkhead(1, 10)
        assert bulkhead.try_enter()
        waiting = [asyncio.create_task(bulkhead.enter(5)) for _ in range(3)]
        await asyncio.sleep(0)
        bulkhead.dismiss()
        assert await asyncio.gather(*waiting) == [Entry.DISMISSED] * 3
        assert (clock(), bulkhead.taken, bulkhead.waiting) == (0, 1, 0)

    run_in_virtual_time(story)


class BulkheadMachine(RuleBasedStateMachine):
    """Visits that come, wait, run late, are cancelled or leave; a count of those inside and a list of others."""

    PLACES, QUEUE, PATIENCE_S = 2, 3, 10.0

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.bulkhead = Bulkhead(self.PLACES, self.QUEUE)
        self.inside = 0
        self.waiting: list[tuple[asyncio.Task[Entry], float]] = []  # and until when
        self.ended: list[tuple[asyncio.Task[Entry], Entry | None]] = []  # and as what; None: cancelled

    def teardown(self) -> None:
        for task, _ in self.waiting:
            task.cancel()
        self.turn()
        self.loop.close()

    def turn(self, seconds: float = 0.0) -> None:
        async def pause() -> None:
            await asyncio.sleep(seconds)
            for _ in range(4):
                await asyncio.sleep(0)

        self.loop.run_until_complete(pause())

    def admit_next(self) -> None:
        if self.waiting:
            self.ended.append((self.waiting.pop(0)[0], Entry.GRANTED))
        else:
            self.inside -= 1

    @rule()
    def come(self) -> None:
        task = self.loop.create_task(self.bulkhead.enter(self.PATIENCE_S))
        if self.inside < self.PLACES:
            self.inside += 1
            self.ended.append((task, Entry.GRANTED))
        elif len(self.waiting) < self.QUEUE:
            self.waiting.append((task, self.loop.time() + self.PATIENCE_S))
        else:
            self.ended.append((task, Entry.FULL))
        self.turn()

    @precondition(lambda self: self.inside)
    @rule()
    def leave(self) -> None:
        self.bulkhead.leave()
        self.admit_next()
        self.turn()

    @precondition(lambda self: self.inside and self.waiting)
    @rule()
    def leave_and_cancel_the_next_in_one_breath(self) -> None:
        task, _ = self.waiting.pop(0)
        self.bulkhead.leave()
        task.cancel()
        self.ended.append((task, None))
        self.admit_next()
        self.turn()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task, _ = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        task.cancel()
        self.ended.append((task, None))
        self.turn()

    @rule(seconds=st.sampled_from([1.0, 4.0, 9.5, 20.0]))
    def wait(self, seconds: float) -> None:
        self.turn(seconds)
        self.ended += [(task, Entry.LATE) for task, until in self.waiting if until <= self.loop.time()]
        self.waiting = [(task, until) for task, until in self.waiting if until > self.loop.time()]

    @rule()
    def dismiss(self) -> None:
        self.bulkhead.dismiss()
        self.ended += [(task, Entry.DISMISSED) for task, _ in self.waiting]
        self.waiting = []
        self.turn()

    @invariant()
    def they_agree(self) -> None:
        assert self.bulkhead.taken == self.inside
        assert self.bulkhead.waiting == len(self.waiting)
        assert not any(task.done() for task, _ in self.waiting)
        for task, entry in self.ended:
            assert task.done()
            assert (None if task.cancelled() else task.result()) is entry
        self.ended.clear()
        assert not self.loop.faults


TestBulkheadMachine = BulkheadMachine.TestCase
TestBulkheadMachine.settings = settings(deadline=None, max_examples=60)
