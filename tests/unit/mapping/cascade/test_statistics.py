"""Own statistics give what SciPy gives."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression, minimize  # type: ignore[import-untyped]  # it ships no annotations

from llama_mapper.domain.mapping.cascade.logistic import fit_logistic, log_odds, probability
from llama_mapper.domain.mapping.isotonic import Isotonic, fit_isotonic


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=60, unique_by=lambda pair: pair[0]))
def test_isotonic_is_scipys(pairs: list[tuple[int, bool]]) -> None:
    found = fit_isotonic((score / 40, float(hit), 1.0) for score, hit in pairs)
    ordered = sorted(pairs)
    expected = isotonic_regression(np.array([float(hit) for _, hit in ordered])).x
    assert [found(score / 40) for score, _ in ordered] == pytest.approx(list(expected))


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 5)), min_size=1, max_size=30),
    st.lists(st.floats(-1, 2), min_size=2, max_size=10),
    st.floats(0, 3),
)
def test_a_curve_never_falls_and_stays_within_what_was_seen(
    seen: list[tuple[float, float, float]], scores: list[float], prior: float
) -> None:
    curve = fit_isotonic(seen, prior)
    shares = [curve(score) for score in sorted(scores)]
    assert shares == sorted(shares)
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in shares)


def test_pseudo_observations_keep_a_few_from_promising_certainty() -> None:
    assert fit_isotonic([(0.9, 1.0, 1.0)], prior=1.0)(0.9) == pytest.approx(0.75)
    assert fit_isotonic([(0.9, 1.0, 1.0)] * 99, prior=1.0)(0.9) == pytest.approx(0.995)


def test_a_falling_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fall"):
        Isotonic((0.0, 1.0), (0.5, 0.4))


def test_logistic_has_the_greatest_penalised_likelihood() -> None:
    chance = random.Random(3)
    rows = [[chance.gauss(0, 1), chance.gauss(0, 2), float(chance.random() < 0.3)] for _ in range(300)]
    hits = [chance.random() < probability(0.5 + row[0] - 0.7 * row[1] + 2 * row[2]) for row in rows]
    matrix, truth = np.c_[np.ones(len(rows)), np.array(rows)], np.array(hits, dtype=float)

    def cost(weights: np.ndarray) -> float:
        z = matrix @ weights
        return float(np.sum(np.logaddexp(0, z) - truth * z) + 0.5 * np.sum(weights[1:] ** 2))

    expected = minimize(cost, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    assert fit_logistic(rows, hits, ridge=1.0) == pytest.approx(list(expected), abs=1e-3)


def test_logistic_survives_rows_that_it_can_tell_apart_perfectly() -> None:
    weights = fit_logistic([[0.0], [1.0]] * 20, [False, True] * 20)
    assert probability(log_odds(weights, [1.0])) > 0.8 > 0.2 > probability(log_odds(weights, [0.0]))
    assert probability(1e9) == pytest.approx(1.0)
    assert probability(-1e9) == pytest.approx(0.0, abs=1e-12)
