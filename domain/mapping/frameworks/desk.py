"""The use cases of frameworks that a tenant uploads."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.curation import Curator, DocumentDifference, DocumentHistory
from llama_mapper.domain.contracts.own_catalogue import FrameworkUpload, OwnFramework, OwnFrameworkList
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.documents.book import (
    Check,
    Content,
    DocumentBook,
    Problems,
    differences,
    invalid,
    version_of,
)
from llama_mapper.domain.mapping.documents.ports import CatalogueDocuments, DocumentKind, StoredDocument
from llama_mapper.domain.mapping.frameworks.editions import UploadedEdition, edition_problems


class FrameworkDesk:
    """Keeps `FrameworkDeskApi`."""

    def __init__(
        self, documents: CatalogueDocuments, catalogue: CatalogueView, labels: Collection[str], clock: Clock
    ) -> None:
        """`labels` are the ids of the taxonomy."""
        taxonomy_version = catalogue.versions.taxonomy
        self._book = DocumentBook(
            documents, DocumentKind.FRAMEWORK, taxonomy_version, clock, "framework edition of your own"
        )
        self._catalogue = catalogue
        self._labels = labels

    async def put(
        self,
        tenant_id: str,
        framework: str,
        edition: str,
        upload: FrameworkUpload,
        curator: Curator,
        *,
        expected: int | None,
        note: str,
    ) -> OwnFramework:
        """See `FrameworkDeskApi.put`."""
        name, content = f"{framework}:{edition}", framework_content(upload)
        return _told(
            await self._book.put(tenant_id, name, content, curator, expected, note, self._check(framework, edition))
        )

    async def remove(
        self, tenant_id: str, framework: str, edition: str, curator: Curator, *, expected: int | None
    ) -> OwnFramework:
        """See `FrameworkDeskApi.remove`."""
        name = f"{framework}:{edition}"
        return _told(await self._book.remove(tenant_id, name, curator, expected, self._check(framework, edition)))

    async def rollback(
        self, tenant_id: str, framework: str, edition: str, to: int, curator: Curator, *, expected: int | None
    ) -> OwnFramework:
        """See `FrameworkDeskApi.rollback`."""
        name = f"{framework}:{edition}"
        return _told(await self._book.rollback(tenant_id, name, to, curator, expected, self._check(framework, edition)))

    async def get(self, tenant_id: str, framework: str, edition: str, number: int | None = None) -> OwnFramework:
        """See `FrameworkDeskApi.get`."""
        return _told(await self._book.get(tenant_id, f"{framework}:{edition}", number))

    async def list(self, tenant_id: str) -> OwnFrameworkList:
        """See `FrameworkDeskApi.list`."""
        return OwnFrameworkList(items=tuple(_told(each) for each in await self._book.standing(tenant_id)))

    async def history(self, tenant_id: str, framework: str, edition: str) -> DocumentHistory:
        """See `FrameworkDeskApi.history`."""
        return await self._book.history(tenant_id, f"{framework}:{edition}")

    async def difference(
        self, tenant_id: str, framework: str, edition: str, before: int, after: int
    ) -> DocumentDifference:
        """See `FrameworkDeskApi.difference`."""
        name = f"{framework}:{edition}"
        old, new = [await self._book.entries(tenant_id, name, number, _entries) for number in (before, after)]
        return differences(str(before), old, str(after), new)

    def _check(self, framework: str, edition: str) -> Check:
        async def check(content: Content | None) -> None:
            if content is not None:
                problems = _problems(framework, edition, content, self._catalogue, self._labels)
                if problems:
                    raise invalid(problems)

        return check


def problems_of_upload(
    framework: str, edition: str, upload: FrameworkUpload, catalogue: CatalogueView, labels: Collection[str]
) -> Problems:
    """Everything that is wrong with an edition; empty if it may be uploaded. `labels` are the ids of the taxonomy."""
    return _problems(framework, edition, framework_content(upload), catalogue, labels)


def framework_content(upload: FrameworkUpload) -> dict[str, Any]:
    """The upload as it is stored; what it leaves out stands there by its default."""
    return upload.model_dump(mode="json", exclude_none=True)


def _problems(
    framework: str, edition: str, content: Content, catalogue: CatalogueView, labels: Collection[str]
) -> Problems:
    shipped = {name for each in catalogue.frameworks() for name in (each.framework, each.ref)}
    if _is_alias(framework, catalogue):
        shipped.add(framework)
    uploaded = UploadedEdition(framework, edition, content, catalogue.versions.taxonomy)
    return list(edition_problems(uploaded, labels, shipped))


def _is_alias(name: str, catalogue: CatalogueView) -> bool:
    try:
        return bool(catalogue.resolve_frameworks((name,)))
    except ValidationError:
        return False


def _told(stored: StoredDocument) -> OwnFramework:
    framework, _, edition = stored.name.partition(":")
    document = None if stored.content is None else FrameworkUpload.model_validate(stored.content, strict=False)
    return OwnFramework(framework=framework, edition=edition, version=version_of(stored), document=document)


def _entries(content: Content) -> dict[str, str]:
    entries = {name: str(content[name]) for name in ("title", "kind", "applies_when", "basis", "default")}
    for control_id, control in content["controls"].items():
        entries[f"controls/{control_id}"] = "; ".join(control.values())
    for label, links in content.get("crosswalk", {}).items():
        for control_id in links["controls"]:
            entries[f"crosswalk/{label}/{control_id}"] = links["rationale"]
    return entries
