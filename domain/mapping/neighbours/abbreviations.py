"""What the abbreviations of a text stand for: some stand for two things.

A known text shows by its meaning that an abbreviation is used in another sense than the lexicon's: the `PAN` of a tax
number is no payment card. A label shows it by its other words: `CARD_PAN` is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.mapping.neighbours.references import Reference
from llama_mapper.domain.mapping.neighbours.words import telling, words_of

_NOTHING: tuple[str, ...] = ()
_NONE: frozenset[str] = frozenset()


class Abbreviations:
    """Abbreviations, the words that they stand for, and which of them the known texts use in another sense too."""

    __slots__ = ("_elsewhere", "_other_senses", "_own", "_phrases")

    def __init__(self, phrases: Mapping[str, str], references: Sequence[Reference]) -> None:
        self._phrases = {word: telling(words_of(phrase)) for word, phrase in phrases.items()}
        self._own = _own_words(references)
        self._elsewhere = {
            word: {category_of(meaning) for meaning, own in self._own.items() if own.issuperset(phrase)}
            for word, phrase in self._phrases.items()
            if len(phrase) > 1  # one word for another is a spelling, not a sense
        }
        self._other_senses: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = {}
        for reference in references:
            for word in self.other_in_text(words_of(reference.text), reference.canonical):
                own = self._own.get(reference.canonical, _NONE)
                self._other_senses.setdefault(word, []).append((reference.origins, own))

    def of(self, word: str) -> tuple[str, ...]:
        """The telling words that an abbreviation stands for; empty if for itself alone."""
        return self._phrases.get(word, _NOTHING)

    def other_in_text(self, words: Sequence[str], meaning: str) -> frozenset[str]:
        """Those of the words that stand for something else in a text with this meaning.

        That is so where its own texts have less than half of what an abbreviation stands for, and those of a label of
        another category have all of it.
        """
        return frozenset([word for word in words if self._is_other(word, meaning)])

    def other_in_label(self, words: Sequence[str], without: Collection[str] = ()) -> frozenset[str]:
        """Those of the words that stand for something else in a label.

        That is so where a known text uses an abbreviation otherwise and no other word of the label is one of the words
        that it stands for, unless the other meaning's own texts have that word too. Texts that only vendors of
        `without` have are not known.
        """
        found = []
        for word in words:
            senses = self._other_senses.get(word)
            if senses is None:
                continue
            known = [own for origins, own in senses if not origins or not origins.issubset(without)]
            telling_apart = set(self._phrases[word]).difference(*known)
            if known and telling_apart.isdisjoint([each for each in words if each != word]):
                found.append(word)
        return frozenset(found)

    def _is_other(self, word: str, meaning: str) -> bool:
        categories = self._elsewhere.get(word)
        if not categories or not categories - {category_of(meaning)}:
            return False
        phrase, own = self._phrases[word], self._own.get(meaning, _NONE)
        return 2 * sum([each in own for each in phrase]) < len(phrase)


def spelled_out(words: Sequence[str], phrases: Mapping[str, str], others: Collection[str] = ()) -> str:
    """The words with spaces between, each abbreviation followed by what it stands for, unless it is among `others`."""
    spelled: list[str] = []
    for word in words:
        spelled.append(word)
        if word in phrases and word not in others:
            spelled.append(phrases[word])
    return " ".join(spelled)


def _own_words(references: Sequence[Reference]) -> dict[str, frozenset[str]]:
    """Canonical label → the words of the taxonomy and of the lexicon about it; a subcategory has its category's too."""
    found: dict[str, set[str]] = {}
    for reference in references:
        if not reference.origins:
            found.setdefault(reference.canonical, set()).update(words_of(reference.text))
    return {meaning: frozenset(own | found.get(category_of(meaning), set())) for meaning, own in found.items()}
