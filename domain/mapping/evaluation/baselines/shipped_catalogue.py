"""The catalogue as it ships, for asking it an own labelled file."""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.contracts.catalogue import CatalogueView, MatchStage
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.evaluation.ports import SubjectAnswer
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

_STAGES = {
    MatchStage.EXACT: MappingStage.CATALOGUE_EXACT,
    MatchStage.NORMALISED: MappingStage.CATALOGUE_NORMALISED,
}


class ShippedCatalogue:
    """Answers by the catalogue, whatever it is fitted with: it leaves no vendor out."""

    name = "catalogue"

    def __init__(self, catalogue: CatalogueView) -> None:
        self._catalogue = catalogue

    async def fit(self, known: Sequence[KnownLabel], seed: int) -> None:
        """Learn nothing."""

    async def answer(self, labels: Sequence[LabelKey]) -> Sequence[SubjectAnswer]:
        """The catalogue's match of each label, or an abstention."""
        return [self._answer(label) for label in labels]

    def _answer(self, label: LabelKey) -> SubjectAnswer:
        match = self._catalogue.match(label.vendor, label.vendor_version, label.label)
        if match is None:
            return SubjectAnswer(None, 0.0, MappingStage.ABSTAINED)
        return SubjectAnswer(match.canonical, match.confidence, _STAGES[match.stage])
