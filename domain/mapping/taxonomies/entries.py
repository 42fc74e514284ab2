"""A taxonomy document as a flat list of ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One id, of level 2 or 3, and what the document says of it. `parent` is its domain or its category."""

    id: str
    parent: str
    name: str
    definition: str
    severity: str


def entries_of(document: Mapping[str, Any]) -> dict[str, Entry]:
    """Every id of a valid taxonomy document, in its order."""
    found: dict[str, Entry] = {}
    for domain in document["domains"]:
        for category in domain["categories"]:
            severity = category["severity"]
            found[category["id"]] = Entry(
                category["id"], domain["id"], category["name"], category["definition"], severity
            )
            for label, name in category["subcategories"].items():
                found[label] = Entry(label, category["id"], name, "", severity)
    return found


def parent_of(canonical: str) -> str:
    """The id one level up: a subcategory's category, a category's domain."""
    return canonical.rpartition(".")[0]
