"""What becomes of the ids of one version of the taxonomy in a later one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from llama_mapper.domain.contracts.taxonomies import FateKind
from llama_mapper.domain.mapping.taxonomies.entries import parent_of
from llama_mapper.domain.mapping.taxonomies.migrations import Migration

NEEDS_A_PERSON = "needs a person"


@dataclass(frozen=True, slots=True)
class Hop:
    """One thing that happened to an id on its way. `target` is None where nothing stands for it any more."""

    before: str
    kind: FateKind
    target: str | None
    rule: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """Where an id ends, and what happened to it on the way; nothing happened to an id that was kept."""

    target: str | None
    hops: tuple[Hop, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of every id of the version `before` in the version `after`. A target is always an id of `after`."""

    before: str
    after: str
    fates: Mapping[str, Fate]

    @property
    def unresolved(self) -> tuple[str, ...]:
        """The ids that a person must decide on."""
        return tuple(name for name, fate in self.fates.items() if fate.target is None)

    def now(self, canonical: str) -> str | None:
        """The id that stands for `canonical` in the later version; None if nothing does, or if it is no old id."""
        fate = self.fates.get(canonical)
        return None if fate is None else fate.target


def plan_of(migration: Migration, before: Iterable[str], is_there: Callable[[str], bool]) -> Plan:
    """What becomes of each id of `before`; `is_there` tells the ids of the later version.

    What the migration says comes first. Then: an id that is still there is kept; a subcategory that is gone becomes
    its category, wherever that went, which is less precise and still true; an id that was split becomes the one named
    as `otherwise`, else the category that all its parts share, if there is one. A subcategory moves along with a
    category that was renamed or merged, if it is there by that name. Anything else needs a person.
    """
    fates = {name: _fate(name, migration, is_there) for name in before}
    return Plan(migration.before, migration.after, fates)


def unchanged(version: str, ids: Iterable[str]) -> Plan:
    """The plan from a version to itself: every id is kept."""
    return Plan(version, version, {name: Fate(name) for name in ids})


def composed(first: Plan, second: Plan) -> Plan:
    """Both plans, one after the other; raise ValueError unless the second begins where the first ends.

    It is associative: however a chain of plans is put together, the same comes out.
    """
    if first.after != second.before:
        raise ValueError(f"a plan to {first.after} cannot be followed by one from {second.before}")
    return Plan(first.before, second.after, {name: _onwards(fate, second) for name, fate in first.fates.items()})


def _onwards(fate: Fate, second: Plan) -> Fate:
    if fate.target is None:
        return fate
    after = second.fates.get(fate.target)
    if after is None:
        lost = Hop(fate.target, FateKind.REMOVED, None, NEEDS_A_PERSON)
        return Fate(None, (*fate.hops, lost))
    return replace(after, hops=(*fate.hops, *after.hops))


def _fate(name: str, migration: Migration, is_there: Callable[[str], bool]) -> Fate:
    if (renamed := migration.renamed.get(name)) is not None:
        kind = FateKind.RENAMED if parent_of(renamed) == parent_of(name) else FateKind.MOVED
        return _reached(Hop(name, kind, renamed, "the migration document"), is_there)
    if (merged := migration.merged.get(name)) is not None:
        return _reached(Hop(name, FateKind.MERGED, merged, "the migration document"), is_there)
    if (split := migration.split.get(name)) is not None:
        target, rule = _of_parts(split.into, split.otherwise, is_there)
        return _reached(Hop(name, FateKind.SPLIT, target, rule, split.into), is_there)
    if name in migration.removed:
        return _upwards(name, migration, is_there, migration.removed[name])
    if is_there(name):
        return Fate(name)
    return _upwards(name, migration, is_there, "")


def _reached(hop: Hop, is_there: Callable[[str], bool]) -> Fate:
    """The hop, unless it leads to what the later version lacks: no id off it may ever come out."""
    if hop.target is not None and not is_there(hop.target):
        hop = replace(hop, target=None, rule=NEEDS_A_PERSON)
    return Fate(hop.target, (hop,))


def _of_parts(parts: tuple[str, ...], otherwise: str | None, is_there: Callable[[str], bool]) -> tuple[str | None, str]:
    if otherwise is not None:
        return otherwise, "otherwise, of the migration document"
    shared = {part if part.count(".") == 1 else parent_of(part) for part in parts}
    if len(shared) == 1 and is_there(category := next(iter(shared))):
        return category, "the category that all parts share"
    return None, NEEDS_A_PERSON


def _upwards(name: str, migration: Migration, is_there: Callable[[str], bool], why: str) -> Fate:
    if name.count(".") == 2:
        category = parent_of(name)
        above = Fate(category) if _stays(category, migration, is_there) else _fate(category, migration, is_there)
        if above.target is not None and not why and category in {**migration.renamed, **migration.merged}:
            along = f"{above.target}.{name.rpartition('.')[2]}"
            if above.target.count(".") == 1 and is_there(along):
                return Fate(along, (Hop(name, FateKind.MOVED, along, "with its category"),))
        if above.target is not None:
            return Fate(above.target, (Hop(name, FateKind.REMOVED, above.target, why or "its category"),))
    return Fate(None, (Hop(name, FateKind.REMOVED, None, f"{NEEDS_A_PERSON}: {why}" if why else NEEDS_A_PERSON),))


def _stays(category: str, migration: Migration, is_there: Callable[[str], bool]) -> bool:
    return is_there(category) and not any(
        category in named for named in (migration.renamed, migration.merged, migration.split, migration.removed)
    )
