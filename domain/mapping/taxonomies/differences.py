"""How two versions of the taxonomy differ, and which new ids may be old ones by another name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import SequenceMatcher

from llama_mapper.domain.contracts.taxonomies import (
    FateKind,
    TaxonomyDifference,
    TaxonomyFate,
    TaxonomyPlan,
    TaxonomyProposal,
)
from llama_mapper.domain.mapping.taxonomies.entries import Entry, parent_of
from llama_mapper.domain.mapping.taxonomies.migrations import Migration
from llama_mapper.domain.mapping.taxonomies.plans import Plan

LIKENESS = 0.55
"""The least likeness that is worth a person's look; by judgement."""

_WORDS = re.compile(r"[a-z0-9]+")


def difference(before: Mapping[str, Entry], after: Mapping[str, Entry], migration: Migration) -> TaxonomyDifference:
    """What was added, removed and reworded; and what the migration says was renamed, moved, split and merged.

    An id that the migration accounts for is neither added nor removed.
    """
    accounted_old = {*migration.renamed, *migration.merged, *migration.split}
    accounted_new = {
        *migration.renamed.values(),
        *migration.merged.values(),
        *(part for split in migration.split.values() for part in split.into),
    }
    moved = {old: new for old, new in migration.renamed.items() if parent_of(old) != parent_of(new)}
    return TaxonomyDifference(
        before=migration.before,
        after=migration.after,
        added=tuple(name for name in after if name not in before and name not in accounted_new),
        removed=tuple(name for name in before if name not in after and name not in accounted_old),
        renamed={old: new for old, new in migration.renamed.items() if old not in moved},
        moved=moved,
        split={old: split.into for old, split in migration.split.items()},
        merged=dict(migration.merged),
        reworded=tuple(name for name, entry in before.items() if name in after and after[name] != entry),
        proposals=proposals(before, after, migration),
    )


def proposals(
    before: Mapping[str, Entry], after: Mapping[str, Entry], migration: Migration
) -> tuple[TaxonomyProposal, ...]:
    """For each id that is gone and not accounted for, up to three new ids that are like it, most alike first."""
    accounted = {*migration.renamed, *migration.merged, *migration.split, *migration.removed}
    gone = [entry for name, entry in before.items() if name not in after and name not in accounted]
    new = [entry for name, entry in after.items() if name not in before]
    found: list[TaxonomyProposal] = []
    for entry in gone:
        likely = sorted(((likeness(entry, other), other.id) for other in new), key=lambda pair: (-pair[0], pair[1]))
        found += [
            TaxonomyProposal(id=entry.id, candidate=candidate, likeness=round(score, 4))
            for score, candidate in likely[:3]
            if score >= LIKENESS
        ]
    return tuple(found)


def likeness(one: Entry, other: Entry) -> float:
    """From 0 to 1: the mean of how alike the ids' last parts are, and the words of name, definition and id."""
    last = SequenceMatcher(None, one.id.rpartition(".")[2], other.id.rpartition(".")[2]).ratio()
    words, theirs = _words(one), _words(other)
    return (last + len(words & theirs) / max(1, len(words | theirs))) / 2


def plan_report(plan: Plan, found: tuple[TaxonomyProposal, ...] = ()) -> TaxonomyPlan:
    """The plan for people: what changed, and what needs them."""
    changed = []
    for name, fate in plan.fates.items():
        if not fate.hops:
            continue
        last = fate.hops[-1]
        kind = fate.hops[0].kind if len(fate.hops) == 1 else last.kind
        rule = "; then ".join(hop.rule for hop in fate.hops)
        changed.append(
            TaxonomyFate(
                id=name, kind=FateKind(kind), target=fate.target, rule=rule[:512], candidates=last.candidates[:16]
            )
        )
    return TaxonomyPlan(
        before=plan.before,
        after=plan.after,
        kept=sum(not fate.hops for fate in plan.fates.values()),
        changed=tuple(changed),
        needs_a_person=plan.unresolved,
        proposals=found,
    )


def _words(entry: Entry) -> set[str]:
    return set(_WORDS.findall(f"{entry.id} {entry.name} {entry.definition}".lower().replace("_", " ")))
