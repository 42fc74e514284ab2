"""The stage that compares words."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from time import perf_counter

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.ports import Apart, Ranking
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.neighbours.index import LexicalIndex
from llama_mapper.domain.mapping.neighbours.references import Lexicon, Reference
from llama_mapper.domain.mapping.neighbours.words import is_opaque

METHOD = "tfidf-2"
"""Rises when the same data would be ranked otherwise."""

CANDIDATES = 15
_TURN_S = 0.005
_NOTHING = Ranking()
_OUT_OF_TIME = Ranking(fault="out_of_time")


class LexicalStage:
    """Keeps `CandidateStage`'s promise in this thread; other work gets its turn every 5 ms."""

    def __init__(self, references: Sequence[Reference], lexicon: Lexicon) -> None:
        self._index = LexicalIndex(references, lexicon.abbreviations)
        self._version = f"{METHOD}-{references_digest(references, lexicon)}"

    @property
    def stage(self) -> MappingStage:
        """`lexical`."""
        return MappingStage.LEXICAL

    @property
    def version(self) -> str:
        """The method, and a digest of the texts that labels are compared with."""
        return self._version

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """One ranking a label; codes that only their vendor understands get none."""
        started = turn = perf_counter()
        rankings: list[Ranking] = []
        for key in labels:
            now = perf_counter()
            if now - started > within_s:
                rankings.extend([_OUT_OF_TIME] * (len(labels) - len(rankings)))
                break
            if now - turn > _TURN_S:
                await asyncio.sleep(0)
                turn = perf_counter()
            rankings.append(self._ranking(key.label, ()))
        return rankings

    async def rank_apart(self, labels: Sequence[LabelKey], apart: Apart) -> Sequence[Ranking]:
        """The rankings as they would be without the texts that only the named vendors have."""
        return [self._ranking(key.label, apart(key.vendor)) for key in labels]

    def _ranking(self, label: str, without: Collection[str]) -> Ranking:
        if is_opaque(label):
            return _NOTHING
        return Ranking(tuple(self._index.likest(label, CANDIDATES, without)))


def references_digest(references: Sequence[Reference], lexicon: Lexicon) -> str:
    """Twelve hexadecimal digits that change with the texts, with what they mean and with the abbreviations."""
    digest = hashlib.sha256()
    for reference in references:
        digest.update(f"{reference.text}\0{reference.canonical}\0{','.join(sorted(reference.origins))}\1".encode())
    for word, phrase in lexicon.abbreviations.items():
        digest.update(f"{word}\0{phrase}\2".encode())
    return digest.hexdigest()[:12]
