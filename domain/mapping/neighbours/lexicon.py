"""The document of synonyms, checked against the taxonomy."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from llama_mapper.domain.kernel.errors import CatalogueError
from llama_mapper.domain.mapping.neighbours.references import Lexicon
from llama_mapper.domain.mapping.neighbours.words import words_of

_PHRASE_LIMIT = 128


def lexicon_from(document: Mapping[str, Any], canonical: Collection[str]) -> Lexicon:
    """The lexicon of a parsed document; raise `CATALOGUE_INVALID`, naming the first problems.

    A synonym is of a label of the taxonomy and stands under it once; an abbreviation is one word in small letters.
    """
    if problems := list(_problems(document, canonical)):
        raise CatalogueError(f"synonyms: {len(problems)} problems: {'; '.join(problems[:5])}")
    return Lexicon(
        document["version"],
        dict(document["abbreviations"]),
        {label: tuple(phrases) for label, phrases in document["synonyms"].items()},
        tuple(document["unrelated"]),
    )


def _problems(document: Mapping[str, Any], canonical: Collection[str]) -> Iterator[str]:
    if set(document) != {"version", "abbreviations", "synonyms", "unrelated"}:
        yield "must have a version, abbreviations, synonyms and unrelated"
        return
    if not isinstance(document["version"], str):
        yield "the version must be a text"
    for part in ("abbreviations", "synonyms"):
        if not isinstance(document[part], Mapping):
            yield f"{part} must be a mapping"
            return
    if not isinstance(document["unrelated"], list) or not all(map(_is_phrase, document["unrelated"])):
        yield "unrelated must be a list of labels"
    for word, phrase in document["abbreviations"].items():
        if not _is_phrase(phrase) or words_of(str(word)) != (word,):
            yield f"abbreviations/{word} must be one word and what it stands for"
    for label, phrases in document["synonyms"].items():
        if label not in canonical:
            yield f"synonyms/{label} is not in the taxonomy"
        if not isinstance(phrases, list) or not all(map(_is_phrase, phrases)):
            yield f"synonyms/{label} must be a list of phrases"
        elif len({words_of(phrase) for phrase in phrases}) < len(phrases):
            yield f"synonyms/{label} says one thing twice"


def _is_phrase(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _PHRASE_LIMIT and bool(words_of(value))
