"""Figures agree with references, keep their bounds, and mean the same in a bootstrap draw."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, f1_score

from llama_mapper.domain.mapping.evaluation.metrics.calibration import (
    adaptive_calibration_error,
    bin_of,
    brier_score,
    calibration_error,
    reliability,
)
from llama_mapper.domain.mapping.evaluation.metrics.f_measure import macro_f1
from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Outcomes, Statistic, mean_of_groups, share
from llama_mapper.domain.mapping.evaluation.metrics.selective import (
    NOTHING,
    accepted_elsewhere,
    area_under_risk_coverage,
    coverage_at_precision,
    risk_coverage,
    threshold_for,
)
from llama_mapper.domain.mapping.evaluation.metrics.times import quantile
from tests.unit.mapping.evaluation.columns import FAMILIES, ONCE, ROWS, WEIGHTS, Row, outcomes, repeated

FIGURES: dict[str, Callable[[Outcomes], Statistic]] = {
    "accuracy": lambda one: share(one.right, one.family, one.families),
    "ece": calibration_error,
    "adaptive_ece": adaptive_calibration_error,
    "brier": brier_score,
    "aurc": area_under_risk_coverage,
    "coverage_at_precision": lambda one: coverage_at_precision(one, 0.8),
}


def same(one: float, other: float) -> bool:
    return (math.isnan(one) and math.isnan(other)) or one == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize("name", FIGURES)
@given(rows=ROWS, weights=WEIGHTS)
def test_a_family_that_counts_twice_is_two_families(name: str, rows: list[Row], weights: list[int]) -> None:
    figure = FIGURES[name]
    assert same(figure(outcomes(rows))(weights), figure(outcomes(repeated(rows, weights)))(ONCE))


@pytest.mark.parametrize("name", FIGURES)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_the_order_of_the_labels_changes_nothing(name: str, rows: list[Row], seed: int) -> None:
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    figure = FIGURES[name]
    assert same(figure(outcomes(rows))(ONCE), figure(outcomes(shuffled))(ONCE))


@pytest.mark.parametrize("name", FIGURES)
@given(rows=ROWS)
def test_every_figure_is_between_0_and_1_where_it_is_defined(name: str, rows: list[Row]) -> None:
    value = FIGURES[name](outcomes(rows))(ONCE)
    assert math.isnan(value) or -1e-9 <= value <= 1 + 1e-9


@given(families=st.lists(st.integers(0, FAMILIES - 1), min_size=1, max_size=40))
def test_answers_that_are_right_and_sure_leave_nothing_to_wish_for(families: list[int]) -> None:
    perfect = outcomes([(family, True, True, 1.0) for family in families])
    values = {name: figure(perfect)(ONCE) for name, figure in FIGURES.items()}
    assert values == {
        "accuracy": 1.0,
        "ece": 0.0,
        "adaptive_ece": 0.0,
        "brier": 0.0,
        "aurc": 0.0,
        "coverage_at_precision": 1.0,
    }


@given(families=st.lists(st.integers(0, FAMILIES - 1), min_size=1, max_size=40))
def test_answers_that_are_wrong_and_sure_are_as_bad_as_can_be(families: list[int]) -> None:
    worst = outcomes([(family, False, True, 1.0) for family in families])
    values = {name: figure(worst)(ONCE) for name, figure in FIGURES.items()}
    assert values == {
        "accuracy": 0.0,
        "ece": 1.0,
        "adaptive_ece": 1.0,
        "brier": 1.0,
        "aurc": 1.0,
        "coverage_at_precision": 0.0,
    }


@given(rows=ROWS)
def test_the_brier_score_is_scikit_learns(rows: list[Row]) -> None:
    answered = [(right, confidence) for _, right, has_answer, confidence in rows if has_answer]
    assume(answered)
    expected = brier_score_loss([right for right, _ in answered], [c for _, c in answered], pos_label=True)
    assert brier_score(outcomes(rows))(ONCE) == pytest.approx(expected, abs=1e-12)


@given(rows=ROWS)
def test_the_calibration_error_is_that_of_numpys_bins(rows: list[Row]) -> None:
    answered = [(right, confidence) for _, right, has_answer, confidence in rows if has_answer]
    assume(answered)
    right, confidence = (np.array(column, dtype=float) for column in zip(*answered, strict=True))
    bins = np.digitize(confidence, np.arange(1, 16) / 15, right=True)
    # A bound such as 0.2 = 3/15 may be a last digit above or below what either computes.
    assume(all(bin_of(float(c), 15) == b for c, b in zip(confidence, bins, strict=True)))
    expected = sum(
        (bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean()) for b in np.unique(bins)
    )
    assert calibration_error(outcomes(rows))(ONCE) == pytest.approx(expected, abs=1e-9)


def test_a_bin_takes_its_upper_bound_and_leaves_its_lower() -> None:
    assert [bin_of(confidence, 4) for confidence in (0.0, 0.25, 0.26, 0.5, 0.75, 0.76, 1.0)] == [0, 0, 1, 1, 2, 3, 3]


def test_adaptive_bins_hold_equally_many_answers() -> None:
    """Two bins of two: |(1 + 0) - (0.9 + 0.8)| and |(1 + 1) - (0.3 + 0.2)|, over four answers."""
    rows = [(0, True, True, 0.9), (0, False, True, 0.8), (0, True, True, 0.3), (0, True, True, 0.2)]
    assert adaptive_calibration_error(outcomes(rows), bins=2)(ONCE) == pytest.approx((0.7 + 1.5) / 4)


@given(rows=ROWS)
def test_one_bin_leaves_the_difference_of_the_means(rows: list[Row]) -> None:
    answered = [(right, confidence) for _, right, has_answer, confidence in rows if has_answer]
    assume(answered)
    expected = abs(sum(r for r, _ in answered) - sum(c for _, c in answered)) / len(answered)
    assert adaptive_calibration_error(outcomes(rows), bins=1)(ONCE) == pytest.approx(expected, abs=1e-9)
    assert calibration_error(outcomes(rows), bins=1)(ONCE) == pytest.approx(expected, abs=1e-9)


@given(rows=ROWS)
def test_finer_bins_never_hide_a_gap(rows: list[Row]) -> None:
    fine, coarse = (calibration_error(outcomes(rows), bins)(ONCE) for bins in (16, 4))
    assume(not math.isnan(fine))
    assert fine >= coarse - 1e-9


@given(rows=ROWS)
def test_the_reliability_bins_hold_every_answer_once(rows: list[Row]) -> None:
    bins = reliability(outcomes(rows))
    assert sum(one.labels for one in bins) == sum(answered for _, _, answered, _ in rows)
    assert all(one.low - 1e-9 <= one.confidence <= one.high + 1e-9 for one in bins)
    total = sum(one.labels for one in bins)
    if total:
        error = sum(one.labels * abs(one.accuracy - one.confidence) for one in bins) / total
        assert calibration_error(outcomes(rows))(ONCE) == pytest.approx(error, abs=1e-9)


LABELS = st.sampled_from(["a.a", "a.b", "b.c", "b.d"])


@given(
    rows=st.lists(
        st.tuples(LABELS, st.one_of(st.none(), LABELS), st.integers(0, FAMILIES - 1)), min_size=1, max_size=40
    ),
    weights=WEIGHTS,
)
def test_macro_f1_is_scikit_learns(rows: list[tuple[str, str | None, int]], weights: list[int]) -> None:
    gold, answered, family = zip(*rows, strict=True)
    counted = [row for row in rows for _ in range(weights[row[2]])]
    value = macro_f1(gold, answered, family, FAMILIES)(weights)
    if not counted:
        assert math.isnan(value)
        return
    truth = [right for right, _, _ in counted]
    expected = f1_score(
        truth, [claim or "none" for _, claim, _ in counted], labels=sorted(set(truth)), average="macro", zero_division=0
    )
    assert value == pytest.approx(expected, abs=1e-12)


@given(rows=ROWS, low=st.floats(0, 1), high=st.floats(0, 1))
def test_coverage_never_grows_with_the_precision_asked_for(rows: list[Row], low: float, high: float) -> None:
    low, high = sorted((low, high))
    coverages = [coverage_at_precision(outcomes(rows), precision)(ONCE) for precision in (low, high)]
    assert coverages[0] >= coverages[1]


@given(rows=ROWS, precision=st.floats(0.01, 1))
def test_the_threshold_keeps_the_precision_and_no_lower_one_does(rows: list[Row], precision: float) -> None:
    found = outcomes(rows)
    threshold = threshold_for(found, precision)

    def attained(least: float) -> tuple[int, int]:
        taken = [r for r, a, c in zip(found.right, found.answered, found.confidence, strict=True) if a and c >= least]
        return sum(taken), len(taken)

    right, accepted = attained(threshold)
    assert right >= precision * accepted - 1e-9
    assert coverage_at_precision(found, precision)(ONCE) == pytest.approx(accepted / len(rows))
    for _, _, answered, confidence in rows:
        if answered and confidence < threshold:
            right, accepted = attained(confidence)
            assert right < precision * accepted


@given(rows=ROWS)
def test_the_risk_coverage_curve_ends_where_everything_is_answered(rows: list[Row]) -> None:
    found = outcomes(rows)
    points = risk_coverage(found)
    assert [one.coverage for one in points] == sorted(one.coverage for one in points)
    assert [one.threshold for one in points] == sorted((one.threshold for one in points), reverse=True)
    if points:
        answered = sum(found.answered)
        assert points[-1].coverage == pytest.approx(answered / len(rows))
        assert points[-1].risk == pytest.approx(1 - sum(found.right) / answered)


def test_the_area_is_the_mean_risk_over_every_coverage() -> None:
    rows = [(0, True, True, 0.9), (0, False, True, 0.8), (0, True, True, 0.7), (0, True, False, 0.0)]
    assert area_under_risk_coverage(outcomes(rows))(ONCE) == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)


@given(rows=ROWS)
def test_better_order_of_the_same_answers_never_has_a_greater_area(rows: list[Row]) -> None:
    ideal = [(family, right, True, 0.9 if right else 0.1) for family, right, _, _ in rows]
    actual = [(family, right, True, confidence) for family, right, _, confidence in rows]
    areas = [area_under_risk_coverage(outcomes(each))(ONCE) for each in (ideal, actual)]
    assert areas[0] <= areas[1] + 1e-9


@given(rows=ROWS, precision=st.floats(0.01, 1))
def test_a_folds_threshold_does_not_look_at_the_fold(rows: list[Row], precision: float) -> None:
    found = outcomes(rows)
    accepted, thresholds = accepted_elsewhere(found, found.family, precision)
    for fold, threshold in enumerate(thresholds):
        others = [row for row in rows if row[0] != fold]
        assert threshold == (threshold_for(outcomes(others), precision) if others else NOTHING)
        # Whatever the fold's own answers had been.
        turned = outcomes([(f, not right if f == fold else right, a, c) for f, right, a, c in rows])
        assert accepted_elsewhere(turned, turned.family, precision)[1][fold] == threshold
    assert all(answered for answered, taken in zip(found.answered, accepted, strict=True) if taken)


def test_a_single_fold_has_no_others_to_learn_from() -> None:
    rows = [(0, True, True, 1.0)] * 5
    assert accepted_elsewhere(outcomes(rows), [0] * 5, 0.5) == ((False,) * 5, [NOTHING])


def test_every_group_counts_alike_in_the_mean_of_groups() -> None:
    statistic = mean_of_groups([1, 1, 1, 0], ["large", "large", "large", "small"], [0, 0, 0, 1], 2)
    assert statistic([1, 1]) == 0.5
    assert statistic([2, 1]) == pytest.approx(2 / 3)
    assert math.isnan(statistic([0, 0]))
    with pytest.raises(ValueError, match="one family"):
        mean_of_groups([1, 1], ["a", "a"], [0, 1], 2)


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=40),
    wanted=st.sampled_from([0.5, 0.9, 0.99]),
)
def test_quantiles_are_numpys_inverted_cdf(values: list[float], wanted: float) -> None:
    expected = np.quantile(values, wanted, method="inverted_cdf")
    assert quantile(values, [0] * len(values), wanted)([1]) == expected


def test_columns_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        Outcomes((0,), (True, False), (True,), (1.0,), 1)
    with pytest.raises(ValueError, match="abstention"):
        Outcomes((0,), (True,), (False,), (1.0,), 1)


def test_a_precision_that_is_just_attained_counts() -> None:
    rows = [(0, place < 7, True, 0.5) for place in range(100)]
    assert coverage_at_precision(outcomes(rows), 0.07)(ONCE) == 1.0
