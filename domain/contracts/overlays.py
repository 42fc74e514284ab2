"""All that a tenant says of vendors' labels, for those who read labels elsewhere."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import CanonicalId, Contract, Count, Identifier, Label, VersionText
from llama_mapper.domain.contracts.curation import DocumentVersion
from llama_mapper.domain.contracts.own_catalogue import VocabularyUpload

DECIDED_TOLD = 200_000


class OverlayMark(Contract):
    """The positions of the newest changes; nothing has changed while they stay the same."""

    own: Count
    everyones: Count


class OverlayVocabulary(Contract):
    """A vocabulary of the tenant; of two changes the one with the greater position is the later."""

    vendor: Identifier
    position: Count
    taxonomy_version: VersionText
    version: DocumentVersion
    document: VocabularyUpload


class DecidedLabel(Contract):
    """A label that a reviewer gave a meaning."""

    vendor: Identifier
    vendor_version: VersionText | None
    label: Label
    canonical: CanonicalId
    position: Count
    taxonomy_version: VersionText


class TenantOverlay(Contract):
    """The tenant's own words."""

    mark: OverlayMark
    vocabularies: Annotated[tuple[OverlayVocabulary, ...], Field(max_length=256)]
    decided: Annotated[tuple[DecidedLabel, ...], Field(max_length=DECIDED_TOLD)]
    """By position; of more than 200,000 the newest."""


class OverlayApi(Protocol):
    """Tenants' own words, as they stand."""

    async def mark(self, tenant_id: str) -> OverlayMark:
        """Whether anything changed since."""
        ...

    async def overlay(self, tenant_id: str) -> TenantOverlay:
        """All of them."""
        ...
