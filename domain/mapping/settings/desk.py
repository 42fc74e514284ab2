"""The use cases of a tenant's mapping settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llama_mapper.domain.contracts.curation import Curator, DocumentDifference, DocumentHistory
from llama_mapper.domain.contracts.mapping_settings import MappingSettings, OwnMappingSettings
from llama_mapper.domain.contracts.mapping_terms import MappingStage
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import NotFoundError
from llama_mapper.domain.mapping.documents.book import Content, DocumentBook, differences, invalid, version_of
from llama_mapper.domain.mapping.documents.ports import CatalogueDocuments, DocumentKind, StoredDocument

NAME = "mapping"
"""The one document of its kind that a tenant has."""


class MappingSettingsDesk:
    """Keeps `MappingSettingsApi`."""

    def __init__(self, documents: CatalogueDocuments, taxonomy_version: str, clock: Clock) -> None:
        self._book = DocumentBook(documents, DocumentKind.SETTINGS, taxonomy_version, clock, "version of the settings")

    async def put(
        self, tenant_id: str, settings: MappingSettings, curator: Curator, *, expected: int | None, note: str
    ) -> OwnMappingSettings:
        """See `MappingSettingsApi.put`."""
        if MappingStage.ABSTAINED in settings.stage_confidence:
            raise invalid([("stage_confidence.abstained", "is no stage that answers")])
        content = settings_content(settings)
        return _told(await self._book.put(tenant_id, NAME, content, curator, expected, note, _anything))

    async def remove(self, tenant_id: str, curator: Curator, *, expected: int | None) -> OwnMappingSettings:
        """See `MappingSettingsApi.remove`."""
        return _told(await self._book.remove(tenant_id, NAME, curator, expected, _anything))

    async def rollback(self, tenant_id: str, to: int, curator: Curator, *, expected: int | None) -> OwnMappingSettings:
        """See `MappingSettingsApi.rollback`."""
        return _told(await self._book.rollback(tenant_id, NAME, to, curator, expected, _anything))

    async def get(self, tenant_id: str, number: int | None = None) -> OwnMappingSettings:
        """See `MappingSettingsApi.get`."""
        try:
            return _told(await self._book.get(tenant_id, NAME, number))
        except NotFoundError:
            if number is not None:
                raise
            return OwnMappingSettings(version=None, settings=None)

    async def history(self, tenant_id: str) -> DocumentHistory:
        """See `MappingSettingsApi.history`."""
        return await self._book.history(tenant_id, NAME)

    async def difference(self, tenant_id: str, before: int, after: int) -> DocumentDifference:
        """See `MappingSettingsApi.difference`."""
        old, new = [await self._book.entries(tenant_id, NAME, number, _entries) for number in (before, after)]
        return differences(str(before), old, str(after), new)


def settings_content(settings: MappingSettings) -> dict[str, Any]:
    """The settings as they are stored: without what they leave at its default."""
    return settings.model_dump(mode="json", exclude_defaults=True)


def settings_of(content: Content) -> MappingSettings:
    """The settings of a stored document."""
    return MappingSettings.model_validate(content, strict=False)


async def _anything(_: Content | None) -> None:
    """Whatever keeps the contract may stand."""


def _told(stored: StoredDocument) -> OwnMappingSettings:
    settings = None if stored.content is None else settings_of(stored.content)
    return OwnMappingSettings(version=version_of(stored), settings=settings)


def _entries(content: Content) -> dict[str, str]:
    return dict(_flat("", content))


def _flat(place: str, content: Content) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(f"{place}{name}/", value)
        else:
            yield f"{place}{name}", str(value)
