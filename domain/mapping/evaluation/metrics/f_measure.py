"""Whether rare categories are found as well as common ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Statistic


def macro_f1(gold: Sequence[str], answered: Sequence[str | None], family: Sequence[int], families: int) -> Statistic:
    """The mean of F1 = 2TP / (2TP + FP + FN) over the categories that occur in `gold`; None is no answer.

    The arithmetic mean of each class's F1 (Opitz and Burst, "Macro F1 and macro F1", 2019), as scikit-learn computes it
    with `labels` the classes of the truth and `zero_division=0`.
    """
    hits: list[dict[str, int]] = [{} for _ in range(families)]
    golds: list[dict[str, int]] = [{} for _ in range(families)]
    claims: list[dict[str, int]] = [{} for _ in range(families)]
    for right, claim, number in zip(gold, answered, family, strict=True):
        golds[number][right] = golds[number].get(right, 0) + 1
        if claim is not None:
            claims[number][claim] = claims[number].get(claim, 0) + 1
            if claim == right:
                hits[number][right] = hits[number].get(right, 0) + 1

    def statistic(weights: Sequence[int]) -> float:
        true, support, claimed = (_total(counts, weights) for counts in (hits, golds, claims))
        if not support:
            return math.nan
        return sum(
            2 * true.get(category, 0) / (claimed.get(category, 0) + count) for category, count in support.items()
        ) / len(support)

    return statistic


def _total(counts: Sequence[dict[str, int]], weights: Sequence[int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for weight, one in zip(weights, counts, strict=True):
        if weight:
            for name, count in one.items():
                total[name] = total.get(name, 0) + weight * count
    return total
