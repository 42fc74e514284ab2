"""Whether an evaluation is good enough to release what it evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llama_mapper.domain.contracts.evaluation import EvaluationSlice, MappingEvaluation
from llama_mapper.domain.kernel.errors import ErrorCode, NotFoundError
from llama_mapper.domain.mapping.evaluation.measures import LOWER_IS_BETTER


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationGate:
    """Bounds by figure. A figure is named as `figures_of` names it.

    `max_drop` bounds how much worse a figure may be than in the evaluation of what is released now: how much less, or
    how much more where less is better.
    """

    minimum: Mapping[str, float] = field(default_factory=dict)
    maximum: Mapping[str, float] = field(default_factory=dict)
    max_drop: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateFailure:
    """One bound that does not hold. `value` is None where the evaluation has no such figure: that fails, too."""

    figure: str
    rule: str
    """`min`, `max` or `max_drop`."""
    bound: float
    value: float | None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.figure}: there is no such figure ({self.rule} {self.bound:g})"
        if self.rule == "max_drop":
            return f"{self.figure}: worse by {self.value:.6g} than the base, at most {self.bound:g} is allowed"
        return f"{self.figure}: {self.value:.6g}, {self.rule} {self.bound:g}"


def judge_evaluation(
    figures: Mapping[str, float], gate: EvaluationGate, base: Mapping[str, float] | None = None
) -> tuple[GateFailure, ...]:
    """Every bound that does not hold; none means that the gate is passed. A figure equal to its bound holds it.

    `base` are the figures that `max_drop` compares with; without them each such bound fails, since nothing shows that
    it holds.
    """
    failures = []
    for figure, bound in gate.minimum.items():
        value = figures.get(figure)
        if value is None or not value >= bound:
            failures.append(GateFailure(figure, "min", bound, value))
    for figure, bound in gate.maximum.items():
        value = figures.get(figure)
        if value is None or not value <= bound:
            failures.append(GateFailure(figure, "max", bound, value))
    for figure, bound in gate.max_drop.items():
        value, before = figures.get(figure), (base or {}).get(figure)
        if value is None or before is None:
            failures.append(GateFailure(figure, "max_drop", bound, None))
            continue
        worse = value - before if _plain_name(figure) in LOWER_IS_BETTER else before - value
        if not round(worse, 9) <= bound:  # 0.95 - 0.93 is a little more than 0.02
            failures.append(GateFailure(figure, "max_drop", bound, worse))
    return tuple(failures)


def figures_of(report: MappingEvaluation, subject: str) -> dict[str, float]:
    """A method's figures by name. Raises `NOT_FOUND` for one that is not there.

    `level2_accuracy` is over all labels, `hard.level2_accuracy` over the hard ones; `.low` and `.high` after a name are
    the bounds of its interval.
    """
    for one in report.subjects:
        if subject == one.name:
            break
    else:
        known = ", ".join(one.name for one in report.subjects)
        raise NotFoundError(f"the evaluation has no method '{subject}'; it has {known}", ErrorCode.NOT_FOUND)
    figures: dict[str, float] = {}
    for name, found in one.slices.items():
        before = "" if name is EvaluationSlice.ALL else f"{name.value}."
        for metric, measured in found.metrics.items():
            for after, value in (("", measured.value), (".low", measured.low), (".high", measured.high)):
                if value is not None:
                    figures[f"{before}{metric}{after}"] = value
    return figures


def _plain_name(figure: str) -> str:
    return figure.removeprefix("hard.").removesuffix(".low").removesuffix(".high")
