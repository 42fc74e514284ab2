"""The catalogue as all contexts see it: what labels mean, how bad they are, which controls they touch.

The mapping context owns the data (`domain/mapping/catalogue`) and is the one implementation; the others receive it
as this Protocol. Every look-up is in memory and safe to call on a hot path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from llama_mapper.domain.contracts.base import Severity


class MatchStage(StrEnum):
    """How a vendor label was found in its vocabulary."""

    EXACT = "exact"
    NORMALISED = "normalised"
    OVERLAY = "overlay"
    """In the tenant's own vocabulary."""


class FrameworkKind(StrEnum):
    """What the entries of a framework are."""

    CONTROL = "control"
    RISK = "risk"
    TECHNIQUE = "technique"


@dataclass(frozen=True, slots=True)
class LabelMatch:
    """What a vocabulary says about a vendor label. `confidence` is 0 to 1, by stage and by how the list is known."""

    canonical: str
    also: tuple[str, ...]
    stage: MatchStage
    confidence: float
    instead_of: str | None = None
    """What the shipped catalogue says, where the tenant's own vocabulary says otherwise."""


@dataclass(frozen=True, slots=True)
class FrameworkEdition:
    """One edition of a framework; `applies_when` says in words when the framework binds at all."""

    framework: str
    edition: str
    title: str
    kind: FrameworkKind
    applies_when: str
    basis: str

    @property
    def ref(self) -> str:
        """`framework:edition`, as requests and answers name it."""
        return f"{self.framework}:{self.edition}"


@dataclass(frozen=True, slots=True)
class ControlLink:
    """That a canonical label is evidence relevant to a control, why, and under which condition (empty: none)."""

    control_id: str
    title: str
    rationale: str
    condition: str


@dataclass(frozen=True, slots=True)
class CatalogueVersions:
    """Versions of the three parts of the catalogue."""

    taxonomy: str
    vocabulary: str
    crosswalk: str


class CatalogueView(Protocol):
    """Taxonomy, vendor vocabularies and crosswalk, versioned and immutable."""

    @property
    def versions(self) -> CatalogueVersions:
        """Versions to put on every record."""
        ...

    @property
    def categories(self) -> Mapping[str, Severity]:
        """Every risk category (level-2 id) and its default severity."""
        ...

    def match(self, vendor: str, vendor_version: str | None, label: str) -> LabelMatch | None:
        """The canonical label of a vendor's label: exactly, then normalised; None where the vocabulary lacks it.

        A version that the catalogue does not list is matched against the vendor's newest listed vocabulary.
        """
        ...

    def severity(self, canonical: str) -> Severity:
        """Default severity of a canonical label (level 3 has its level-2 parent's); raise KeyError if unknown."""
        ...

    def name(self, canonical: str) -> str:
        """Human name of a canonical label; raise KeyError if unknown."""
        ...

    def frameworks(self) -> Sequence[FrameworkEdition]:
        """Every edition of every framework, default editions first."""
        ...

    def resolve_frameworks(self, refs: Sequence[str]) -> tuple[FrameworkEdition, ...]:
        """The editions that `refs` name, in order, each once; all default editions for no refs.

        Raises `FRAMEWORK_NOT_FOUND` or `EDITION_NOT_FOUND`, naming what is known.
        """
        ...

    def controls(self, canonical: str, edition: FrameworkEdition) -> tuple[ControlLink, ...]:
        """Controls of `edition` that the label touches; a level-3 entry replaces its level-2 entry. Empty if none."""
        ...

    def evidence_requirement(self, control_id: str, edition: FrameworkEdition) -> str:
        """What an auditor would ask to see for a control, in one sentence; empty if unknown."""
        ...


class TenantView(Protocol):
    """The catalogue as one tenant sees it, and the version of its own words in it; null where it has none."""

    @property
    def catalogue(self) -> CatalogueView:
        """Under the tenant's own words."""
        ...

    @property
    def overlay_version(self) -> str | None:
        """As records name it."""
        ...


class TenantViews(Protocol):
    """What tenants say of labels, for those who read labels before the mapping does."""

    async def view_of(self, tenant_id: str) -> TenantView:
        """The tenant's view, at most a few seconds old; raise a `ServiceError` where that cannot be told."""
        ...


def category_of(canonical: str) -> str:
    """The risk category (level 2) of a canonical label of level 2 or 3."""
    parts = canonical.split(".", 2)
    return f"{parts[0]}.{parts[1]}"
