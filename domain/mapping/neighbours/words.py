"""What a label says, word by word: `B-US_bankAccount2` gives `us bank account`."""

from __future__ import annotations

import re
import unicodedata

from llama_mapper.domain.mapping.catalogue.normalisation import without_tag

LABEL_LIMIT = 256
"""Characters of a label that are looked at; the contracts admit no more."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")
_REPEATED = re.compile(r"(.)\1{2,}")
_WORD_LIMIT = 24
_WORDS_OF_A_LABEL = 32

# Words that say that something is a label, not what it is about.
_EMPTY_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "attribute",
        "by",
        "category",
        "check",
        "class",
        "content",
        "detect",
        "detected",
        "detection",
        "detector",
        "entity",
        "exposed",
        "finding",
        "for",
        "found",
        "from",
        "has",
        "in",
        "info",
        "input",
        "into",
        "is",
        "item",
        "its",
        "label",
        "leaked",
        "main",
        "match",
        "name",
        "of",
        "on",
        "or",
        "other",
        "output",
        "potential",
        "possible",
        "result",
        "risk",
        "rule",
        "s",
        "scan",
        "scanner",
        "score",
        "subtype",
        "system",
        "tag",
        "the",
        "to",
        "type",
        "unsafe",
        "value",
        "via",
        "with",
        "without",
    ]
)

# ISO 3166-1 alpha-2 of countries that label lists commonly carry, and what they write for larger areas.
_PLACES = frozenset(
    [
        "ae",
        "ar",
        "at",
        "au",
        "be",
        "bg",
        "br",
        "ca",
        "ch",
        "cl",
        "cn",
        "co",
        "cz",
        "de",
        "dk",
        "ee",
        "es",
        "eu",
        "fi",
        "fr",
        "gb",
        "gr",
        "hk",
        "hr",
        "hu",
        "id",
        "ie",
        "il",
        "in",
        "intl",
        "is",
        "it",
        "jp",
        "kr",
        "lt",
        "lu",
        "lv",
        "mx",
        "my",
        "ng",
        "nl",
        "no",
        "nz",
        "pe",
        "ph",
        "pl",
        "pt",
        "ro",
        "rs",
        "ru",
        "sa",
        "se",
        "sg",
        "si",
        "sk",
        "th",
        "tr",
        "tw",
        "ua",
        "uk",
        "us",
        "usa",
        "uy",
        "ve",
        "vn",
        "za",
    ]
)


def words_of(label: str) -> tuple[str, ...]:
    """The words of a label in small letters, without tagging prefix, singular, at most 32 of at most 24 characters.

    Words end at separators, at a change from small to capital letters and between letters and digits. Unicode
    compatibility forms are folded; characters that nobody sees are dropped, so that they cannot hide a word.
    """
    text = label[:LABEL_LIMIT]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join([character for character in text if unicodedata.category(character) not in _INVISIBLE])
    text = without_tag(text) or text
    found: list[str] = []
    for match in _WORDS.finditer(text):
        word = _singular(_REPEATED.sub(r"\1\1", match[0].casefold())[:_WORD_LIMIT])
        found.append(word)
        if len(found) == _WORDS_OF_A_LABEL:
            break
    return tuple(found)


def telling(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words without a country in front and without words that only say that this is a label.

    Where nothing else is there, the words as they are: `NAME` and `OTHER` are labels too. Digits alone tell nothing.
    """
    rest = words[1:] if len(words) > 1 and words[0] in _PLACES else words
    told = tuple([word for word in rest if word not in _EMPTY_WORDS and not word.isdigit()])
    return told or tuple([word for word in rest if not word.isdigit()])


def is_opaque(label: str) -> bool:
    """Whether the label is a code whose meaning only its vendor knows: `S5`, `LABEL_1`, `O3`, `0`.

    A code is made of digits and at most one or two letters, or of a word that says "label" and a number.
    """
    words = words_of(label)
    letters = [word for word in words if not word.isdigit()]
    has_digits = len(letters) < len(words)
    if not letters or all(word in _NUMBERED for word in letters):
        return has_digits or not letters
    return has_digits and sum(map(len, letters)) <= 2


_INVISIBLE = frozenset({"Cf", "Cc", "Mn", "Co", "Cn", "Cs"})
_NUMBERED = frozenset({"category", "class", "code", "hazard", "label", "policy", "risk", "rule", "type"})
_NOT_PLURAL = ("ss", "us", "is", "os")


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(_NOT_PLURAL):
        return word
    return word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
