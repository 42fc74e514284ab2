"""The shape of the catalogue's documents: which keys, and what kind of value under each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue

Found = Iterator[tuple[str, str]]
"""(where, what) of each problem."""

_Check = Callable[[Any, str], Found]


def shape_problems(raw: RawCatalogue) -> Found:
    """Where a document lacks a key, has one too many, or holds a value of the wrong kind."""
    yield from TAXONOMY(raw.taxonomy, "taxonomy")
    yield from VOCABULARIES(raw.vocabularies, "vocabularies")
    yield from _FRAMEWORKS(raw.frameworks, "frameworks")
    yield from CROSSWALK(raw.crosswalk, "crosswalk")


def _matching(pattern: str, what: str) -> _Check:
    expression = re.compile(pattern)

    def check(value: Any, where: str) -> Found:
        if not isinstance(value, str) or not expression.fullmatch(value):
            yield where, f"must be {what}"

    return check


def _flag(value: Any, where: str) -> Found:
    if not isinstance(value, bool):
        yield where, "must be true or false"


def list_of(item: _Check) -> _Check:
    """A list of such items."""

    def check(value: Any, where: str) -> Found:
        if not isinstance(value, list):
            yield where, "must be a list"
            return
        for position, element in enumerate(value):
            yield from item(element, f"{where}/{position}")

    return check


def map_of(key: _Check, item: _Check, *, empty: bool = False) -> _Check:
    """A mapping from such keys to such items, with at least one entry unless it may be `empty`."""

    def check(value: Any, where: str) -> Found:
        if not isinstance(value, Mapping) or not (value or empty):
            yield where, "must be a mapping" if empty else "must be a mapping with something in it"
            return
        for name, element in value.items():
            yield from key(name, f"{where}/{name}")
            yield from item(element, f"{where}/{name}")

    return check


def record(required: Mapping[str, _Check], optional: Mapping[str, _Check] | None = None) -> _Check:
    """A mapping with these keys and no others."""
    fields = {**required, **(optional or {})}

    def check(value: Any, where: str) -> Found:
        if not isinstance(value, Mapping):
            yield where, "must be a mapping"
            return
        for name in required:
            if name not in value:
                yield where, f"lacks '{name}'"
        for name, element in value.items():
            if name in fields:
                yield from fields[name](element, f"{where}/{name}")
            else:
                yield where, f"has an unknown key '{name}'"

    return check


# The patterns are those of the published contracts, so that whatever the catalogue answers can be published.
TEXT = _matching(r"(?s).{1,512}", "a text of 1 to 512 characters")
_LABEL = _matching(r"(?s).{1,256}", "a label of 1 to 256 characters")
VERSION = _matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "a version")
_NAME = _matching(r"[a-z][a-z0-9_]{0,47}", "a name in small letters, digits and underscores")
_REFERENCE = _matching(r"[a-z][a-z0-9_]{0,47}(:[A-Za-z0-9][A-Za-z0-9_.-]*)?", "a name, or name:version")
EDITION = _matching(r"[a-z][a-z0-9_]{0,31}:[A-Za-z0-9][A-Za-z0-9_.-]{0,30}", "framework:edition")
CATEGORY = _matching(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", "a category id, domain.category")
CANONICAL = _matching(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*(\.[a-z0-9_]+)?", "a canonical label")
CONTROL = _matching(r"[A-Za-z0-9][A-Za-z0-9_.()-]{0,127}", "a control id")

TAXONOMY = record(
    {
        "version": VERSION,
        "domains": list_of(
            record(
                {
                    "id": _NAME,
                    "name": TEXT,
                    "definition": TEXT,
                    "categories": list_of(
                        record(
                            {
                                "id": CATEGORY,
                                "name": TEXT,
                                "definition": TEXT,
                                "severity": TEXT,
                                "subcategories": map_of(CANONICAL, TEXT),
                            }
                        )
                    ),
                }
            )
        ),
    }
)
_MEANINGS = map_of(CANONICAL, list_of(_LABEL), empty=True)
VOCABULARIES = record(
    {
        "version": VERSION,
        "vendors": map_of(
            _NAME,
            record(
                {
                    "source": TEXT,
                    "basis": TEXT,
                    "versions": map_of(
                        VERSION,
                        record(
                            {},
                            {
                                "labels": _MEANINGS,
                                "families": _MEANINGS,
                                "also": map_of(_LABEL, list_of(CANONICAL)),
                                "aliases": list_of(_NAME),
                                "same_as": _REFERENCE,
                                "without": list_of(_LABEL),
                            },
                        ),
                    ),
                },
                {"note": TEXT},
            ),
        ),
    }
)
_FRAMEWORKS = record(
    {
        "version": VERSION,
        "frameworks": map_of(
            _NAME,
            record(
                {
                    "title": TEXT,
                    "kind": TEXT,
                    "applies_when": TEXT,
                    "editions": map_of(
                        VERSION,
                        record(
                            {
                                "title": TEXT,
                                "basis": TEXT,
                                "controls": map_of(
                                    CONTROL, record({"title": TEXT, "evidence": TEXT}, {"condition": TEXT})
                                ),
                            },
                            {"default": _flag, "aliases": list_of(_REFERENCE)},
                        ),
                    ),
                }
            ),
        ),
    }
)
CROSSWALK = record(
    {
        "version": VERSION,
        "crosswalk": map_of(
            CANONICAL,
            record({"rationale": TEXT, "controls": map_of(EDITION, list_of(CONTROL))}),
        ),
        "without": map_of(CATEGORY, TEXT, empty=True),
    },
    {
        "correspondences": list_of(
            record(
                {
                    "from": EDITION,
                    "to": EDITION,
                    "basis": TEXT,
                    "controls": map_of(CONTROL, list_of(CONTROL)),
                    "without": map_of(CONTROL, TEXT, empty=True),
                }
            )
        )
    },
)
