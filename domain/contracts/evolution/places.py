"""A JSON Schema as a flat table: every place of a document that the schema speaks of, and what it says there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ANY = "*"
"""Stands in a place for each element of an array and each value of a dictionary."""

_BOUNDS = (
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
)
_TEXT_RULES = ("pattern", "format", "contentEncoding")

Place = tuple[str, ...]
"""Property names and `ANY`, from the root of the document."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a schema says of one place. Alternatives (`anyOf`, `oneOf`) are put together: any of them may be there."""

    types: frozenset[str]
    values: frozenset[str] | None
    """The admissible texts; None where they are not listed."""
    required: bool
    bounds: tuple[tuple[str, Any], ...]
    text_rules: tuple[tuple[str, Any], ...]
    default: tuple[Any, ...]
    """The default, if there is one, as the only element."""


def places_of(schema: Mapping[str, Any]) -> dict[Place, Rule]:
    """Every place that a self-contained schema (references into its own `$defs` only) describes, the root included.

    A schema that contains itself is followed once.
    """
    found: dict[Place, Rule] = {}
    for place, rule in _walk(schema, schema, (), required=True, within=()):
        known = found.get(place)
        found[place] = rule if known is None else _joined(known, rule)
    return found


def text_of(place: Place) -> str:
    """The place as RFC 6901 writes pointers; `*` stands for itself."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in place)


def place_of(text: str) -> Place:
    """What `text_of` wrote."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def _walk(
    root: Mapping[str, Any], node: Mapping[str, Any], place: Place, *, required: bool, within: tuple[str, ...]
) -> Iterator[tuple[Place, Rule]]:
    if (reference := node.get("$ref")) is not None:
        name = str(reference).removeprefix("#/$defs/")
        if name in within:
            return
        yield from _walk(
            root, {**root["$defs"][name], **_beside(node)}, place, required=required, within=(*within, name)
        )
        return
    alternatives = node.get("anyOf") or node.get("oneOf")
    if alternatives:
        shared = {key: value for key, value in node.items() if key not in ("anyOf", "oneOf")}
        for one in alternatives:
            yield from _walk(root, {**one, **_beside(shared)}, place, required=required, within=within)
        return
    yield place, _rule(node, required=required)
    needed = frozenset(node.get("required", ()))
    for name, below in node.get("properties", {}).items():
        yield from _walk(root, below, (*place, name), required=name in needed, within=within)
    for key in ("items", "additionalProperties"):
        below = node.get(key)
        if isinstance(below, Mapping):
            yield from _walk(root, below, (*place, ANY), required=False, within=within)


def _beside(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: node[key] for key in ("default",) if key in node}


def _rule(node: Mapping[str, Any], *, required: bool) -> Rule:
    types = node.get("type", ())
    listed = node.get("enum", [node["const"]] if "const" in node else None)
    return Rule(
        types=frozenset([types] if isinstance(types, str) else types),
        values=None if listed is None else frozenset(str(value) for value in listed),
        required=required,
        bounds=tuple((key, node[key]) for key in _BOUNDS if key in node),
        text_rules=tuple((key, node[key]) for key in _TEXT_RULES if key in node),
        default=(node["default"],) if "default" in node else (),
    )


def _joined(one: Rule, other: Rule) -> Rule:
    values = None if one.values is None or other.values is None else one.values | other.values
    if one.types == frozenset({"null"}) or other.types == frozenset({"null"}):
        values = other.values if one.types == frozenset({"null"}) else one.values
    return Rule(
        types=one.types | other.types,
        values=values,
        required=one.required and other.required,
        bounds=tuple(dict(one.bounds + other.bounds).items()),
        text_rules=tuple(dict(one.text_rules + other.text_rules).items()),
        default=one.default or other.default,
    )
