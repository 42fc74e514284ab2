"""Answers with why they are as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from llama_mapper.domain.contracts.catalogue import CatalogueView, FrameworkEdition
from llama_mapper.domain.contracts.mapping import MappedLabel, MappingStage
from llama_mapper.domain.mapping.generation.rationale import RationaleFacts, rationale

_NOTHING_ASKED: Mapping[MappingStage, float] = MappingProxyType({})
_STAGES = {stage.value: stage for stage in MappingStage}
_CASCADE = frozenset({MappingStage.LEXICAL, MappingStage.EMBEDDING, MappingStage.MODEL, MappingStage.ABSTAINED})


class Explainer:
    """Writes the rationales of one call; equal facts are put into words once.

    `asked` is the confidence that somebody wants of a stage's answers, `usual` the one that stages after the catalogue
    need where nobody asks for any.
    """

    def __init__(
        self,
        catalogue: CatalogueView,
        editions: Sequence[FrameworkEdition],
        *,
        asked: Mapping[MappingStage, float] = _NOTHING_ASKED,
        usual: float | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._editions = editions
        self._asked = asked
        self._usual = usual
        self._known: dict[RationaleFacts, str] = {}

    def __call__(self, mapped: MappedLabel) -> MappedLabel:
        """The answer with its rationale."""
        facts = facts_of(mapped, self._threshold(mapped.stage))
        text = self._known.get(facts)
        if text is None:
            text = self._known[facts] = rationale(self._catalogue, facts, self._editions)
        return mapped.model_copy(update={"rationale": text})

    def _threshold(self, stage: MappingStage) -> float | None:
        if stage in self._asked:
            return self._asked[stage]
        if stage is MappingStage.ABSTAINED and len(wanted := set(self._asked.values())) == 1:
            return wanted.pop()
        return self._usual if stage in _CASCADE else None


def facts_of(mapped: MappedLabel, threshold: float | None = None) -> RationaleFacts:
    """What an answer says besides the label. Of faults only the stages are taken, and only those that there are."""
    first = mapped.suggestions[0] if mapped.suggestions else None
    silent = (_STAGES.get(fault.partition(":")[0]) for fault in mapped.faults)
    return RationaleFacts(
        stage=mapped.stage,
        canonical=mapped.canonical,
        confidence=mapped.confidence,
        threshold=threshold,
        nearest=None if first is None or mapped.canonical is not None else (first.canonical, first.confidence),
        instead_of=mapped.instead_of,
        silent=tuple(dict.fromkeys(stage for stage in silent if stage is not None)),
    )
