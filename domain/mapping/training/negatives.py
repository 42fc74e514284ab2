"""Wrong options that are hard to tell from the right one: relatives in the taxonomy, and likeness of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.mapping.training.augmentation import words_of

RELATED_SHARE = 0.4
"""Of the wrong options: siblings and the category itself."""

ALIKE_SHARE = 0.35
"""Of the wrong options: those of other categories whose words are most like the label's. The rest are drawn."""


class HardNegatives:
    """Wrong options among the canonical labels of a taxonomy. `meanings` is canonical id → what it means, in words."""

    def __init__(self, meanings: Mapping[str, str]) -> None:
        self._ids = tuple(meanings)
        self._sizes: dict[str, int] = {}
        self._having: dict[str, list[str]] = {}
        for canonical, meaning in meanings.items():
            grams = _trigrams(f"{_last(canonical)} {meaning}")
            self._sizes[canonical] = len(grams)
            for gram in grams:
                self._having.setdefault(gram, []).append(canonical)
        self._relatives: dict[str, list[str]] = {}
        for canonical in self._ids:
            self._relatives.setdefault(category_of(canonical), []).append(canonical)
        self._alike = lru_cache(maxsize=4096)(self._most_alike)

    def options(self, label: str, right: Sequence[str], count: int, random: Random) -> list[str]:
        """`count` wrong options, hard ones first; none of `right`, each once; fewer if the taxonomy has no more."""
        barred = set(right)
        category = category_of(right[0]) if right else None
        related = [each for each in self._relatives.get(category or "", ()) if each not in barred]
        random.shuffle(related)
        chosen = related[: round(count * RELATED_SHARE)]
        alike = [each for each in self._alike(label) if each not in barred and each not in chosen]
        if category is not None:
            alike = [each for each in alike if category_of(each) != category]
        chosen += alike[: round(count * ALIKE_SHARE)]
        missing = max(0, count - len(chosen))
        barred.update(chosen)
        rest = [each for each in self._ids if each not in barred]
        return (chosen + random.sample(rest, min(missing, len(rest))))[:count]

    def _most_alike(self, label: str) -> tuple[str, ...]:
        grams = _trigrams(label)
        shared = Counter(canonical for gram in grams for canonical in self._having.get(gram, ()))
        # Jaccard's index of the two sets of trigrams.
        scores = {each: both / (len(grams) + self._sizes[each] - both) for each, both in shared.items()}
        return tuple(sorted(scores, key=lambda canonical: (-scores[canonical], canonical))[:32])


def _last(canonical: str) -> str:
    return canonical.rsplit(".", 1)[-1]


def _trigrams(text: str) -> frozenset[str]:
    grams: set[str] = set()
    for word in words_of(text):
        padded = f" {word} "
        grams.update(padded[place : place + 3] for place in range(len(padded) - 2))
    return frozenset(grams)
