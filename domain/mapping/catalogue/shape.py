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
    yield from _TAXONOMY(raw.taxonomy, "taxonomy")
    yield from _VOCABULARIES(raw.vocabularies, "vocabularies")
    yield from _FRAMEWORKS(raw.frameworks, "frameworks")
    yield from _CROSSWALK(raw.crosswalk, "crosswalk")


def _matching(pattern: str, what: str) -> _Check:
    expression = re.compile(pattern)

    def check(value: Any, where: str) -> Found:
        if not isinstance(value, str) or not expression.fullmatch(value):
            yield where, f"must be {what}"

    return check


def _flag(value: Any, where: str) -> Found:
    if not isinstance(value, bool):
        yield where, "must be true or false"


def _list_of(item: _Check) -> _Check:
    def check(value: Any, where: str) -> Found:
        if not isinstance(value, list):
            yield where, "must be a list"
            return
        for position, element in enumerate(value):
            yield from item(element, f"{where}/{position}")

    return check


def _map_of(key: _Check, item: _Check, *, empty: bool = False) -> _Check:
    def check(value: Any, where: str) -> Found:
        if not isinstance(value, Mapping) or not (value or empty):
            yield where, "must be a mapping" if empty else "must be a mapping with something in it"
            return
        for name, element in value.items():
            yield from key(name, f"{where}/{name}")
            yield from item(element, f"{where}/{name}")

    return check


def _record(required: Mapping[str, _Check], optional: Mapping[str, _Check] | None = None) -> _Check:
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
_TEXT = _matching(r"(?s).{1,512}", "a text of 1 to 512 characters")
_LABEL = _matching(r"(?s).{1,256}", "a label of 1 to 256 characters")
_VERSION = _matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "a version")
_NAME = _matching(r"[a-z][a-z0-9_]{0,47}", "a name in small letters, digits and underscores")
_REFERENCE = _matching(r"[a-z][a-z0-9_]{0,47}(:[A-Za-z0-9][A-Za-z0-9_.-]*)?", "a name, or name:version")
_EDITION = _matching(r"[a-z][a-z0-9_]{0,31}:[A-Za-z0-9][A-Za-z0-9_.-]{0,30}", "framework:edition")
_CATEGORY = _matching(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", "a category id, domain.category")
_CANONICAL = _matching(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*(\.[a-z0-9_]+)?", "a canonical label")
_CONTROL = _matching(r"[A-Za-z0-9][A-Za-z0-9_.()-]{0,127}", "a control id")

_TAXONOMY = _record(
    {
        "version": _VERSION,
        "domains": _list_of(
            _record(
                {
                    "id": _NAME,
                    "name": _TEXT,
                    "definition": _TEXT,
                    "categories": _list_of(
                        _record(
                            {
                                "id": _CATEGORY,
                                "name": _TEXT,
                                "definition": _TEXT,
                                "severity": _TEXT,
                                "subcategories": _map_of(_CANONICAL, _TEXT),
                            }
                        )
                    ),
                }
            )
        ),
    }
)
_MEANINGS = _map_of(_CANONICAL, _list_of(_LABEL), empty=True)
_VOCABULARIES = _record(
    {
        "version": _VERSION,
        "vendors": _map_of(
            _NAME,
            _record(
                {
                    "source": _TEXT,
                    "basis": _TEXT,
                    "versions": _map_of(
                        _VERSION,
                        _record(
                            {},
                            {
                                "labels": _MEANINGS,
                                "families": _MEANINGS,
                                "also": _map_of(_LABEL, _list_of(_CANONICAL)),
                                "aliases": _list_of(_NAME),
                                "same_as": _REFERENCE,
                                "without": _list_of(_LABEL),
                            },
                        ),
                    ),
                },
                {"note": _TEXT},
            ),
        ),
    }
)
_FRAMEWORKS = _record(
    {
        "version": _VERSION,
        "frameworks": _map_of(
            _NAME,
            _record(
                {
                    "title": _TEXT,
                    "kind": _TEXT,
                    "applies_when": _TEXT,
                    "editions": _map_of(
                        _VERSION,
                        _record(
                            {
                                "title": _TEXT,
                                "basis": _TEXT,
                                "controls": _map_of(
                                    _CONTROL, _record({"title": _TEXT, "evidence": _TEXT}, {"condition": _TEXT})
                                ),
                            },
                            {"default": _flag, "aliases": _list_of(_REFERENCE)},
                        ),
                    ),
                }
            ),
        ),
    }
)
_CROSSWALK = _record(
    {
        "version": _VERSION,
        "crosswalk": _map_of(
            _CANONICAL,
            _record({"rationale": _TEXT, "controls": _map_of(_EDITION, _list_of(_CONTROL))}),
        ),
        "without": _map_of(_CATEGORY, _TEXT, empty=True),
    },
    {
        "correspondences": _list_of(
            _record(
                {
                    "from": _EDITION,
                    "to": _EDITION,
                    "basis": _TEXT,
                    "controls": _map_of(_CONTROL, _list_of(_CONTROL)),
                    "without": _map_of(_CONTROL, _TEXT, empty=True),
                }
            )
        )
    },
)
