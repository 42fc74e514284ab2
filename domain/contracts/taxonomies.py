"""The contract of taxonomy versions: how they differ, and what becomes of an old version's ids."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.base import CanonicalId, Contract, Count, Score, ShortText, VersionText

_Id = Annotated[str, Field(max_length=128)]


class FateKind(StrEnum):
    """What becomes of an id of the old version."""

    KEPT = "kept"
    RENAMED = "renamed"
    MOVED = "moved"
    """It is under another category, by the migration document."""
    MERGED = "merged"
    SPLIT = "split"
    REMOVED = "removed"


class TaxonomyFate(Contract):
    """What becomes of one id."""

    id: _Id
    kind: FateKind
    target: _Id | None
    """The id in the new version; null: a person must say."""
    rule: ShortText
    """Why; `needs a person` where nothing says."""
    candidates: Annotated[tuple[_Id, ...], Field(max_length=16)] = ()


class TaxonomyProposal(Contract):
    """That a new id may be an old one by another name: for a person to confirm in the migration document."""

    id: _Id
    candidate: _Id
    likeness: Score


class TaxonomyDifference(Contract):
    """How one version of the taxonomy differs from another."""

    before: VersionText
    after: VersionText
    added: Annotated[tuple[_Id, ...], Field(max_length=4096)]
    removed: Annotated[tuple[_Id, ...], Field(max_length=4096)]
    renamed: dict[_Id, _Id] = Field(default_factory=dict)
    moved: dict[_Id, _Id] = Field(default_factory=dict)
    split: dict[_Id, tuple[_Id, ...]] = Field(default_factory=dict)
    merged: dict[_Id, _Id] = Field(default_factory=dict)
    reworded: Annotated[tuple[_Id, ...], Field(max_length=4096)] = ()
    """Ids whose name, definition or severity differs."""
    proposals: Annotated[tuple[TaxonomyProposal, ...], Field(max_length=4096)] = ()


class TaxonomyPlan(Contract):
    """What becomes of ids on the way from one version to another."""

    before: VersionText
    after: VersionText
    kept: Count
    changed: Annotated[tuple[TaxonomyFate, ...], Field(max_length=4096)]
    needs_a_person: Annotated[tuple[_Id, ...], Field(max_length=4096)]
    proposals: Annotated[tuple[TaxonomyProposal, ...], Field(max_length=4096)] = ()


class TaxonomyHop(Contract):
    """A version of the taxonomy that records may have been written under, and the one that followed it."""

    before: VersionText
    after: VersionText
    changes: Count
    """Ids that were renamed, moved, merged, split or removed."""
    note: ShortText


class TaxonomyHistory(Contract):
    """The versions of the taxonomy, oldest first."""

    current: VersionText
    items: Annotated[tuple[TaxonomyHop, ...], Field(max_length=256)]


class TaxonomyView(Contract):
    """What reading a record under another version of the taxonomy changed."""

    written_under: VersionText
    read_under: VersionText
    changed: dict[CanonicalId, CanonicalId] = Field(default_factory=dict, max_length=1024)
    """Id in the record as written → the id shown."""
    unresolved: Annotated[tuple[CanonicalId, ...], Field(max_length=1024)] = ()
    """Ids as written that nothing in the present version stands for; the view leaves them out."""


class RemappedAssessment(Assessment):
    """A stored record under the present taxonomy. Its evidence is the one that was signed, under the old ids."""

    taxonomy_view: TaxonomyView
