"""Always the commonest meaning: what accuracy is worth nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from llama_mapper.domain.mapping.evaluation.baselines.scorer import Scored
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey


class MajorityScorer:
    """The canonical label that most known labels have, for whatever is asked."""

    def __init__(self, known: Sequence[KnownLabel]) -> None:
        counts = Counter(one.canonical for one in known)
        ranked = sorted(counts, key=lambda canonical: (-counts[canonical], canonical))
        self._answer = Scored(ranked[0], 1.0, tuple(ranked[1:3])) if ranked else None

    def score(self, label: LabelKey) -> Scored | None:
        """The commonest meaning; None where nothing is known."""
        return self._answer
