"""How long answers take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Statistic


def quantile(values: Sequence[float], family: Sequence[int], share: float) -> Statistic:
    """The least value that at least `share` of the values do not exceed (Hyndman and Fan 1996, definition 1)."""
    ordered = sorted(zip(values, family, strict=True))

    def statistic(weights: Sequence[int]) -> float:
        total = sum(weights[number] for _, number in ordered)
        reached = 0
        for value, number in ordered:
            reached += weights[number]
            if reached and reached >= share * total:
                return value
        return math.nan

    return statistic
