"""Replayed strategies cost what was asked and answer what was taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.mapping.costs.what_if import AnswerRecord, cheapest, pareto_front, what_if

RECORD = st.builds(
    lambda answered, right, confidence, usd, ms: AnswerRecord(answered, answered and right, confidence, usd, ms),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.3, 0.6, 0.9, 1.0]),
    st.sampled_from([0.0, 0.001, 0.01]),
    st.sampled_from([0.0, 1.0, 20.0]),
)
LABELS = st.integers(1, 12).flatmap(
    lambda size: st.fixed_dictionaries({name: st.lists(RECORD, min_size=size, max_size=size) for name in "ab"})
)
CHEAP = [AnswerRecord(True, True, 0.9, 0.0, 1.0)] * 6 + [AnswerRecord(True, False, 0.2, 0.0, 1.0)] * 4
DEAR = [AnswerRecord(True, True, 0.9, 0.01, 100.0)] * 9 + [AnswerRecord(False, False, 0.0, 0.01, 100.0)]


def test_a_dear_method_behind_a_cheap_one_is_asked_only_where_it_is_needed() -> None:
    (pair,) = [one for one in what_if({"cheap": CHEAP, "dear": DEAR}, [0.5], [0.0]) if one.methods == ("cheap", "dear")]
    assert pair.accuracy == pytest.approx(0.9)
    assert pair.coverage == pytest.approx(0.9)
    assert pair.precision == 1.0
    assert pair.asked_second == pytest.approx(0.4)
    assert pair.usd_per_1000_labels == pytest.approx(0.4 * 0.01 * 1000)
    assert pair.milliseconds_per_label == pytest.approx(1 + 0.4 * 100)


def test_the_cheapest_that_keeps_the_bounds_is_found_or_none() -> None:
    outcomes = what_if({"cheap": CHEAP, "dear": DEAR}, [0.0, 0.5], [0.0])
    best = cheapest(outcomes, accuracy=0.9)
    assert best is not None
    assert best.methods == ("cheap", "dear")
    free = cheapest(outcomes, precision=1.0)
    assert free is not None
    assert free.methods == ("cheap",)
    assert free.threshold == 0.5
    assert cheapest(outcomes, accuracy=0.95) is None


@given(records=LABELS)
def test_every_strategy_lies_within_what_its_methods_could(records: dict[str, list[AnswerRecord]]) -> None:
    labels = len(records["a"])
    for one in what_if(records, [0.0, 0.5, 1.0], [0.0, 0.5]):
        reachable = sum(any(records[name][place].right for name in one.methods) for place in range(labels))
        assert one.accuracy <= reachable / labels + 1e-9
        assert one.accuracy <= one.coverage <= 1 + 1e-9
        paid = sum(record.usd for name in one.methods for record in records[name])
        assert one.usd_per_1000_labels <= paid * 1000 / labels + 1e-9
        assert 0 <= one.asked_second <= (len(one.methods) - 1)


@given(records=LABELS)
def test_no_strategy_beats_one_of_the_front(records: dict[str, list[AnswerRecord]]) -> None:
    outcomes = what_if(records, [0.0, 0.5], [0.0])
    front = pareto_front(outcomes)
    assert front
    costs = [(one.usd_per_1000_labels, one.milliseconds_per_label) for one in front]
    assert costs == sorted(costs)
    for one in front:
        cost = (one.usd_per_1000_labels, one.milliseconds_per_label)
        assert not [
            other
            for other in outcomes
            if (other.usd_per_1000_labels, other.milliseconds_per_label) <= cost and other.accuracy > one.accuracy
        ]
    assert front[-1].accuracy == max(one.accuracy for one in outcomes)


def test_records_of_different_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="every label"):
        what_if({"a": CHEAP, "b": CHEAP[1:]})
