"""Whether a model's text keeps the schema that it was bound to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def is_bound(text: str, schema: Mapping[str, Any]) -> bool:
    """Whether `text` is JSON that keeps `schema` in what our schemas say.

    Looked at: `type` (one), `enum`, `const`, `properties`, `required`, `additionalProperties: false`, `items`,
    `minItems` and `maxItems`. Other keywords are the decoder's business and are not looked at.
    """
    try:
        return _keeps(json.loads(text), schema)
    except (ValueError, RecursionError):
        return False


def _keeps(value: Any, schema: Mapping[str, Any]) -> bool:
    if "type" in schema and not _is_a(value, schema["type"]):
        return False
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        return False
    if "const" in schema and not _same(value, schema["const"]):
        return False
    if isinstance(value, dict):
        known: Mapping[str, Any] = schema.get("properties", {})
        if not all(name in value for name in schema.get("required", ())):
            return False
        if schema.get("additionalProperties") is False and not value.keys() <= known.keys():
            return False
        return all(_keeps(value[name], inner) for name, inner in known.items() if name in value)
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return False
        items = schema.get("items", {})
        return all(_keeps(each, items) for each in value)
    return True


def _is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"  # to Python true is a number
    if isinstance(value, float) and kind == "integer":
        return value.is_integer()
    return isinstance(value, _KINDS[kind])


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(each, other[name]) for name, each in one.items())
    return bool(one == other)
