"""How long to wait before another attempt, and how many there may be."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from llama_mapper.domain.orchestration.resilience.backoff import Backoff
from llama_mapper.domain.orchestration.resilience.retry_budget import RetryBudget

DRAWS = st.floats(min_value=0, max_value=1)


@given(st.integers(0, 10_000), DRAWS)
def test_the_wait_is_a_random_part_of_what_doubles_with_every_retry_up_to_the_cap(retry: int, draw: float) -> None:
    backoff = Backoff(base_s=0.05, cap_s=1.0)
    ceiling = 1.0 if retry > 4 else 0.05 * 2**retry
    assert backoff.wait_s(retry, 1.0) == ceiling
    assert backoff.wait_s(retry, 0.0) == 0.0
    assert backoff.wait_s(retry, draw) == draw * ceiling


@given(st.integers(0, 5), DRAWS, st.floats(min_value=0, max_value=60))
def test_a_detector_that_says_when_is_not_asked_sooner(retry: int, draw: float, retry_after_s: float) -> None:
    assert Backoff().wait_s(retry, draw, retry_after_s) >= retry_after_s


def test_a_fifth_of_many_attempts_may_be_repeated() -> None:
    budget = RetryBudget(0.2)
    for _ in range(1000):
        budget.note_first(5.0)
    assert sum(budget.spend(5.0) for _ in range(1000)) == 200


def test_a_detector_that_is_seldom_asked_is_asked_again_nevertheless() -> None:
    budget = RetryBudget(0.2)
    budget.note_first(5.0)
    assert sum(budget.spend(5.0) for _ in range(100)) == RetryBudget.FLOOR


def test_a_budget_of_nothing_admits_nothing() -> None:
    budget = RetryBudget(0.0)
    for _ in range(1000):
        budget.note_first(5.0)
    assert not budget.spend(5.0)


def test_after_ten_seconds_everything_is_forgotten() -> None:
    budget = RetryBudget(0.2)
    for _ in range(1000):
        budget.note_first(5.0)
    assert sum(budget.spend(14.9) for _ in range(1000)) == 200
    assert sum(budget.spend(15.0) for _ in range(1000)) == 0, "what was spent at 14.9 still counts"
    assert sum(budget.spend(25.0) for _ in range(1000)) == RetryBudget.FLOOR
    assert sum(budget.spend(1e9) for _ in range(1000)) == RetryBudget.FLOOR


class BudgetMachine(RuleBasedStateMachine):
    """The budget against lists of moments."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.budget = RetryBudget(0.5)
        self.firsts: deque[int] = deque()
        self.extras: deque[int] = deque()

    def recent(self, moments: deque[int]) -> int:
        return sum(moment > int(self.now) - 10 for moment in moments)

    @rule(seconds=st.one_of(st.floats(0, 3), st.floats(0, 40)))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(times=st.integers(1, 30))
    def ask(self, times: int) -> None:
        for _ in range(times):
            self.budget.note_first(self.now)
            self.firsts.append(int(self.now))

    @rule()
    def ask_again(self) -> None:
        allowed = self.recent(self.extras) + 1 <= max(10, 0.5 * self.recent(self.firsts))
        assert self.budget.spend(self.now) is allowed
        if allowed:
            self.extras.append(int(self.now))


TestBudgetMachine = BudgetMachine.TestCase
