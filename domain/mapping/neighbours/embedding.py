"""The stage that compares meanings, as an embedding model sees them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from time import perf_counter

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.mapping.cascade.ports import Apart, Ranking
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.neighbours.abbreviations import Abbreviations, spelled_out
from llama_mapper.domain.mapping.neighbours.index import ranked_by_canonical
from llama_mapper.domain.mapping.neighbours.lexical import CANDIDATES, references_digest
from llama_mapper.domain.mapping.neighbours.ports import Embeddings, Neighbour, Vector, VectorIndex
from llama_mapper.domain.mapping.neighbours.references import Lexicon, Reference
from llama_mapper.domain.mapping.neighbours.words import is_opaque, words_of

METHOD = "cosine-2"
_NEAREST = 60
_SHARPNESS = 12.0
_PREPARING_S = 600.0
_NOTHING = Ranking()


class EmbeddingStage:
    """Keeps `CandidateStage`'s promise over an embedding model and a vector index.

    Until `prepare` has ended the rankings name the fault `not_ready`, so that a start does not wait for it.
    """

    def __init__(
        self, embeddings: Embeddings, index: VectorIndex, references: Sequence[Reference], lexicon: Lexicon
    ) -> None:
        self._embeddings = embeddings
        self._index = index
        self._references = references
        self._phrases = lexicon.abbreviations
        self._abbreviations = Abbreviations(lexicon.abbreviations, references)
        texts = hashlib.sha256(f"{METHOD}/{embeddings.version}/{references_digest(references, lexicon)}".encode())
        self._held = texts.hexdigest()[:16]
        self._version = f"{METHOD}-{embeddings.version}-{self._held[:8]}"
        self._fault: str | None = "not_ready"
        self._made: list[Vector] | None = None  # not kept yet: to make them again would cost as much again

    @property
    def stage(self) -> MappingStage:
        """`embedding`."""
        return MappingStage.EMBEDDING

    @property
    def version(self) -> str:
        """The method, the model and a digest of the texts that labels are compared with."""
        return self._version

    @property
    def unready(self) -> str | None:
        """Why the stage cannot rank now; None if it can."""
        return self._fault

    async def prepare(self) -> None:
        """Have the vectors of the known texts in the index; raise what the model or the index raises."""
        try:
            if not await self._index.holds(self._held):
                async with self._index.turn():
                    if not await self._index.holds(self._held):
                        await self._make()
        except ServiceError as error:
            self._fault = error.error_code.value.lower()
            raise
        self._fault = None

    async def _make(self) -> None:
        if self._made is None:
            texts = [self._text_of(reference) for reference in self._references]
            distinct = list(dict.fromkeys(texts))
            vectors = await self._embeddings.embed(distinct, within_s=_PREPARING_S)
            by_text = dict(zip(distinct, vectors, strict=True))
            self._made = [by_text[text] for text in texts]
        await self._index.replace(self._held, self._made)
        self._made = None

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """One ranking a label; codes that only their vendor understands get none."""
        if self._fault is not None:
            return [Ranking(fault=self._fault)] * len(labels)
        started = perf_counter()
        told = [number for number, key in enumerate(labels) if not is_opaque(key.label)]
        rankings = [_NOTHING] * len(labels)
        texts = [self._label_text(labels[number].label) for number in told]
        distinct = list(dict.fromkeys(texts))
        try:
            vectors = await self._embeddings.embed(distinct, within_s=within_s) if distinct else ()
            remaining_s = max(0.0, within_s - (perf_counter() - started))
            found = await self._index.nearest(self._held, vectors, _NEAREST, within_s=remaining_s) if distinct else ()
        except ServiceError as error:
            return [Ranking(fault=error.error_code.value.lower())] * len(labels)
        if self._references and not all(found):
            # A shared index has forgotten this version: to say nothing would look like having no idea.
            self._fault = "not_ready"
            return [Ranking(fault=self._fault)] * len(labels)
        by_text = {text: self._ranking(near, ()) for text, near in zip(distinct, found, strict=True)}
        for number, text in zip(told, texts, strict=True):
            rankings[number] = by_text[text]
        return rankings

    async def rank_apart(self, labels: Sequence[LabelKey], apart: Apart) -> Sequence[Ranking]:
        """The rankings as they would be without the texts that only the named vendors have."""
        texts = [self._label_text(key.label, apart(key.vendor)) for key in labels]
        distinct = list(dict.fromkeys(texts))
        vectors = dict(zip(distinct, await self._embeddings.embed(distinct, within_s=_PREPARING_S), strict=True))
        rankings: list[Ranking] = []
        for key, text in zip(labels, texts, strict=True):
            if is_opaque(key.label):
                rankings.append(_NOTHING)
                continue
            without = frozenset(apart(key.vendor))
            left_out = sum(bool(one.origins) and one.origins <= without for one in self._references)
            found = await self._index.nearest(self._held, [vectors[text]], _NEAREST + left_out, within_s=_PREPARING_S)
            rankings.append(self._ranking(found[0], without))
        return rankings

    def _text_of(self, reference: Reference) -> str:
        words = words_of(reference.text)
        return spelled_out(words, self._phrases, self._abbreviations.other_in_text(words, reference.canonical))

    def _label_text(self, label: str, without: Collection[str] = ()) -> str:
        words = words_of(label)
        return spelled_out(words, self._phrases, self._abbreviations.other_in_label(words, without))

    def _ranking(self, found: Sequence[Neighbour], without: Collection[str]) -> Ranking:
        references = self._references
        near = [
            (neighbour.cosine, references[neighbour.number].canonical)
            for neighbour in found
            if not without
            or not references[neighbour.number].origins
            or not references[neighbour.number].origins.issubset(without)
        ]
        return Ranking(tuple(ranked_by_canonical(near[:_NEAREST], CANDIDATES, _SHARPNESS))) if near else _NOTHING
