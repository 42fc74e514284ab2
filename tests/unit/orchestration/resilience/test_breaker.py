"""The circuit breaker, by example and against a simple model."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llama_mapper.adapters.platform.shared_state.memory_breakers import MemoryBreakerBoard
from llama_mapper.domain.contracts.detectors import BreakerState
from llama_mapper.domain.kernel.breakers import BreakerBoard
from llama_mapper.domain.orchestration.resilience.breaker import CircuitBreaker

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


class Watch:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def breaker_on(watch: Watch, probes: int = 1, board: BreakerBoard | None = None, failures: int = 3) -> CircuitBreaker:
    return CircuitBreaker("remote", failures=failures, open_s=60.0, probes=probes, clock=watch, board=board)


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        ticket = breaker.admit()
        assert ticket is not None
        breaker.failed(ticket)


def succeed(breaker: CircuitBreaker) -> None:
    ticket = breaker.admit()
    assert ticket is not None
    breaker.succeeded(ticket)


def test_failures_in_a_row_open_it_and_a_success_between_starts_the_row_anew() -> None:
    breaker = breaker_on(Watch())
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)
    assert breaker.state is CLOSED
    fail(breaker)
    assert (breaker.state, breaker.admit(), breaker.refusal_s()) == (OPEN, None, 60.0)


def test_after_its_time_a_few_are_let_through_and_one_success_closes_it() -> None:
    watch = Watch()
    breaker = breaker_on(watch, probes=2)
    fail(breaker, 3)
    watch.now += 59.9
    assert breaker.admit() is None
    watch.now += 0.1
    assert (breaker.state, breaker.refusal_s()) == (HALF_OPEN, None)
    one, two, three = breaker.admit(), breaker.admit(), breaker.admit()
    assert one is not None
    assert two is not None
    assert (three, breaker.refusal_s()) == (None, 0.0)
    breaker.succeeded(one)
    assert breaker.state is CLOSED
    breaker.failed(two)
    assert breaker.failures == 0, "what began before it closed counts for nothing"
    assert dict(breaker.transitions) == {CLOSED: 1, OPEN: 1, HALF_OPEN: 1}


def test_one_failure_in_half_open_opens_it_for_the_same_time_again() -> None:
    watch = Watch()
    breaker = breaker_on(watch)
    fail(breaker, 3)
    for _ in range(5):
        watch.now += 60
        fail(breaker)
        assert breaker.refusal_s() == 60.0


def test_a_call_that_began_before_it_opened_neither_closes_nor_prolongs_it() -> None:
    watch = Watch()
    breaker = breaker_on(watch)
    early, late = breaker.admit(), breaker.admit()
    assert early is not None
    assert late is not None
    fail(breaker, 3)
    watch.now += 30
    breaker.succeeded(early)
    breaker.failed(late)
    assert (breaker.state, breaker.refusal_s()) == (OPEN, 30.0)


def test_a_caller_that_goes_away_gives_its_turn_to_another() -> None:
    watch = Watch()
    breaker = breaker_on(watch)
    fail(breaker, 3)
    watch.now += 60
    for _ in range(3):
        ticket = breaker.admit()
        assert ticket is not None
        assert breaker.admit() is None
        breaker.abandoned(ticket)
    succeed(breaker)
    assert breaker.state is CLOSED


def test_its_time_can_be_ended_from_outside() -> None:
    breaker = breaker_on(Watch())
    fail(breaker, 3)
    breaker.end_wait()
    assert breaker.state is HALF_OPEN
    succeed(breaker)
    breaker.end_wait()
    assert breaker.state is CLOSED


def test_what_one_process_opens_the_others_find_open_without_a_failure_of_their_own() -> None:
    watch = Watch()
    board = MemoryBreakerBoard(watch)
    here, there = breaker_on(watch, board=board), breaker_on(watch, board=board)
    fail(here, 3)
    assert (there.state, there.admit(), there.refusal_s()) == (OPEN, None, 60.0)
    watch.now += 60
    succeed(there)
    assert (there.state, here.state) == (CLOSED, HALF_OPEN)


def test_an_opening_is_heeded_once_even_if_it_is_told_a_little_differently_each_time() -> None:
    watch = Watch()
    board = MemoryBreakerBoard(watch)
    breaker = breaker_on(watch, board=board)
    fail(breaker, 3)
    breaker.end_wait()  # the probes found it alive
    succeed(breaker)
    for late_s in (60.0, 60.5, 61.0):
        board.publish("remote", late_s, 1)
        assert breaker.state is CLOSED
    watch.now += 40
    board.publish("remote", 60.0, 2)
    assert breaker.state is OPEN, "that is another one"


def test_another_process_whose_probe_failed_saves_us_ours() -> None:
    watch = Watch()
    board = MemoryBreakerBoard(watch)
    here, there = breaker_on(watch, board=board), breaker_on(watch, board=board)
    fail(here, 3)
    assert there.state is OPEN
    watch.now += 60
    fail(here)
    assert there.refusal_s() == 60.0


def test_nobody_is_shut_out_for_longer_than_the_own_terms_say() -> None:
    watch = Watch()
    board = MemoryBreakerBoard(watch)
    breaker = breaker_on(watch, board=board)
    board.publish("remote", 1e9, 1)
    assert breaker.refusal_s() == 60.0
    watch.now += 60
    succeed(breaker)
    assert breaker.state is CLOSED


class BreakerMachine(RuleBasedStateMachine):
    """Calls of any length, in any order, against a breaker told in a few lines."""

    LIMIT, PROBES, OPEN_S = 3, 2, 60.0

    def __init__(self) -> None:
        super().__init__()
        self.watch = Watch()
        self.breaker = breaker_on(self.watch, probes=self.PROBES, failures=self.LIMIT)
        self.state = CLOSED
        self.row = 0
        self.opened_at = 0.0
        self.running: list[tuple[int, int]] = []  # ticket, the model's era
        self.era = 0

    def now_open(self) -> None:
        self.state, self.opened_at, self.era = OPEN, self.watch.now, self.era + 1

    @rule(seconds=st.sampled_from([0.1, 20.0, 59.0, 60.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.watch.now += seconds

    @rule()
    def ask(self) -> None:
        if self.state is OPEN and self.watch.now >= self.opened_at + self.OPEN_S:
            self.state, self.era = HALF_OPEN, self.era + 1
        mine = sum(era == self.era for _, era in self.running)
        admitted = self.state is CLOSED or (self.state is HALF_OPEN and mine < self.PROBES)
        would = self.breaker.refusal_s() is None
        ticket = self.breaker.admit()
        assert (ticket is not None) is admitted
        assert would is admitted
        if ticket is not None:
            self.running.append((ticket, self.era))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed", "failed", "abandoned"]))
    def end(self, data: st.DataObject, outcome: str) -> None:
        ticket, era = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        getattr(self.breaker, outcome)(ticket)
        if era != self.era or outcome == "abandoned":
            return
        if outcome == "succeeded":
            self.row = 0
            if self.state is HALF_OPEN:
                self.state, self.era = CLOSED, self.era + 1
        else:
            self.row += 1
            if self.state is HALF_OPEN or self.row >= self.LIMIT:
                self.now_open()

    @invariant()
    def they_agree(self) -> None:
        state = self.state
        if state is OPEN and self.watch.now >= self.opened_at + self.OPEN_S:
            state = HALF_OPEN
        assert self.breaker.state is state
        assert self.breaker.failures == self.row


TestBreakerMachine = BreakerMachine.TestCase
