"""Ids that were written under an earlier version of the taxonomy, as ids of the present one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

from llama_mapper.domain.mapping.taxonomies.migrations import Migration, chain_from
from llama_mapper.domain.mapping.taxonomies.plans import composed, plan_of, unchanged

CurrentId = Callable[[str, str], str | None]
"""(canonical id, version that it was written under) → the present id; None if nothing stands for it."""


def current_ids(migrations: Sequence[Migration], version: str, ids: Collection[str]) -> CurrentId:
    """The function for the taxonomy `version`, which has `ids`.

    The versions between are known by their migrations alone: an id that none of them mentions is kept if the present
    version has it. An id of a version that the chain does not know is kept on the same condition.
    """

    @lru_cache(maxsize=4096)
    def current(canonical: str, written_under: str) -> str | None:
        if written_under == version:
            return canonical if canonical in ids else None
        chain = chain_from(migrations, written_under)
        if not chain:
            return canonical if canonical in ids else None
        plan = unchanged(written_under, (canonical,))
        for migration in chain:
            is_there = ids.__contains__ if migration.after == version else between(migration)
            start = tuple(each for each in (plan.now(canonical),) if each is not None)
            plan = composed(plan, plan_of(migration, start, is_there))
        return plan.now(canonical) if plan.after == version else None

    return current


def between(migration: Migration) -> Callable[[str], bool]:
    """Whether an id is in a version of which only the migration to it is known: unless it was done away with."""
    gone = {*migration.renamed, *migration.merged, *migration.split, *migration.removed}
    new = {*migration.renamed.values(), *migration.merged.values()}
    new.update(part for split in migration.split.values() for part in split.into)
    return lambda name: name in new or name not in gone
