"""Other formats and wordings of a label that mean the same. Pure: the random source given decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

from llama_mapper.domain.mapping.training.wording import PREFIXES, SAME, SHORT_FORMS, SUFFIXES, TAGS

_TRIES = 12
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+")
_OPAQUE_LETTERS = 3

_GROUPS: dict[str, tuple[str, ...]] = {phrase: group for group in SAME for phrase in group}
_LONGEST = max(phrase.count(" ") + 1 for phrase in _GROUPS)


def words_of(label: str) -> tuple[str, ...]:
    """The label's words in lower case: `creditCard`, `CREDIT_CARD` and `Credit/Card` give `credit`, `card`."""
    return tuple(word.casefold() for word in _WORD.findall(label))


def is_opaque(label: str) -> bool:
    """Whether a label is a code (`S5`, `0`) that means nothing without its vendor's list."""
    return sum(map(str.isalpha, label)) < _OPAQUE_LETTERS


def variants_of(label: str, count: int, random: Random) -> tuple[str, ...]:
    """Up to `count` further spellings of a label, each once and none equal to it."""
    words = words_of(label)
    if not words or is_opaque(label):
        return ()
    found: dict[str, None] = {}
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        variant = _variant(words, random)
        if variant != label and len(variant) <= 256 and not is_opaque(variant):
            found[variant] = None
    return tuple(found)


def _variant(words: Sequence[str], random: Random) -> str:
    changed = tuple(words)
    if random.random() < 0.5:
        changed = _paraphrased(changed, random)
    if random.random() < 0.35:
        changed = _abbreviated(changed, random)
    if random.random() < 0.2:
        changed = _pluralised(changed)
    drawn = random.random()
    if drawn < 0.15:
        changed = (random.choice(PREFIXES), *changed)
    elif drawn < 0.3:
        changed = (*changed, random.choice(SUFFIXES))
    written = random.choice(FORMATS)(changed)
    return random.choice(TAGS) + written if random.random() < 0.08 else written


def _paraphrased(words: tuple[str, ...], random: Random) -> tuple[str, ...]:
    for length in range(min(_LONGEST, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            phrase = " ".join(words[start : start + length])
            if group := _GROUPS.get(phrase):
                other = random.choice([each for each in group if each != phrase])
                return (*words[:start], *other.split(), *words[start + length :])
    return words


def _abbreviated(words: tuple[str, ...], random: Random) -> tuple[str, ...]:
    return tuple(random.choice(SHORT_FORMS[word]) if word in SHORT_FORMS else word for word in words)


def _pluralised(words: tuple[str, ...]) -> tuple[str, ...]:
    last = words[-1]
    if not last.isalpha() or len(last) < 4:
        return words
    if last.endswith("s") and not last.endswith("ss"):
        return (*words[:-1], last[:-1])
    return (*words[:-1], last[:-1] + "ies" if last.endswith("y") and last[-2] not in "aeiou" else last + "s")


def _upper_snake(words: Sequence[str]) -> str:
    return "_".join(words).upper()


def _snake(words: Sequence[str]) -> str:
    return "_".join(words)


def _kebab(words: Sequence[str]) -> str:
    return "-".join(words)


def _camel(words: Sequence[str]) -> str:
    return words[0] + "".join(word.capitalize() for word in words[1:])


def _pascal(words: Sequence[str]) -> str:
    return "".join(word.capitalize() for word in words)


def _title(words: Sequence[str]) -> str:
    return " ".join(word.capitalize() for word in words)


def _sentence(words: Sequence[str]) -> str:
    return " ".join(words)


def _dotted(words: Sequence[str]) -> str:
    return ".".join(words)


def _path(words: Sequence[str]) -> str:
    return "/".join(words)


def _joined(words: Sequence[str]) -> str:
    return "".join(words)


FORMATS: tuple[Callable[[Sequence[str]], str], ...] = (
    _upper_snake,
    _snake,
    _kebab,
    _camel,
    _pascal,
    _title,
    _sentence,
    _dotted,
    _path,
    _joined,
)
"""How vendors write the words of a label."""
