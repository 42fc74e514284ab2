"""The statistics agree with SciPy on random data."""

from __future__ import annotations

import random
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # SciPy ships no type information

from llama_mapper.domain.analysis.patterns.association import PairTable, fisher_exact
from llama_mapper.domain.analysis.patterns.baseline import Baseline, baseline_of, poisson_tail
from llama_mapper.domain.analysis.patterns.detected import wilson
from llama_mapper.domain.analysis.patterns.trend import mann_kendall, proportional_similarity

tables = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)).filter(any)


@pytest.mark.parametrize("seed", range(20))
def test_mann_kendall_and_theil_sen_agree_with_scipy(seed: int) -> None:
    random.seed(seed)
    times = tuple(sorted(random.sample(range(90), random.randint(10, 40))))
    values = tuple(random.randint(0, random.choice([2, 5, 100])) + t // 20 for t in times)
    test = mann_kendall(times, values)
    # SciPy's asymptotic p has no continuity correction: compare through S and its variance, then correct.
    tau = stats.kendalltau(times, values, method="asymptotic")
    assert 2 * stats.norm.sf(abs(test.s) / sqrt(test.variance)) == pytest.approx(tau.pvalue, rel=1e-9)
    corrected = 2 * stats.norm.sf(max(abs(test.s) - 1, 0) / sqrt(test.variance))
    assert test.p_value == pytest.approx(corrected, rel=1e-9)
    assert test.slope == pytest.approx(stats.theilslopes(values, times)[0], abs=1e-12)


def test_a_constant_series_has_no_trend() -> None:
    test = mann_kendall(tuple(range(12)), (3,) * 12)
    assert (test.s, test.p_value, test.slope) == (0, 1.0, 0.0)


@given(tables)
@settings(max_examples=300, deadline=None)
def test_fishers_exact_test_agrees_with_scipy(cells: tuple[int, int, int, int]) -> None:
    both, first, second, neither = cells
    table = PairTable(both, both + first, both + second, sum(cells))
    expected = stats.fisher_exact([[both, first], [second, neither]]).pvalue
    assert fisher_exact(table) == pytest.approx(expected, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(
    "cells", [(300, 4700, 250, 94_750), (20_000, 30_000, 30_100, 49_900), (5, 2000, 3000, 900_000), (0, 500, 700, 9000)]
)
def test_fishers_exact_test_agrees_with_scipy_on_large_tables(cells: tuple[int, int, int, int]) -> None:
    both, first, second, neither = cells
    table = PairTable(both, both + first, both + second, sum(cells))
    expected = stats.fisher_exact([[both, first], [second, neither]]).pvalue
    assert fisher_exact(table) == pytest.approx(expected, rel=1e-5)


@given(tables)
@settings(max_examples=200, deadline=None)
def test_phi_is_the_correlation_of_the_two_indicators(cells: tuple[int, int, int, int]) -> None:
    both, first, second, _ = cells
    table = PairTable(both, both + first, both + second, sum(cells))
    x = np.repeat([1, 1, 0, 0], cells)
    y = np.repeat([1, 0, 1, 0], cells)
    if table.phi is None:
        assert x.std() == 0 or y.std() == 0
    else:
        assert table.phi == pytest.approx(float(np.corrcoef(x, y)[0, 1]), abs=1e-9)


def test_independent_categories_have_lift_one() -> None:
    assert PairTable(20, 40, 50, 100).lift == 1.0
    assert PairTable(20, 40, 50, 100).phi == 0.0


def test_contradictory_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="contradict"):
        PairTable(5, 4, 9, 10)
    with pytest.raises(ValueError, match="contradict"):
        PairTable(0, 6, 6, 10)


@pytest.mark.parametrize("seed", range(20))
def test_the_poisson_tail_agrees_with_scipy(seed: int) -> None:
    random.seed(seed)
    rate, count = random.uniform(0.01, 200), random.randint(0, 400)
    assert poisson_tail(count, rate) == pytest.approx(float(stats.poisson.sf(count - 1, rate)), rel=1e-8)


@pytest.mark.parametrize("seed", range(10))
def test_the_modified_z_score_is_that_of_iglewicz_and_hoaglin(seed: int) -> None:
    random.seed(seed)
    counts = [random.randint(0, 50) for _ in range(30)]
    baseline = baseline_of(counts)
    mad = float(stats.median_abs_deviation(counts))
    assert baseline.mad == mad
    assert baseline.z(200) == pytest.approx(0.6744897501960817 * (200 - float(np.median(counts))) / mad)


def test_a_flat_past_is_judged_by_the_poisson_tail() -> None:
    flat = baseline_of([0] * 30)
    assert flat.z(3) == pytest.approx(float(stats.norm.isf(stats.poisson.sf(2, 1 / 31))))
    assert flat.surprise(1) == 0.0 < flat.surprise(3)


@given(st.lists(st.integers(0, 2000), min_size=7, max_size=40), st.integers(0, 5000), st.integers(0, 5000))
def test_a_higher_count_is_never_less_surprising(counts: list[int], count: int, more: int) -> None:
    baseline = baseline_of(counts)
    assert 0.0 <= baseline.surprise(count) <= baseline.surprise(count + more) < 1.0


@pytest.mark.parametrize("rate", [0.03, 3.0, 900.0, 1500.0])
def test_surprise_never_falls_step_by_step(rate: float) -> None:
    baseline = Baseline(0.0, 0.0, rate)
    values = [baseline.surprise(count) for count in range(4000)]
    assert values == sorted(values)


@pytest.mark.parametrize(("successes", "trials"), [(0, 30), (5, 30), (300, 1000), (30, 30)])
def test_wilsons_interval_agrees_with_scipy(successes: int, trials: int) -> None:
    interval = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_equal_mixes_are_alike_and_disjoint_ones_are_not() -> None:
    assert proportional_similarity((1, 3), (10, 30)) == pytest.approx(1.0)
    assert proportional_similarity((1, 0), (0, 1)) == 0.0
    assert proportional_similarity((0, 0), (0, 1)) == 0.0
