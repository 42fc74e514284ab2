"""How the worker pool spreads work, and how long it waits before it restarts a worker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.workers.schedule import SEND_COST_MS, restart_wait_s, spread

costs = st.lists(st.floats(0, 1000), min_size=1, max_size=30)


@given(costs, st.integers(1, 16))
def test_every_job_is_given_to_exactly_one_worker(costs: list[float], workers: int) -> None:
    shares = spread(costs, workers)
    assert sorted(position for share in shares for position in share) == list(range(len(costs)))
    assert 1 <= len(shares) <= workers
    assert all(shares)


@given(costs, st.integers(1, 16))
def test_a_worker_begins_with_its_cheapest_job(costs: list[float], workers: int) -> None:
    for share in spread(costs, workers):
        assert [costs[position] for position in share] == sorted(costs[position] for position in share)


@given(costs, st.integers(1, 16))
def test_no_worker_has_more_than_an_even_share_and_one_job(costs: list[float], workers: int) -> None:
    total = sum(costs) + workers * SEND_COST_MS
    worst = max(sum(costs[position] for position in share) for share in spread(costs, workers))
    assert worst <= total / workers + max(costs) + SEND_COST_MS + 1e-6


def test_cheap_jobs_stay_together() -> None:
    assert len(spread([0.01] * 8, 4)) == 1


def test_dear_jobs_run_side_by_side() -> None:
    assert sorted(map(sorted, spread([50.0, 3.0, 40.0, 9.0], 2))) == [[0], [1, 2, 3]]


@given(st.integers(0, 10_000))
def test_a_restart_waits_longer_after_each_failure_but_never_longer_than_half_a_minute(failures: int) -> None:
    assert 0.1 <= restart_wait_s(failures) <= restart_wait_s(failures + 1) <= 30.0
