"""What changed between two versions of a schema, and whom it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from llama_mapper.domain.contracts.evolution.places import Place, Rule, places_of, text_of


class Side(StrEnum):
    """Who has to understand a document of the other version."""

    READER = "reader"
    """The new schema reads what was written under the old one: what a request has to keep."""
    WRITER = "writer"
    """The old schema reads what is written under the new one: what an answer has to keep."""


class ChangeKind(StrEnum):
    """What became of a place."""

    ADDED = "added"
    REMOVED = "removed"
    REQUIRED = "required"
    OPTIONAL = "optional"
    TYPES = "types"
    VALUES = "values"
    BOUNDS = "bounds"
    TEXT = "text"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference, at a place, in a sentence."""

    place: Place
    kind: ChangeKind
    what: str

    def __str__(self) -> str:
        return f"{text_of(self.place) or '/'}: {self.what}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions of a schema: what changed, and the sides for which the change is compatible."""

    changes: tuple[SchemaChange, ...]
    compatible: frozenset[Side]


class Containment(Protocol):
    """Decides whether everything that one schema accepts is accepted by another."""

    def __call__(self, narrow: Mapping[str, Any], wide: Mapping[str, Any]) -> bool:
        """Whether `wide` accepts all that `narrow` does; false where it cannot be shown. Patterns may be overlooked."""
        ...


def compare(old: Mapping[str, Any], new: Mapping[str, Any], contains: Containment) -> Comparison:
    """Compare two versions of one published schema.

    For the writer's side an old reader is taken to skip properties that it does not know (Postel's rule, as
    `docs/schemas.md` tells every client). Text rules (`pattern`, `format`) are compared for equality: whether one
    regular expression contains another is not decided.
    """
    before, after = places_of(old), places_of(new)
    changes = tuple(_changes(before, after))
    old_form, new_form = comparable(old), comparable(new)
    compatible = set()
    if _texts_kept(before, after) and contains(old_form, new_form):
        compatible.add(Side.READER)
    if _texts_kept(after, before) and contains(new_form, _tolerant(old_form)):
        compatible.add(Side.WRITER)
    return Comparison(changes, frozenset(compatible))


def comparable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without its words: titles, descriptions, examples and its own name."""
    words = ("title", "description", "examples", "$id", "$schema")

    def bare(node: Any, *, names: bool = False) -> Any:
        if isinstance(node, Mapping):
            return {
                key: bare(value, names=key in ("properties", "$defs") and not names)
                for key, value in node.items()
                if names or key not in words
            }
        return [bare(value) for value in node] if isinstance(node, list) else node

    form: dict[str, Any] = bare(schema)
    return form


def _changes(before: Mapping[Place, Rule], after: Mapping[Place, Rule]) -> list[SchemaChange]:
    found: list[SchemaChange] = []
    for place in sorted({*before, *after}):
        old, new = before.get(place), after.get(place)
        if old is None or new is None:
            if place and (place[:-1] in before) == (place[:-1] in after):
                found.append(_came_or_went(place, old, new))
            continue
        if old.required != new.required:
            kind = ChangeKind.REQUIRED if new.required else ChangeKind.OPTIONAL
            found.append(SchemaChange(place, kind, f"is {kind.value} now"))
        if old.types != new.types:
            what = f"was {_listed(old.types)}, is {_listed(new.types)}"
            found.append(SchemaChange(place, ChangeKind.TYPES, what))
        if old.values != new.values:
            found.append(SchemaChange(place, ChangeKind.VALUES, _values_said(old.values, new.values)))
        if old.bounds != new.bounds:
            what = f"bounds were {_pairs(old.bounds)}, are {_pairs(new.bounds)}"
            found.append(SchemaChange(place, ChangeKind.BOUNDS, what))
        if old.text_rules != new.text_rules:
            what = f"the form of the text was {_pairs(old.text_rules)}, is {_pairs(new.text_rules)}"
            found.append(SchemaChange(place, ChangeKind.TEXT, what))
        if old.default != new.default:
            found.append(SchemaChange(place, ChangeKind.DEFAULT, "has another default"))
    return found


def _came_or_went(place: Place, old: Rule | None, new: Rule | None) -> SchemaChange:
    if new is None:
        return SchemaChange(place, ChangeKind.REMOVED, "is gone")
    return SchemaChange(place, ChangeKind.ADDED, "is new and required" if new.required else "is new")


def _values_said(old: frozenset[str] | None, new: frozenset[str] | None) -> str:
    if old is None or new is None:
        return "any text may stand here now" if new is None else f"only {_listed(new)} may stand here now"
    parts = []
    if new - old:
        parts.append(f"may also be {_listed(new - old)}")
    if old - new:
        parts.append(f"may no longer be {_listed(old - new)}")
    return " and ".join(parts)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "anything"


def _pairs(pairs: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(f"{key} {value}" for key, value in pairs) or "free"


def _texts_kept(narrow: Mapping[Place, Rule], wide: Mapping[Place, Rule]) -> bool:
    """Whether no text of `narrow` meets another form in `wide`; a form that `wide` dropped holds nobody up."""
    for place, rule in wide.items():
        met = narrow.get(place)
        if met is None or not rule.text_rules:
            continue
        listed = met.values is not None
        if not listed and met.text_rules != rule.text_rules and "string" in met.types:
            return False
    return True


def _tolerant(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as a reader uses it that skips what it does not know."""

    def opened(node: Any, *, names: bool = False) -> Any:
        if isinstance(node, Mapping):
            return {
                key: opened(value, names=key in ("properties", "$defs") and not names)
                for key, value in node.items()
                if names or not (key == "additionalProperties" and value is False)
            }
        return [opened(value) for value in node] if isinstance(node, list) else node

    form: dict[str, Any] = opened(schema)
    return form
