"""A tenant's settings of the mapping: a versioned document of its own."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import Contract, Count, Score
from llama_mapper.domain.contracts.curation import Curator, DocumentDifference, DocumentHistory, DocumentVersion
from llama_mapper.domain.contracts.mapping_terms import MappingTerms


class OptimisationTerms(Contract):
    """What the optimiser may do for the tenant."""

    every_days: Annotated[int, Field(ge=1, le=365)] | None = None
    """Days between two runs while the tenant maps anything; null: as the installation is set."""
    window_days: Annotated[int, Field(ge=1, le=400)] = 30
    """Days, up to today, that a run looks at."""
    max_loss: Score = 0.01
    """The share of all labels by which the expected right answers may fall for a cheaper way to be recommended."""
    min_labels: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1_000
    """Fewer labels than these in the window recommend nothing."""
    apply: bool = False
    """Whether what is recommended becomes the tenant's settings by itself, as a new version of this document."""


class MappingSettings(MappingTerms):
    """How a tenant's labels are mapped where neither the request nor the policy says otherwise."""

    optimisation: OptimisationTerms = OptimisationTerms()


class OwnMappingSettings(Contract):
    """The settings, and which version they are; both null where the tenant never had any."""

    version: DocumentVersion | None
    settings: MappingSettings | None
    """Null too where they were removed."""


class MappingSettingsApi(Protocol):
    """A tenant's mapping settings. Changes are in force in every process within two seconds.

    Raises `NOT_FOUND` for versions that are not there, and `CONFLICT` where another version stands than `expected`.
    """

    async def put(
        self, tenant_id: str, settings: MappingSettings, curator: Curator, *, expected: int | None, note: str
    ) -> OwnMappingSettings:
        """Set or replace them as a whole."""
        ...

    async def remove(self, tenant_id: str, curator: Curator, *, expected: int | None) -> OwnMappingSettings:
        """Go back to what the installation says; the versions stay."""
        ...

    async def rollback(self, tenant_id: str, to: int, curator: Curator, *, expected: int | None) -> OwnMappingSettings:
        """Make the content of an earlier version stand again, as a new version."""
        ...

    async def get(self, tenant_id: str, number: Count | None = None) -> OwnMappingSettings:
        """A version, by default the newest."""
        ...

    async def history(self, tenant_id: str) -> DocumentHistory:
        """Their versions, newest first: who changed them, when and why."""
        ...

    async def difference(self, tenant_id: str, before: int, after: int) -> DocumentDifference:
        """How two versions differ; 0 is nothing."""
        ...
