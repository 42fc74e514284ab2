"""The statistics keep what they promise: against scipy, and by simulation with a peek after every observation."""

from __future__ import annotations

from itertools import accumulate
from math import inf, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats  # type: ignore[import-untyped]  # SciPy ships no type information

from llama_mapper.domain.mapping.releases.latencies import BUCKETS, bucket_of, edge_ms, percentile
from llama_mapper.domain.mapping.releases.sequential import (
    Sample,
    difference_bounds,
    log_evidence,
    log_likelihood,
    log_mixture,
    log_shortfall,
    mean_bounds,
)

ALPHA = 0.05


@st.composite
def samples(draw: st.DrawFn, least: int = 0) -> Sample:
    count = draw(st.integers(least, 5000))
    return Sample(draw(st.integers(0, count)), count)


@given(samples())
def test_the_mixture_is_scipys_beta_function(sample: Sample) -> None:
    expected = special.betaln(sample.total + 0.5, sample.count - sample.total + 0.5) - special.betaln(0.5, 0.5)
    assert log_mixture(sample) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(samples(least=1))
def test_the_mixture_averages_likelihoods_over_all_means(sample: Sample) -> None:
    # An average lies below the maximum, so that no interval is ever empty.
    assert log_mixture(sample) <= log_likelihood(sample, sample.total / sample.count) + 1e-9


@given(samples(least=1))
def test_an_interval_ends_where_the_martingale_reaches_one_over_alpha(sample: Sample) -> None:
    bounds = mean_bounds(sample, ALPHA)
    assert 0.0 <= bounds.low <= sample.total / sample.count <= bounds.high <= 1.0
    for end in (bounds.low, bounds.high):
        if 0.0 < end < 1.0:
            expected = special.betaln(sample.total + 0.5, sample.count - sample.total + 0.5) - special.betaln(0.5, 0.5)
            expected -= special.xlogy(sample.total, end) + special.xlog1py(sample.count - sample.total, -end)
            assert expected == pytest.approx(log(1 / ALPHA), abs=1e-5)


@given(samples(least=1))
def test_looking_as_often_as_one_likes_costs_width(sample: Sample) -> None:
    exact = stats.binomtest(int(sample.total), sample.count).proportion_ci(1 - ALPHA, method="wilson")
    bounds = mean_bounds(sample, ALPHA)
    assert bounds.low <= exact.low + 1e-9
    assert exact.high - 1e-9 <= bounds.high


@given(samples(least=1), samples(least=1))
def test_a_difference_ends_where_the_best_pair_of_means_is_as_unlikely(treated: Sample, control: Sample) -> None:
    bounds = difference_bounds(treated, control, ALPHA)
    assert bounds.low <= treated.total / treated.count - control.total / control.count <= bounds.high
    least = log_mixture(treated) + log_mixture(control) + log(ALPHA)
    for end in (bounds.low, bounds.high):
        if -1.0 < end < 1.0:

            def negative(mean: float, end: float = end) -> float:
                other = min(1.0, max(0.0, mean + end))
                return -log_likelihood(control, mean) - log_likelihood(treated, other)

            found = optimize.minimize_scalar(
                negative, bounds=(max(0.0, -end), min(1.0, 1.0 - end)), method="bounded", options={"xatol": 1e-11}
            )
            assert -found.fun == pytest.approx(least, abs=1e-2)


@given(samples(least=1), samples(least=1), st.floats(-0.5, 0.5))
def test_there_is_evidence_exactly_where_the_interval_leaves_the_margin_behind(
    treated: Sample, control: Sample, margin: float
) -> None:
    low, evidence = difference_bounds(treated, control, ALPHA).low, log_evidence(treated, control, margin)
    if low > margin + 1e-6:
        assert evidence >= log(1 / ALPHA) - 1e-6
    elif low < margin - 1e-6:
        assert evidence < log(1 / ALPHA) + 1e-6


@given(samples(least=1), st.floats(0.01, 0.99))
def test_a_shortfall_is_evident_exactly_where_the_interval_lies_below(sample: Sample, least: float) -> None:
    high, evidence = mean_bounds(sample, ALPHA).high, log_shortfall(sample, least)
    if high < least - 1e-6:
        assert evidence >= log(1 / ALPHA) - 1e-5
    elif high > least + 1e-6:
        assert evidence < log(1 / ALPHA) + 1e-5


@given(samples(), samples())
def test_turning_the_arms_round_turns_the_interval_round(one: Sample, other: Sample) -> None:
    there, back = difference_bounds(one, other, ALPHA), difference_bounds(other, one, ALPHA)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


def test_without_observations_nothing_is_sure() -> None:
    nothing, some = Sample(0, 0), Sample(3, 4)
    assert (mean_bounds(nothing, ALPHA).low, mean_bounds(nothing, ALPHA).high) == (0.0, 1.0)
    assert difference_bounds(nothing, some, ALPHA).high == 1.0
    assert log_evidence(some, nothing) == 0.0
    assert nothing.mean is None
    assert log_shortfall(nothing, 0.5) == 0.0
    with pytest.raises(ValueError, match="between 0"):
        Sample(5, 4)


def alarms_with_a_peek_after_every_observation(
    rate: float, other: float, margin: float, runs: int, length: int, share: float = 0.5, seed: int = 1
) -> float:
    """The part of runs in which the evidence ever reaches 1/alpha."""
    random, alarms = Random(seed), 0
    for _ in range(runs):
        hits, counts = [0, 0], [0, 0]
        for _ in range(length):
            arm = random.random() < share
            counts[arm] += 1
            hits[arm] += random.random() < (other if arm else rate)
            if log_evidence(Sample(hits[1], counts[1]), Sample(hits[0], counts[0]), margin) >= log(1 / ALPHA):
                alarms += 1
                break
    return alarms / runs


@pytest.mark.parametrize(("rate", "share"), [(0.05, 0.5), (0.5, 0.1)])
def test_without_a_difference_peeking_raises_few_false_alarms(rate: float, share: float) -> None:
    assert alarms_with_a_peek_after_every_observation(rate, rate, 0.0, runs=200, length=250, share=share) <= ALPHA


def test_a_difference_as_large_as_the_margin_raises_few_false_alarms() -> None:
    # The worst that the hypothesis permits.
    assert alarms_with_a_peek_after_every_observation(0.3, 0.4, 0.1, runs=200, length=250) <= ALPHA


def test_a_real_regression_is_found() -> None:
    assert alarms_with_a_peek_after_every_observation(0.05, 0.35, 0.02, runs=60, length=400, share=0.3) >= 0.95


def test_a_classical_test_would_not_survive_the_peeking() -> None:
    """What the simulation is able to see: a z test with the same level, looked at as often."""
    random, alarms, runs = Random(1), 0, 200
    for _ in range(runs):
        hits, counts = [0, 0], [0, 0]
        for _ in range(250):
            arm = random.random() < 0.5
            counts[arm] += 1
            hits[arm] += random.random() < 0.5
            pooled = sum(hits) / sum(counts)
            if min(counts) < 10 or pooled in (0.0, 1.0):
                continue
            error = (pooled * (1 - pooled) * (1 / counts[0] + 1 / counts[1])) ** 0.5
            if hits[1] / counts[1] - hits[0] / counts[0] > 1.645 * error:
                alarms += 1
                break
    assert alarms / runs > 3 * ALPHA


def test_means_of_bounded_values_are_covered_at_every_look() -> None:
    random, missed, runs = Random(7), 0, 150
    for _ in range(runs):
        sums = accumulate(random.betavariate(0.4, 1.2) for _ in range(300))  # mean 0.25, nearly all 0 or 1
        for count, total in enumerate(sums, 1):
            sample = Sample(total, count)
            if log_mixture(sample) - log_likelihood(sample, 0.25) >= log(1 / ALPHA):
                missed += 1
                break
    assert missed / runs <= ALPHA


def test_a_bucket_holds_what_its_edges_say() -> None:
    for bucket in range(1, BUCKETS - 1):
        assert bucket_of(edge_ms(bucket) * 0.999) == bucket
        assert bucket_of(edge_ms(bucket) * 1.001) == bucket + 1
    assert (bucket_of(0.0), bucket_of(1e12), bucket_of(inf)) == (0, BUCKETS - 1, BUCKETS - 1)


def test_a_percentile_is_covered_at_every_look() -> None:
    random, missed, runs = Random(3), 0, 60
    true_ms = stats.lognorm(0.5, scale=20).ppf(0.95)
    for _ in range(runs):
        counts: dict[int, int] = {}
        for number in range(1, 401):
            bucket = bucket_of(random.lognormvariate(log(20), 0.5))
            counts[bucket] = counts.get(bucket, 0) + 1
            if number % 10 == 0:
                bounds = percentile(counts, 0.95, ALPHA).bounds
                if not bounds.low <= true_ms <= bounds.high:
                    missed += 1
                    break
    assert missed / runs <= ALPHA
    found = percentile(counts, 0.95, ALPHA)
    assert found.value is not None
    assert found.bounds.low < found.value <= found.bounds.high < inf


@given(st.dictionaries(st.integers(0, BUCKETS - 2), st.integers(1, 300), min_size=1), st.floats(0.01, 0.2))
def test_a_percentile_lies_between_the_edges_that_are_surely_not_it(counts: dict[int, int], alpha: float) -> None:
    count = sum(counts.values())
    low, high = 0.0, inf
    for bucket in range(BUCKETS - 1, -1, -1):
        below = sum(number for each, number in counts.items() if each <= bucket)
        weight = special.betaln(below + 0.5, count - below + 0.5) - special.betaln(0.5, 0.5)
        weight -= special.xlogy(below, 0.95) + special.xlog1py(count - below, -0.95)
        if weight >= log(1 / alpha) and below < 0.95 * count:
            low = max(low, edge_ms(bucket))
        elif weight >= log(1 / alpha):
            high = edge_ms(bucket)
    bounds = percentile(counts, 0.95, alpha).bounds
    assert (bounds.low, bounds.high) == (low, high)


def test_a_percentile_of_nothing_is_unknown() -> None:
    assert percentile({}, 0.95, ALPHA).value is None
