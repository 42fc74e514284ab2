"""The nearest known label by spelling."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from llama_mapper.domain.mapping.evaluation.baselines.scorer import Scored
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")
_SIZE = 3


class SpellingScorer:
    """Nearest neighbour by the cosine of character trigrams, weighted by rarity (tf-idf).

    Cavnar and Trenkle, "N-gram-based text categorization" (1994); weights of Salton and Buckley, "Term-weighting
    approaches in automatic text retrieval" (1988). Trigrams are taken within words, whose ends count as a character.
    The score is the nearest label's cosine; among equally near ones the commonest meaning wins, then the first by name.
    """

    def __init__(self, known: Sequence[KnownLabel]) -> None:
        meanings: dict[str, Counter[str]] = {}
        for one in known:
            meanings.setdefault(" ".join(_words(one.key.label)), Counter())[one.canonical] += 1
        self._meanings = [
            sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])) for counts in meanings.values()
        ]
        grams = [_grams(text) for text in meanings]
        frequency = Counter(gram for counts in grams for gram in counts)
        self._rarity = {gram: math.log((1 + len(grams)) / (1 + df)) + 1 for gram, df in frequency.items()}
        self._unseen = math.log(1 + len(grams)) + 1
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for number, counts in enumerate(grams):
            weights, length = self._vector(counts)
            for gram, weight in weights.items():
                self._postings.setdefault(gram, []).append((number, weight / length))

    def score(self, label: LabelKey) -> Scored | None:
        """The meaning of the nearest label; None where no known label shares a trigram."""
        weights, length = self._vector(_grams(" ".join(_words(label.label))))
        likeness: dict[int, float] = {}
        for gram, weight in weights.items():
            for number, share in self._postings.get(gram, ()):
                likeness[number] = likeness.get(number, 0.0) + weight * share
        best: dict[str, tuple[float, int]] = {}
        for number in sorted(likeness, key=lambda number: -likeness[number])[:10]:
            for canonical, count in self._meanings[number]:
                found = (round(likeness[number] / length, 9), count)
                best[canonical] = max(best.get(canonical, found), found)
        if not best:
            return None
        ranked = sorted(best, key=lambda canonical: (-best[canonical][0], -best[canonical][1], canonical))
        return Scored(ranked[0], best[ranked[0]][0], tuple(ranked[1:4]))

    def _vector(self, counts: Counter[str]) -> tuple[dict[str, float], float]:
        weights = {gram: count * self._rarity.get(gram, self._unseen) for gram, count in counts.items()}
        return weights, math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0


def _words(label: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(_HUMP.sub(" ", label))] or [label.casefold()]


def _grams(text: str) -> Counter[str]:
    return Counter(
        padded[start : start + _SIZE]
        for word in text.split(" ")
        for padded in (f"^{word}$",)
        for start in range(max(1, len(padded) - _SIZE + 1))
    )
