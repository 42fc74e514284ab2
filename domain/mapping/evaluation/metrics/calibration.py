"""Whether a confidence is the share that is right among answers of that confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Outcomes, Statistic, ratio

BINS = 15
"""As in Guo et al. (2017)."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers whose confidence lies in (`low`, `high`]; means are over them."""

    low: float
    high: float
    labels: int
    confidence: float
    accuracy: float


def calibration_error(outcomes: Outcomes, bins: int = BINS) -> Statistic:
    """Expected calibration error over answered labels, in bins of equal width.

    The mean over answers of |accuracy - mean confidence| of the answer's bin (m - 1)/M < p ≤ m/M. Naeini, Cooper and
    Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015; with 15 bins as in Guo,
    Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, equation 3. An estimate from few
    answers is biased upwards.
    """
    gaps: dict[int, list[float]] = {}
    counts = [0] * outcomes.families
    for number, right, answered, confidence in _rows(outcomes):
        if answered:
            counts[number] += 1
            gaps.setdefault(bin_of(confidence, bins), [0.0] * outcomes.families)[number] += right - confidence

    def statistic(weights: Sequence[int]) -> float:
        answers = _weighted(weights, counts)
        return sum(abs(_weighted(weights, gap)) for gap in gaps.values()) / answers if answers else math.nan

    return statistic


def adaptive_calibration_error(outcomes: Outcomes, bins: int = BINS) -> Statistic:
    """Expected calibration error in bins of about as many answers each, so that no bin is almost empty.

    Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language processing models", EMNLP
    2015; "adaptive" as in Nixon et al., "Measuring calibration in deep learning", CVPR workshops 2019. A bin is full as
    soon as it has its share of the answers; answers of the same confidence are never parted, so that their order says
    nothing.
    """
    groups = by_confidence(outcomes)

    def statistic(weights: Sequence[int]) -> float:
        counted = [
            (
                confidence,
                sum(weights[number] * labels for number, labels, _ in members),
                sum(weights[number] * right for number, _, right in members),
            )
            for confidence, members in groups
        ]
        answers = sum(n for _, n, _ in counted)
        if not answers:
            return math.nan
        error, filled, done, gap = 0.0, 1, 0, 0.0
        for confidence, n, r in counted:
            done += n
            gap += r - n * confidence
            if done * bins >= filled * answers:
                error += abs(gap)
                gap = 0.0
                filled = done * bins // answers + 1
        return error / answers

    return statistic


def brier_score(outcomes: Outcomes) -> Statistic:
    """Mean square of confidence minus outcome (1 right, 0 wrong) over answered labels.

    Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950), for the
    event that the answer is right; 0 is best, 1 worst.
    """
    squares = [(confidence - right) ** 2 if answered else 0.0 for _, right, answered, confidence in _rows(outcomes)]
    return ratio(squares, [float(answered) for answered in outcomes.answered], outcomes.family, outcomes.families)


def reliability(outcomes: Outcomes, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The bins of the reliability diagram that hold answers, lowest first (DeGroot and Fienberg 1983)."""
    sums: dict[int, list[float]] = {}
    for _, right, answered, confidence in _rows(outcomes):
        if answered:
            cell = sums.setdefault(bin_of(confidence, bins), [0, 0.0, 0.0])
            cell[0] += 1
            cell[1] += confidence
            cell[2] += right
    return tuple(
        ReliabilityBin(number / bins, (number + 1) / bins, int(n), confidence / n, right / n)
        for number, (n, confidence, right) in sorted(sums.items())
    )


def bin_of(confidence: float, bins: int) -> int:
    """The number, from 0, of the bin ((m - 1)/M, m/M] with the confidence in it; 0 belongs to the first."""
    return max(0, math.ceil(confidence * bins) - 1)


def by_confidence(outcomes: Outcomes) -> list[tuple[float, list[tuple[int, int, int]]]]:
    """Answered labels by confidence, highest first: for each family, how many and how many right."""
    cells: dict[float, dict[int, list[int]]] = {}
    for number, right, answered, confidence in _rows(outcomes):
        if answered:
            cell = cells.setdefault(confidence, {}).setdefault(number, [0, 0])
            cell[0] += 1
            cell[1] += right
    return [
        (confidence, [(number, n, r) for number, (n, r) in members.items()])
        for confidence, members in sorted(cells.items(), reverse=True)
    ]


def _rows(outcomes: Outcomes) -> zip[tuple[int, bool, bool, float]]:
    return zip(outcomes.family, outcomes.right, outcomes.answered, outcomes.confidence, strict=True)


def _weighted(weights: Sequence[int], values: Sequence[float]) -> float:
    return float(sum(map(mul, weights, values)))
