"""What labels are compared with: known labels of vendors, the taxonomy's own words, and synonyms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.mapping.labels import KnownLabel
from llama_mapper.domain.mapping.neighbours.words import is_opaque, words_of


@dataclass(frozen=True, slots=True)
class Reference:
    """A text whose canonical label is known. `origins` are the vendors that say so; none: the text is our own."""

    text: str
    canonical: str
    origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words beside those of the taxonomy: what abbreviations stand for, and phrases that mean a canonical label.

    `unrelated` are labels that mean nothing in the taxonomy; calibrations learn from them, nothing is compared with
    them.
    """

    version: str
    abbreviations: Mapping[str, str]
    synonyms: Mapping[str, Sequence[str]]
    unrelated: tuple[str, ...] = ()


NO_LEXICON = Lexicon("none", {}, {})


def references_of(
    known: Iterable[KnownLabel], taxonomy: Mapping[str, Any], lexicon: Lexicon = NO_LEXICON
) -> tuple[Reference, ...]:
    """Everything to compare a label with. Codes that only their vendor understands are left out.

    Labels of several vendors that have the same words and the same meaning are one reference with several origins.
    """
    origins: dict[tuple[tuple[str, ...], str], set[str]] = {}
    texts: dict[tuple[tuple[str, ...], str], str] = {}
    for label in known:
        if is_opaque(label.key.label):
            continue
        key = words_of(label.key.label), label.canonical
        texts.setdefault(key, label.key.label)
        origins.setdefault(key, set()).add(label.key.vendor)
    found = [Reference(texts[key], key[1], frozenset(vendors)) for key, vendors in origins.items()]
    for domain in taxonomy["domains"]:
        for category in domain["categories"]:
            found.append(Reference(category["name"], category["id"]))
            found.append(Reference(category["definition"], category["id"]))
            for canonical, name in category["subcategories"].items():
                found.append(Reference(name, canonical))
                found.append(Reference(canonical.rpartition(".")[2].replace("_", " "), canonical))
    for canonical, phrases in lexicon.synonyms.items():
        found.extend([Reference(phrase, canonical) for phrase in phrases])
    return tuple(found)
