"""Texts that share words, or pieces of words, with a label: tf-idf over words and over character n-grams.

The weight of a term falls with the number of canonical labels in whose texts it is, not with the number of texts: a
vocabulary of four hundred keys does not make `key` a rare or a common word (class-based tf-idf).
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from llama_mapper.domain.mapping.cascade.ports import Candidate
from llama_mapper.domain.mapping.neighbours.abbreviations import Abbreviations
from llama_mapper.domain.mapping.neighbours.references import Reference
from llama_mapper.domain.mapping.neighbours.words import telling, words_of

_WORD_SHARE = 0.6
"""Of a text's likeness that shared words make; the rest is shared pieces of words, which survive inflection."""

_EXPANSION_WEIGHT = 0.9
_EMPTY_WEIGHT = 0.15
"""Of words such as `number` in front of which the others stand: they decide between texts that are else alike."""

_UNKNOWN_WEIGHT = 0.5
"""Of the greatest weight: a word that no text has (a product's name, often) says that something is not understood."""

_PIECES = (3, 4, 5)
_NEIGHBOURS = 12
_CROWD = 40
_SHARPNESS = 8.0


_OTHER_SENSE = "~"
_NOTHING: tuple[str, ...] = ()
_NONE: frozenset[int] = frozenset()
_NONE_KNOWN: frozenset[str] = frozenset()
_NO_LIST: tuple[tuple[int, ...], tuple[float, ...]] = ((), ())


class LexicalIndex:
    """An immutable index; a query costs a fraction of a millisecond."""

    __slots__ = ("_abbreviations", "_canonicals", "_greatest", "_left_out", "_origins", "_pieces", "_words")

    def __init__(self, references: Sequence[Reference], abbreviations: Mapping[str, str]) -> None:
        self._abbreviations = Abbreviations(abbreviations, references)
        texts = _told_once(references)
        self._canonicals = [canonical for _, canonical in texts]
        self._origins = list(texts.values())
        self._left_out: dict[frozenset[str], frozenset[int]] = {}
        other_senses = self._abbreviations.other_in_text
        documents = [self._terms_of(words, other_senses(words, canonical)) for words, canonical in texts]
        number = len(set(self._canonicals))
        self._greatest = math.log(1 + number)
        self._words = _Postings([words for words, _ in documents], self._canonicals, number)
        self._pieces = _Postings([pieces for _, pieces in documents], self._canonicals, number)

    def likest(self, label: str, limit: int, without: Collection[str] = ()) -> list[Candidate]:
        """The canonical labels with the likest texts, best first; texts that only vendors of `without` know are left
        out. Empty where nothing is shared."""
        every = words_of(label)
        words, pieces = self._terms_of(every, self._abbreviations.other_in_label(every, without))
        if not words:
            return []
        left_out = self._only_of(frozenset(without)) if without else _NONE
        by_words = self._words.cosines(words, self._greatest * _UNKNOWN_WEIGHT, left_out)
        by_pieces = self._pieces.cosines(pieces, self._greatest * _UNKNOWN_WEIGHT, left_out)
        found = [
            (_WORD_SHARE * by_words.get(document, 0.0) + (1 - _WORD_SHARE) * likeness, self._canonicals[document])
            for document, likeness in by_pieces.items()
        ]
        return ranked_by_canonical(found, limit, _SHARPNESS)

    def _only_of(self, vendors: frozenset[str]) -> frozenset[int]:
        known = self._left_out.get(vendors)
        if known is None:
            known = self._left_out[vendors] = frozenset(
                [number for number, origins in enumerate(self._origins) if origins and origins <= vendors]
            )
        return known

    def _terms_of(self, every: tuple[str, ...], others: Collection[str]) -> tuple[dict[str, float], dict[str, float]]:
        """Words and pieces with their weights; of `others`, used in another sense, each is a word of its own."""
        words = telling(every)
        weights = {word: _EMPTY_WEIGHT for word in every if not word.isdigit() and word not in others}
        weights |= {(_OTHER_SENSE + word if word in others else word): 1.0 for word in words}
        for word in words:
            for expanded in _NOTHING if word in others else self._abbreviations.of(word):
                weights[expanded] = max(weights.get(expanded, 0.0), _EXPANSION_WEIGHT)
        pieces: dict[str, float] = {}
        squeezed = f"^{''.join(words)}$"
        for length in _PIECES:
            for start in range(len(squeezed) - length + 1):
                pieces[squeezed[start : start + length]] = 1.0
        for word, weight in weights.items():
            if weight == _EXPANSION_WEIGHT:
                bounded = f"^{word}$"
                for length in _PIECES:
                    for start in range(len(bounded) - length + 1):
                        pieces.setdefault(bounded[start : start + length], weight)
        return weights, pieces


def _told_once(references: Sequence[Reference]) -> dict[tuple[tuple[str, ...], str], frozenset[str]]:
    """(words, canonical label) → the vendors that say so, none where we say it ourselves.

    Where a canonical label has very many texts they differ in names of products: a word that is in one text alone is
    left out of them, and four hundred kinds of keys become some dozens of texts.
    """
    listed = [(words_of(reference.text), reference) for reference in references]
    times = Counter([word for words, _ in listed for word in set(words)])
    crowd = Counter([reference.canonical for _, reference in listed if reference.origins])
    texts: dict[tuple[tuple[str, ...], str], frozenset[str]] = {}
    for words, reference in listed:
        if crowd[reference.canonical] > _CROWD and reference.origins:
            words = tuple([word for word in words if times[word] > 1]) or words
        key = words, reference.canonical
        known = texts.get(key)
        own = not reference.origins or (known is not None and not known)
        texts[key] = _NONE_KNOWN if own else (known or _NONE_KNOWN) | reference.origins
    return texts


def ranked_by_canonical(found: Sequence[tuple[float, str]], limit: int, sharpness: float) -> list[Candidate]:
    """Texts, each as (likeness, canonical label), as one ranking of canonical labels, the `limit` best first.

    A label's score is that of its likest text. Its support is its share of the weights of the likest texts, which
    fall by e with each 1 / `sharpness` of likeness below the first.
    """
    nearest = sorted(found, key=lambda item: (-item[0], item[1]))[:_NEIGHBOURS]
    weights: dict[str, float] = defaultdict(float)
    for score, canonical in nearest:
        weights[canonical] += math.exp(sharpness * (score - nearest[0][0]))
    total = sum(weights.values())
    best: dict[str, float] = {}
    for score, canonical in found:
        if score > best.get(canonical, 0.0):
            best[canonical] = score
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return [Candidate(canonical, score, weights.get(canonical, 0.0) / total) for canonical, score in ranked]


class _Postings:
    """Term → the documents that have it, with weights that make the scalar product of a document with itself 1."""

    __slots__ = ("_idf", "_lists")

    def __init__(self, documents: Sequence[Mapping[str, float]], canonicals: Sequence[str], number: int) -> None:
        classes: dict[str, set[str]] = defaultdict(set)
        for terms, canonical in zip(documents, canonicals, strict=True):
            for term in terms:
                classes[term].add(canonical)
        self._idf = {term: math.log(1 + number / len(having)) for term, having in classes.items()}
        # Arrays, since a hundred thousand pairs of objects would take fifteen megabytes.
        self._lists: dict[str, tuple[array[int], array[float]]] = {
            term: (array("H" if len(documents) < 65_536 else "L"), array("f")) for term in classes
        }
        for document, terms in enumerate(documents):
            weights = {term: weight * self._idf[term] for term, weight in terms.items()}
            norm = math.sqrt(sum([weight * weight for weight in weights.values()])) or 1.0
            for term, weight in weights.items():
                numbers, values = self._lists[term]
                numbers.append(document)
                values.append(weight / norm)

    def cosines(self, terms: Mapping[str, float], unknown: float, left_out: frozenset[int]) -> dict[int, float]:
        """Document → cosine with the query, for documents that share a term; unknown terms weigh `unknown`.

        A term that only documents of `left_out` have is as unknown as if they were not in the index.
        """
        lists = {term: list(zip(*self._lists.get(term, _NO_LIST), strict=True)) for term in terms}
        if left_out:
            lists = {term: [pair for pair in pairs if pair[0] not in left_out] for term, pairs in lists.items()}
        weights = {term: weight * (self._idf[term] if lists[term] else unknown) for term, weight in terms.items()}
        norm = math.sqrt(sum([weight * weight for weight in weights.values()])) or 1.0
        found: dict[int, float] = defaultdict(float)
        for term, weight in weights.items():
            share = weight / norm
            for document, value in lists[term]:
                found[document] += share * value
        return found
