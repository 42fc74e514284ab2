"""Look-up among other vendors' labels by normalised form."""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.mapping.catalogue.normalisation import normalise, without_tag
from llama_mapper.domain.mapping.evaluation.baselines.scorer import Scored
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey


class NormalisedScorer:
    """The meaning that most vendors give to labels of the same form; each vendor has one vote for each meaning.

    The score is (votes for it + 1) / (all votes + 2). A label without its tagging prefix is looked up where the
    label as it stands is not known.
    """

    def __init__(self, known: Sequence[KnownLabel]) -> None:
        self._votes: dict[str, dict[str, set[str]]] = {}
        for one in known:
            if form := normalise(one.key.label):
                self._votes.setdefault(form, {}).setdefault(one.canonical, set()).add(one.key.vendor)

    def score(self, label: LabelKey) -> Scored | None:
        """The meaning of the form; None where no vendor has it."""
        votes = self._votes.get(normalise(label.label))
        if votes is None:
            bare = without_tag(label.label)
            votes = self._votes.get(normalise(bare)) if bare else None
            if votes is None:
                return None
        ranked = sorted(votes, key=lambda canonical: (-len(votes[canonical]), canonical))
        total = sum(len(vendors) for vendors in votes.values())
        return Scored(ranked[0], (len(votes[ranked[0]]) + 1) / (total + 2), tuple(ranked[1:4]))
