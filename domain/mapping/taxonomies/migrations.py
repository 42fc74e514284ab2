"""What a person wrote down about the way from one version of the taxonomy to the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llama_mapper.domain.mapping.catalogue.shape import CANONICAL, TEXT, VERSION, Found, list_of, map_of, record

_SPLIT = record({"into": list_of(CANONICAL)}, {"otherwise": CANONICAL})
_MIGRATION = record(
    {"from": VERSION, "to": VERSION},
    {
        "note": TEXT,
        "renamed_from": map_of(CANONICAL, CANONICAL, empty=True),
        "split_into": map_of(CANONICAL, _SPLIT, empty=True),
        "merged_into": map_of(CANONICAL, CANONICAL, empty=True),
        "removed": map_of(CANONICAL, TEXT, empty=True),
    },
)
_DOCUMENT = record({"migrations": list_of(_MIGRATION)})


@dataclass(frozen=True, slots=True)
class Split:
    """Ids that stand for an old one together, and which of them where nothing tells more."""

    into: tuple[str, ...]
    otherwise: str | None


@dataclass(frozen=True, slots=True)
class Migration:
    """From one version to the next: what was renamed and merged (old → new), split, and removed (old → why)."""

    before: str
    after: str
    note: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)
    split: Mapping[str, Split] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)


def migration_document_problems(document: Any) -> Found:
    """Where a migration document lacks a key, has one too many, names an id twice, or is no chain."""
    shape = list(_DOCUMENT(document, "migrations"))
    yield from shape
    if shape:
        return
    previous: str | None = None
    for entry in document["migrations"]:
        where = f"migrations/{entry['from']}"
        if previous is not None and entry["from"] != previous:
            yield where, f"does not begin where the one before ends, at {previous}"
        previous = entry["to"]
        renamed = list(entry.get("renamed_from", {}).values())
        old = [*renamed, *(name for key in ("split_into", "merged_into", "removed") for name in entry.get(key, {}))]
        for name in sorted({name for name in old if old.count(name) > 1}):
            yield f"{where}/{name}", "becomes more than one thing"


def migrations_of(document: Mapping[str, Any]) -> tuple[Migration, ...]:
    """The chain of a valid migration document, oldest first."""
    return tuple(
        Migration(
            before=entry["from"],
            after=entry["to"],
            note=entry.get("note", ""),
            renamed={old: new for new, old in entry.get("renamed_from", {}).items()},
            merged=dict(entry.get("merged_into", {})),
            split={
                old: Split(tuple(into["into"]), into.get("otherwise"))
                for old, into in entry.get("split_into", {}).items()
            },
            removed=dict(entry.get("removed", {})),
        )
        for entry in document["migrations"]
    )


def migration_problems(migration: Migration, before: Collection[str], after: Collection[str]) -> Found:
    """Ids that the migration names and the two versions lack."""
    where = f"migrations/{migration.before}"
    old = [*migration.renamed, *migration.merged, *migration.split, *migration.removed]
    for name in old:
        if name not in before:
            yield f"{where}/{name}", f"is not in version {migration.before}"
    new = [*migration.renamed.values(), *migration.merged.values()]
    for split in migration.split.values():
        new += split.into
        if split.otherwise is not None and split.otherwise not in split.into:
            yield f"{where}/{split.otherwise}", "is not one of those that it is split into"
    for name in new:
        if name not in after:
            yield f"{where}/{name}", f"is not in version {migration.after}"


def chain_from(migrations: Sequence[Migration], version: str) -> tuple[Migration, ...] | None:
    """The migrations that lead on from `version`, oldest first; None if it is no version of the chain."""
    for position, migration in enumerate(migrations):
        if migration.before == version:
            return tuple(migrations[position:])
    return () if migrations and migrations[-1].after == version else None
