"""A gate opens only where every bound is shown to hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.kernel.errors import NotFoundError
from llama_mapper.domain.mapping.evaluation.gate import EvaluationGate, figures_of, judge_evaluation
from tests.unit.mapping.evaluation.reports import report_of

VALUE = st.floats(0, 1)


@given(value=VALUE, bound=VALUE)
def test_a_figure_passes_where_it_reaches_its_bound(value: float, bound: float) -> None:
    figures = {"level2_accuracy": value, "ece": value}
    assert bool(judge_evaluation(figures, EvaluationGate(minimum={"level2_accuracy": bound}))) == (value < bound)
    assert bool(judge_evaluation(figures, EvaluationGate(maximum={"ece": bound}))) == (value > bound)


@pytest.mark.parametrize(
    ("figure", "before", "now", "fails"),
    [
        ("level2_accuracy", 0.95, 0.93, False),
        ("level2_accuracy", 0.95, 0.92, True),
        ("level2_accuracy", 0.5, 0.9, False),
        ("ece", 0.05, 0.07, False),
        ("ece", 0.05, 0.08, True),
        ("hard.ece.high", 0.05, 0.08, True),
        ("ece", 0.5, 0.1, False),
    ],
)
def test_no_figure_may_get_much_worse_than_the_base(figure: str, before: float, now: float, fails: bool) -> None:
    gate = EvaluationGate(max_drop={figure: 0.02})
    assert bool(judge_evaluation({figure: now}, gate, {figure: before})) == fails


def test_what_cannot_be_shown_fails() -> None:
    gate = EvaluationGate(minimum={"a": 0}, maximum={"b": 1}, max_drop={"c": 1})
    failures = judge_evaluation({}, gate, {})
    assert [(one.figure, one.rule, one.value) for one in failures] == [
        ("a", "min", None),
        ("b", "max", None),
        ("c", "max_drop", None),
    ]
    assert judge_evaluation({"c": 1.0}, EvaluationGate(max_drop={"c": 1}))
    nan = float("nan")
    assert len(judge_evaluation({"a": nan, "b": nan, "c": nan}, gate, {"c": 0.5})) == 3


def test_every_failure_is_named() -> None:
    gate = EvaluationGate(minimum={"level2_accuracy": 0.9}, max_drop={"ece": 0.01})
    told = [str(one) for one in judge_evaluation({"level2_accuracy": 0.8, "ece": 0.2}, gate, {"ece": 0.1})]
    assert told == ["level2_accuracy: 0.8, min 0.9", "ece: worse by 0.1 than the base, at most 0.01 is allowed"]


async def test_figures_have_names_for_their_labels_and_their_bounds() -> None:
    report = await report_of()
    figures = figures_of(report, "look-up")
    accuracy = report.subjects[1].slices["all"].metrics["level2_accuracy"]  # type: ignore[index]  # its value
    assert figures["level2_accuracy"] == accuracy.value
    assert figures["level2_accuracy.low"] == accuracy.low
    assert figures["hard.level2_accuracy"] == 0.0
    assert "hard.answered_accuracy" not in figures
    with pytest.raises(NotFoundError, match="oracle, look-up"):
        figures_of(report, "another")
