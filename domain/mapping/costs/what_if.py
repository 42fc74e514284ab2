"""What other strategies would have cost and lost on labels that were already answered by each method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """One method's answer to one label: whether it answered, was right, how sure it was, and what it took."""

    answered: bool
    right: bool
    confidence: float
    usd: float
    milliseconds: float


@dataclass(frozen=True, slots=True)
class StrategyOutcome:
    """What a strategy comes to. Shares are of all labels, `precision` of those answered; None where none is.

    A strategy asks the first method, takes its answer where the confidence reaches `threshold`, and otherwise asks the
    second; without a second it abstains. The second's answer is taken from `last_threshold` on.
    """

    methods: tuple[str, ...]
    threshold: float
    last_threshold: float
    accuracy: float
    coverage: float
    precision: float | None
    usd_per_1000_labels: float
    milliseconds_per_label: float
    asked_second: float


THRESHOLDS = tuple(number / 20 for number in range(20))
LAST_THRESHOLDS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95)


def what_if(
    records: Mapping[str, Sequence[AnswerRecord]],
    thresholds: Iterable[float] = THRESHOLDS,
    last_thresholds: Iterable[float] = LAST_THRESHOLDS,
) -> tuple[StrategyOutcome, ...]:
    """Every method alone and every ordered pair, at every threshold: what it would have come to on these labels.

    `records` is method → one record a label, in the same order for all; the outcomes are of the situation that they
    were answered in. A method that is asked costs what it cost, whether its answer is taken or not.
    """
    if len({len(each) for each in records.values()}) > 1:
        raise ValueError("every method needs a record of every label")
    grid = sorted(set(thresholds))
    outcomes = [_alone(name, each, threshold) for name, each in records.items() for threshold in grid]
    outcomes += [
        _pair((one, other), records[one], records[other], threshold, last)
        for one, other in permutations(records, 2)
        for threshold in grid
        for last in sorted(set(last_thresholds))
    ]
    return tuple(outcomes)


def pareto_front(outcomes: Iterable[StrategyOutcome]) -> tuple[StrategyOutcome, ...]:
    """The outcomes that no other beats, cheapest first: for each cost the most accurate, where it is better than all
    that cost less.

    Cost is in dollars, then in milliseconds; of outcomes that cost and reach the same the first stands. Accuracy counts
    an abstention as wrong.
    """
    front: list[StrategyOutcome] = []
    for outcome in sorted(
        outcomes, key=lambda one: (one.usd_per_1000_labels, one.milliseconds_per_label, -one.accuracy)
    ):
        if not front or outcome.accuracy > front[-1].accuracy:
            front.append(outcome)
    return tuple(front)


def cheapest(
    outcomes: Iterable[StrategyOutcome], *, accuracy: float = 0.0, precision: float = 0.0, coverage: float = 0.0
) -> StrategyOutcome | None:
    """The cheapest strategy with at least this accuracy, precision and coverage; None if there is none."""
    fit = [
        one
        for one in outcomes
        if one.accuracy >= accuracy and one.coverage >= coverage and (one.precision or 0.0) >= precision
    ]
    return min(fit, key=lambda one: (one.usd_per_1000_labels, one.milliseconds_per_label, -one.accuracy), default=None)


def _alone(name: str, records: Sequence[AnswerRecord], threshold: float) -> StrategyOutcome:
    taken = [one for one in records if one.answered and one.confidence >= threshold]
    return _outcome((name,), threshold, threshold, taken, records, len(records))


def _pair(
    names: tuple[str, str],
    first: Sequence[AnswerRecord],
    second: Sequence[AnswerRecord],
    threshold: float,
    last_threshold: float,
) -> StrategyOutcome:
    taken: list[AnswerRecord] = []
    asked = list(first)
    for one, other in zip(first, second, strict=True):
        if one.answered and one.confidence >= threshold:
            taken.append(one)
            continue
        asked.append(other)
        if other.answered and other.confidence >= last_threshold:
            taken.append(other)
    return _outcome(names, threshold, last_threshold, taken, asked, len(first))


def _outcome(
    methods: tuple[str, ...],
    threshold: float,
    last_threshold: float,
    taken: Sequence[AnswerRecord],
    asked: Sequence[AnswerRecord],
    labels: int,
) -> StrategyOutcome:
    right = sum(one.right for one in taken)
    count = labels or 1
    return StrategyOutcome(
        methods,
        threshold,
        last_threshold,
        accuracy=right / count,
        coverage=len(taken) / count,
        precision=right / len(taken) if taken else None,
        usd_per_1000_labels=sum(one.usd for one in asked) * 1000 / count,
        milliseconds_per_label=sum(one.milliseconds for one in asked) / count,
        asked_second=(len(asked) - labels) / count,
    )
