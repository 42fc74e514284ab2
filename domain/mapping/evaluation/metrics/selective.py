"""Answering only where one is sure enough: how much is answered, and how much of that is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llama_mapper.domain.mapping.evaluation.metrics.calibration import by_confidence
from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Outcomes, Statistic

NOTHING = math.inf
"""A threshold that no confidence reaches."""

_ROUNDING = 1e-9
"""7 of 100 are 7 %, though 0.07 * 100 is a little more than 7."""


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """With every answer of at least this confidence accepted: the share accepted, and how much of it is wrong."""

    threshold: float
    coverage: float
    risk: float


def risk_coverage(outcomes: Outcomes) -> tuple[RiskPoint, ...]:
    """The risk-coverage curve, one point a distinct confidence, highest first.

    El-Yaniv and Wiener, "On the foundations of noise-free selective classification", JMLR 11 (2010); Geifman and
    El-Yaniv, "Selective classification for deep neural networks", NIPS 2017. Coverage is of all labels, so a method
    that abstains never reaches 1.
    """
    points, accepted, right = [], 0, 0
    for confidence, members in by_confidence(outcomes):
        accepted += sum(n for _, n, _ in members)
        right += sum(r for _, _, r in members)
        points.append(RiskPoint(confidence, accepted / len(outcomes.right), 1 - right / accepted))
    return tuple(points)


def area_under_risk_coverage(outcomes: Outcomes) -> Statistic:
    """The mean, over k = 1 … n, of the risk among the k answers of highest confidence; 0 is best.

    Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019. Answers
    of the same confidence come in random order, in expectation; abstentions come last and count as wrong, so that
    methods which abstain differently compare.
    """
    groups = by_confidence(outcomes)
    silent = [0] * outcomes.families
    for number, answered in zip(outcomes.family, outcomes.answered, strict=True):
        silent[number] += not answered
    groups.append((-1.0, [(number, n, 0) for number, n in enumerate(silent) if n]))

    def statistic(weights: Sequence[int]) -> float:
        area, taken, wrong = 0.0, 0, 0.0
        for _, members in groups:
            n = sum(weights[number] * labels for number, labels, _ in members)
            if n:
                each = sum(weights[number] * (labels - right) for number, labels, right in members) / n
                area += sum((wrong + each * step) / (taken + step) for step in range(1, n + 1))
                taken += n
                wrong += each * n
        return area / taken if taken else math.nan

    return statistic


def coverage_at_precision(outcomes: Outcomes, precision: float) -> Statistic:
    """The greatest share of labels that can be accepted with at least this share of them right: the oracle's threshold.

    The threshold is chosen on the very answers that it is measured on, as is usual; a threshold in service cannot be.
    """
    groups = by_confidence(outcomes)
    sizes = [0] * outcomes.families
    for number in outcomes.family:
        sizes[number] += 1

    def statistic(weights: Sequence[int]) -> float:
        total = sum(weight * size for weight, size in zip(weights, sizes, strict=True))
        accepted = right = best = 0
        for _, members in groups:
            for number, n, r in members:
                accepted += weights[number] * n
                right += weights[number] * r
            if right >= precision * accepted - _ROUNDING:
                best = accepted
        return best / total if total else math.nan

    return statistic


def threshold_for(outcomes: Outcomes, precision: float) -> float:
    """The least confidence at which accepting keeps this precision on these outcomes; `NOTHING` if there is none."""
    best, accepted, right = NOTHING, 0, 0
    for confidence, members in by_confidence(outcomes):
        accepted += sum(n for _, n, _ in members)
        right += sum(r for _, _, r in members)
        if right >= precision * accepted - _ROUNDING:
            best = confidence
    return best


def accepted_elsewhere(
    outcomes: Outcomes, fold: Sequence[int], precision: float
) -> tuple[tuple[bool, ...], list[float]]:
    """Whether each answer reaches the threshold that the *other* folds' answers give for this precision.

    `fold` is each label's fold, numbered from 0. Also gives each fold's threshold. With a single fold there are no
    others, and nothing is accepted. This is what a threshold set today does for a vendor who comes tomorrow: the
    precision that is attained may be less than the one asked for, and is reported beside the coverage.
    """
    thresholds = []
    for left_out in range(max(fold, default=-1) + 1):
        others = [place for place, number in enumerate(fold) if number != left_out]
        thresholds.append(
            threshold_for(
                Outcomes(
                    tuple(0 for _ in others),
                    tuple(outcomes.right[place] for place in others),
                    tuple(outcomes.answered[place] for place in others),
                    tuple(outcomes.confidence[place] for place in others),
                    1,
                ),
                precision,
            )
        )
    accepted = tuple(
        answered and confidence >= thresholds[number]
        for answered, confidence, number in zip(outcomes.answered, outcomes.confidence, fold, strict=True)
    )
    return accepted, thresholds
