"""The formulas, against what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, factorial, log, sqrt
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.mapping.monitoring.anomaly import LIMIT, Point, judge, robust_deviations
from llama_mapper.domain.mapping.monitoring.attribution import Ratio, explain, powers, surprise
from llama_mapper.domain.mapping.monitoring.distances import (
    chance_psi,
    jensen_shannon_distance,
    psi_terms,
    shares_of,
)
from llama_mapper.domain.mapping.monitoring.onset import Step, onset
from llama_mapper.domain.mapping.monitoring.queues import (
    erlang_c,
    mean_wait,
    places_for,
    steps_until,
    theil_sen,
)
from llama_mapper.domain.mapping.monitoring.ranks import adjusted, correlations, spearman

COUNTS = st.lists(st.integers(0, 1_000), min_size=2, max_size=12)
HOUR, DAY = 3_600, 86_400


def _shares(counts: Sequence[int]) -> tuple[float, ...]:
    names = tuple(map(str, range(len(counts))))
    return shares_of(dict(zip(names, counts, strict=True)), names)


@given(st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)), min_size=2, max_size=12))
def test_distances_are_symmetric_never_negative_and_0_of_the_same(counts: list[tuple[int, int]]) -> None:
    p, q = _shares([one for one, _ in counts]), _shares([other for _, other in counts])
    assert all(term >= 0.0 for term in psi_terms(p, q))
    assert sum(psi_terms(p, q)) == pytest.approx(sum(psi_terms(q, p)))
    assert 0.0 <= jensen_shannon_distance(p, q) <= 1.0
    assert jensen_shannon_distance(p, q) == pytest.approx(jensen_shannon_distance(q, p))
    assert sum(psi_terms(p, p)) == jensen_shannon_distance(p, p) == 0.0


@given(st.tuples(COUNTS, COUNTS, COUNTS))
def test_the_jensen_shannon_distance_keeps_the_triangle_inequality(all_counts: tuple[list[int], ...]) -> None:
    size = min(map(len, all_counts))
    p, q, r = (_shares(counts[:size]) for counts in all_counts)
    assert jensen_shannon_distance(p, r) <= jensen_shannon_distance(p, q) + jensen_shannon_distance(q, r) + 1e-9


def test_the_index_of_a_textbook_example() -> None:
    # Shares 0.5 and 0.5 become 0.7 and 0.3: 0.2 ln(0.7/0.5) + 0.2 ln(0.5/0.3).
    assert sum(psi_terms((0.5, 0.5), (0.7, 0.3))) == pytest.approx(0.2 * log(1.4) + 0.2 * log(5 / 3))
    assert jensen_shannon_distance((1.0, 0.0), (0.0, 1.0)) == pytest.approx(1.0)


def test_chance_alone_reaches_the_index_that_is_told_one_time_in_a_hundred() -> None:
    random, bins, n, m, tries = Random(1), 8, 2_000, 500, 1_500
    limit, beyond = chance_psi(bins, n, m), 0
    for _ in range(tries):
        sides = [[0] * bins, [0] * bins]
        for side, size in zip(sides, (n, m), strict=True):
            for place in random.choices(range(bins), k=size):
                side[place] += 1
        beyond += sum(psi_terms(_shares(sides[0]), _shares(sides[1]))) > limit
    assert 0.002 < beyond / tries < 0.025


@given(
    st.dictionaries(
        st.sampled_from("abcdefgh"),
        st.tuples(*[st.tuples(st.integers(0, 50), st.integers(50, 500)) for _ in range(2)]),
        min_size=1,
    )
)
def test_explanatory_powers_sum_to_one(parts: dict[str, tuple[tuple[int, int], tuple[int, int]]]) -> None:
    found = powers({name: (Ratio(*before), Ratio(*now)) for name, (before, now) in parts.items()})
    assert not found or sum(found.values()) == pytest.approx(1.0)


def test_the_vendor_that_began_to_abstain_explains_it_and_a_dimension_without_a_culprit_does_not_come_first() -> None:
    vendors = {
        "presidio": (Ratio(50, 10_000), Ratio(60, 10_000)),
        "acme": (Ratio(5, 1_000), Ratio(700, 1_000)),
        "beta": (Ratio(20, 4_000), Ratio(21, 4_000)),
    }
    halves = {name: (Ratio(37, 7_500), Ratio(390, 7_500)) for name in ("even", "odd")}
    first, *_ = explain({"half": halves, "vendor": vendors})
    assert first.dimension == "vendor"
    assert [one.element for one in first.elements] == ["acme"]
    assert first.elements[0].power == pytest.approx(0.985, abs=0.01)
    assert (first.elements[0].before, first.elements[0].now) == (0.005, 0.7)


def test_parts_of_all_that_stand_apart_from_what_they_are_of_explain_by_their_own_change() -> None:
    work = {
        "catalogue": (Ratio(10.0, 0), Ratio(10.0, 0)),
        "model": (Ratio(100.0, 0), Ratio(310.0, 0)),
        "lexical": (Ratio(20.0, 0), Ratio(20.0, 0)),
        "": (Ratio(0, 100), Ratio(0, 100)),
    }
    (found,) = explain({"work": work})
    assert [(one.element, round(one.power, 6)) for one in found.elements] == [("model", 1.0)]
    assert (found.elements[0].before, found.elements[0].now) == (1.0, 3.1)


@given(*[st.floats(0.0, 1e6)] * 4)
def test_surprise_is_symmetric_in_time_and_never_negative(a: float, b: float, c: float, d: float) -> None:
    whole, later = a + b + 1.0, c + d + 1.0
    assert surprise(a, whole, c, later) == pytest.approx(surprise(c, later, a, whole))
    assert surprise(a, whole, c, later) >= 0.0


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=30),
    st.floats(-1e6, 1e6),
    st.floats(0.5, 1e3),
)
def test_robust_deviations_do_not_depend_on_the_unit(values: list[float], value: float, unit: float) -> None:
    usual, deviations = robust_deviations(value, values, 1.0)
    usual_then, deviations_then = robust_deviations(value * unit, [one * unit for one in values], unit)
    assert usual_then == pytest.approx(usual * unit)
    assert deviations_then == pytest.approx(deviations, rel=1e-6, abs=1e-6)


@given(st.integers(0, 9), st.integers(1, 4))
def test_up_to_four_wild_values_of_ten_hide_no_anomaly(seed: int, wild: int) -> None:
    random = Random(seed)
    values = [100.0 + random.gauss(0, 2) for _ in range(10 - wild)] + [1e9] * wild
    assert robust_deviations(1_000.0, values, 0.0)[1] > LIMIT
    assert robust_deviations(median(values), values, 0.0)[1] == 0.0


def test_a_day_with_a_rhythm_is_compared_with_the_same_hour_of_other_days() -> None:
    series = {
        day * DAY + hour * HOUR: Point(1_000.0 if hour == 3 else 10.0, 3.0) for day in range(8) for hour in range(24)
    }
    quiet = judge(series, DAY, HOUR, 7 * DAY)
    assert len(quiet) == 24
    assert all(one.seasonal and not one.anomalous for one in quiet)
    series[7 * DAY + 3 * HOUR] = Point(10.0, 3.0)
    assert [one.start for one in judge(series, DAY, HOUR, 7 * DAY) if one.anomalous] == [7 * DAY + 3 * HOUR]


def test_too_little_to_compare_with_is_not_judged_and_few_days_are_compared_with_the_hours_before() -> None:
    series = {hour * HOUR: Point(100.0, 10.0) for hour in range(20)}
    judged = judge(series, DAY, HOUR, 0)
    assert [one.start // HOUR for one in judged] == list(range(8, 20))
    assert not any(one.seasonal for one in judged)


def test_counting_noise_of_a_steady_series_raises_no_alarm() -> None:
    random = Random(5)
    counts = [sum(random.random() < 0.05 for _ in range(400)) for _ in range(200)]
    series = {number * HOUR: Point(float(count), sqrt(count + 1.0)) for number, count in enumerate(counts)}
    judged = judge(series, HOUR, HOUR, 0)
    assert sum(one.anomalous for one in judged) <= 2


@pytest.mark.parametrize("is_share", [True, False])
@pytest.mark.parametrize("where", [1, 17, 39])
def test_the_beginning_of_a_change_is_found(where: int, is_share: bool) -> None:
    steps = [Step(number, 300.0 if number >= where else 20.0, 500.0) for number in range(40)]
    assert onset(steps, is_share=is_share) == where


def test_a_series_without_a_change_has_no_beginning() -> None:
    random = Random(3)
    steps = [Step(number, float(sum(random.random() < 0.1 for _ in range(100))), 100.0) for number in range(48)]
    assert onset(steps, is_share=True) is None
    assert onset([], is_share=True) is None


@given(st.integers(1, 60), st.floats(0.01, 59.0))
def test_erlang_c_agrees_with_its_sum(places: int, load: float) -> None:
    found = erlang_c(places, load)
    if load >= places:
        assert found == 1.0
        return
    terms = [load**number / factorial(number) for number in range(places)]
    last = load**places / factorial(places) * places / (places - load)
    assert found == pytest.approx(last / (sum(terms) + last), rel=1e-9)


@given(st.integers(1, 200), st.floats(0.001, 100.0))
def test_more_places_never_make_anybody_wait_longer(places: int, load: float) -> None:
    assert erlang_c(places + 1, load) <= erlang_c(places, load) + 1e-12
    if load < places:
        assert mean_wait(places + 1, load, 1.0) <= mean_wait(places, load, 1.0) + 1e-12


def test_one_place_waits_as_long_as_the_textbook_says() -> None:
    # M/M/1: the wait is rho / (1 - rho) of the service time.
    assert mean_wait(1, 0.8, 10.0) == pytest.approx(40.0)
    with pytest.raises(ValueError, match="without end"):
        mean_wait(1, 1.0, 10.0)


@given(st.floats(0.0, 1e6), st.floats(0.05, 0.99))
def test_the_places_are_the_fewest_that_are_used_no_more_than_aimed_at(load: float, aim: float) -> None:
    places = places_for(load, aim)
    assert load / places <= aim + 1e-6
    assert places == 1 or load / (places - 1) > aim - 1e-6


@given(st.integers(3, 40), st.floats(-100.0, 100.0), st.integers(0, 2**16))
def test_a_slope_survives_wild_points(count: int, slope: float, seed: int) -> None:
    random = Random(seed)
    points = [(float(x), slope * x + 5.0) for x in range(count)]
    for place in random.sample(range(count), max(0, count // 8)):
        points[place] = (points[place][0], 1e7)
    found = theil_sen(points)
    assert found is not None
    assert found.low - 1e-6 <= found.middle <= found.high + 1e-6
    if count >= 8:
        assert found.middle == pytest.approx(slope, abs=1e-6 + abs(slope) * 1e-6)


def test_two_points_have_no_slope_and_what_does_not_grow_never_arrives() -> None:
    assert theil_sen([(0.0, 1.0), (1.0, 2.0)]) is None
    assert theil_sen([(1.0, 1.0)] * 4) is None
    assert steps_until(10.0, 4.0, 2.0) == 3.0
    assert steps_until(10.0, 12.0, 2.0) == 0.0
    assert steps_until(10.0, 4.0, 0.0) is None


def test_series_whose_changes_follow_each_other_are_found_at_their_lag() -> None:
    random = Random(2)
    base = [random.random() for _ in range(80)]
    follows = [0.0, 0.0, *[value * 3.0 for value in base[:-2]]]
    noise = [random.random() for _ in range(80)]
    found = {(one.one, one.other): one for one in correlations({"a": base, "b": follows, "c": noise})}
    assert (found["a", "b"].lag, found["a", "b"].rho > 0.95) == (2, True)
    assert found["a", "b"].p < 1e-9
    assert abs(found["a", "c"].rho) < 0.5


def test_two_series_that_only_grow_do_not_go_together() -> None:
    random = Random(4)
    rising = {name: [number * 10.0 + random.random() for number in range(100)] for name in "ab"}
    (found,) = correlations(rising)
    assert found.p > 0.01
    assert not list(correlations({"a": [1.0] * 5, "b": [2.0] * 5}))
    assert not list(correlations({"a": [None] * 50, "b": [2.0] * 50}))


@given(st.lists(st.integers(0, 5), min_size=3, max_size=20), st.integers(0, 2**16))
def test_rank_correlation_is_blind_to_the_scale(values: list[int], seed: int) -> None:
    random = Random(seed)
    other = [random.random() for _ in values]
    assert spearman(values, other) == pytest.approx(spearman([exp(value) for value in values], other))
    assert spearman(values, values) == pytest.approx(1.0 if len(set(values)) > 1 else 0.0)


@given(st.lists(st.floats(0.0, 1.0), max_size=20))
def test_adjusted_probabilities_keep_their_order_and_are_no_less(p_values: list[float]) -> None:
    found = adjusted(p_values)
    assert all(p - 1e-12 <= q <= 1.0 for p, q in zip(p_values, found, strict=True))
    ordered = [q for _, q in sorted(zip(p_values, found, strict=True))]
    assert ordered == sorted(ordered)
