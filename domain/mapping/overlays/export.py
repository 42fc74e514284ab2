"""A tenant's own words as they are told to another process, and as that reads them."""

from __future__ import annotations

from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.contracts.overlays import (
    DECIDED_TOLD,
    DecidedLabel,
    OverlayMark,
    OverlayVocabulary,
    TenantOverlay,
)
from llama_mapper.domain.contracts.own_catalogue import VocabularyUpload
from llama_mapper.domain.mapping.documents.book import version_of
from llama_mapper.domain.mapping.documents.ports import (
    CatalogueStandings,
    ReviewedMeaning,
    StoredDocument,
    StoredStanding,
)
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.overlays.vocabularies import vocabulary_content


class OverlayExport:
    """Keeps `OverlayApi`."""

    def __init__(self, standings: CatalogueStandings) -> None:
        self._standings = standings

    async def mark(self, tenant_id: str) -> OverlayMark:
        """See `OverlayApi.mark`."""
        own, everyones = await self._standings.mark(tenant_id)
        return OverlayMark(own=own, everyones=everyones)

    async def overlay(self, tenant_id: str) -> TenantOverlay:
        """See `OverlayApi.overlay`."""
        standing = await self._standings.standing(tenant_id)
        own, everyones = standing.mark
        return TenantOverlay(
            mark=OverlayMark(own=own, everyones=everyones),
            vocabularies=tuple(_told(each) for each in standing.vocabularies),
            decided=tuple(
                DecidedLabel(
                    vendor=each.key.vendor,
                    vendor_version=each.key.vendor_version,
                    label=each.key.label,
                    canonical=each.canonical,
                    position=each.position,
                    taxonomy_version=each.taxonomy_version,
                )
                for each in standing.reviewed[-DECIDED_TOLD:]
            ),
        )


def standing_of_overlay(overlay: TenantOverlay) -> StoredStanding:
    """What was told, as what stands: words alone, without frameworks, crosswalks and settings."""
    return StoredStanding(
        mark=(overlay.mark.own, overlay.mark.everyones),
        reviewed=tuple(
            ReviewedMeaning(
                LabelKey(each.vendor, each.vendor_version, each.label),
                each.canonical,
                each.position,
                each.taxonomy_version,
            )
            for each in overlay.decided
        ),
        vocabularies=tuple(_read(each) for each in overlay.vocabularies),
        frameworks=(),
        own_deployments=(),
        everyones_deployments=(),
    )


def _told(stored: StoredDocument) -> OverlayVocabulary:
    return OverlayVocabulary(
        vendor=stored.name,
        position=stored.position,
        taxonomy_version=stored.taxonomy_version,
        version=version_of(stored),
        document=VocabularyUpload.model_validate(stored.content, strict=False),
    )


def _read(told: OverlayVocabulary) -> StoredDocument:
    version = told.version
    return StoredDocument(
        name=told.vendor,
        number=version.number,
        position=told.position,
        step=version.step,
        digest=version.digest,
        content=vocabulary_content(told.document),
        taxonomy_version=told.taxonomy_version,
        restores=version.restores,
        curator=Curator(name=version.who, role=version.role, door=version.door, keyless=version.keyless),
        at=version.at,
        note=version.note,
    )
