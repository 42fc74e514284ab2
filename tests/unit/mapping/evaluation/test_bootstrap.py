"""Intervals come from whole families, repeatably, and agree with scipy."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap  # type: ignore[import-untyped]  # SciPy ships no type information

from llama_mapper.domain.mapping.evaluation.metrics.bootstrap import (
    Interval,
    Replicated,
    difference,
    family_draws,
    interval,
    replicated,
)
from llama_mapper.domain.mapping.evaluation.metrics.outcomes import share


def test_the_interval_is_scipys_percentile_interval_over_clusters() -> None:
    sizes = [40, 3, 25, 8, 14, 30, 6, 11, 19, 22]
    right = [35, 1, 10, 8, 7, 12, 5, 2, 15, 20]
    flags = [place < r for size, r in zip(sizes, right, strict=True) for place in range(size)]
    family = [number for number, size in enumerate(sizes) for _ in range(size)]
    draws = family_draws(len(sizes), 8000, seed=3)
    found = interval(replicated(share(flags, family, len(sizes)), len(sizes), draws), len(sizes))

    def accuracy(number: Any, axis: int) -> Any:
        return np.asarray(right)[number].sum(axis=axis) / np.asarray(sizes)[number].sum(axis=axis)

    reference = bootstrap(
        (np.arange(len(sizes)),),
        accuracy,
        n_resamples=8000,
        method="percentile",
        vectorized=True,
        random_state=np.random.default_rng(5),
    ).confidence_interval
    assert found.value == pytest.approx(sum(right) / sum(sizes))
    assert found.low == pytest.approx(reference.low, abs=0.015)
    assert found.high == pytest.approx(reference.high, abs=0.015)


def test_labels_of_one_family_widen_the_interval() -> None:
    """Twenty labels that are all right or all wrong by family say as much as their two families do."""
    flags = [True] * 50 + [False] * 50
    apart = [place % 10 for place in range(100)]
    together = [place // 10 for place in range(100)]
    widths = []
    for family in (apart, together):
        found = interval(replicated(share(flags, family, 10), 10, family_draws(10, 500, 0)), 10)
        assert found.low is not None
        assert found.high is not None
        widths.append(found.high - found.low)
    assert widths[0] < 1e-9
    assert widths[1] > 0.3


@given(families=st.integers(1, 12), seed=st.integers(0, 1000))
def test_a_draw_takes_as_many_families_as_there_are_and_a_seed_repeats_it(families: int, seed: int) -> None:
    draws = family_draws(families, 20, seed)
    assert all(sum(draw) == families for draw in draws)
    assert draws == family_draws(families, 20, seed)


def test_another_seed_draws_otherwise() -> None:
    assert family_draws(10, 20, 0) != family_draws(10, 20, 1)


def test_a_difference_is_taken_draw_by_draw() -> None:
    """Two figures that rise and fall together differ by exactly the same in every draw."""
    draws = family_draws(4, 200, 0)
    one = replicated(lambda weights: weights[0] / 4 + 0.1, 4, draws)
    other = replicated(lambda weights: weights[0] / 4, 4, draws)
    found = interval(difference(one, other), 4)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_there_is_no_interval_from_one_family_nor_where_too_many_draws_are_undefined() -> None:
    assert interval(Replicated(0.5, (0.4, 0.6)), 1) == Interval(0.5)
    assert interval(Replicated(0.5, ()), 5) == Interval(0.5)
    assert interval(Replicated(0.5, (0.4, math.nan)), 5) == Interval(0.5)
    assert interval(Replicated(math.nan, (0.4,)), 5) == Interval(None)


@given(values=st.lists(st.floats(-1, 1), min_size=2, max_size=50), level=st.sampled_from([0.5, 0.9, 0.95]))
def test_bounds_are_numpys_quantiles(values: list[float], level: float) -> None:
    found = interval(Replicated(statistics.fmean(values), tuple(values)), 2, level)
    assert found.low == pytest.approx(np.quantile(values, (1 - level) / 2), abs=1e-12)
    assert found.high == pytest.approx(np.quantile(values, 1 - (1 - level) / 2), abs=1e-12)
