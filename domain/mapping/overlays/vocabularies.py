"""The use cases of a tenant's own vocabularies."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.curation import Curator, DocumentDifference, DocumentHistory
from llama_mapper.domain.contracts.own_catalogue import OwnVocabulary, OwnVocabularyList, VocabularyUpload
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.mapping.catalogue.raw import RawSource
from llama_mapper.domain.mapping.catalogue.rules import vocabulary_problems
from llama_mapper.domain.mapping.catalogue.shape import VOCABULARIES
from llama_mapper.domain.mapping.catalogue.vocabulary import listed_meanings, version_meanings
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
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.overlays.tables import UploadedVocabulary, overlay_of, shadowed

_OVERRIDES_TOLD = 1_000
_LABELS_LIMIT = 50_000
Vendors = Mapping[str, Mapping[str, Any]]


class VocabularyDesk:
    """Keeps `VocabularyDeskApi`."""

    def __init__(
        self,
        documents: CatalogueDocuments,
        catalogue: CatalogueView,
        labels: Collection[str],
        raw: RawSource,
        clock: Clock,
    ) -> None:
        """`labels` are the ids of the taxonomy."""
        self._book = DocumentBook(
            documents, DocumentKind.VOCABULARY, catalogue.versions.taxonomy, clock, "vocabulary of your own"
        )
        self._catalogue = catalogue
        self._labels = labels
        self._raw = raw

    async def put(
        self,
        tenant_id: str,
        vendor: str,
        upload: VocabularyUpload,
        curator: Curator,
        *,
        expected: int | None,
        note: str,
    ) -> OwnVocabulary:
        """See `VocabularyDeskApi.put`."""
        content = vocabulary_content(upload)
        check = self._check(tenant_id, vendor)
        return await self._told(await self._book.put(tenant_id, vendor, content, curator, expected, note, check))

    async def remove(self, tenant_id: str, vendor: str, curator: Curator, *, expected: int | None) -> OwnVocabulary:
        """See `VocabularyDeskApi.remove`."""
        check = self._check(tenant_id, vendor)
        return await self._told(await self._book.remove(tenant_id, vendor, curator, expected, check))

    async def rollback(
        self, tenant_id: str, vendor: str, to: int, curator: Curator, *, expected: int | None
    ) -> OwnVocabulary:
        """See `VocabularyDeskApi.rollback`."""
        check = self._check(tenant_id, vendor)
        return await self._told(await self._book.rollback(tenant_id, vendor, to, curator, expected, check))

    async def get(self, tenant_id: str, vendor: str, number: int | None = None) -> OwnVocabulary:
        """See `VocabularyDeskApi.get`."""
        return await self._told(await self._book.get(tenant_id, vendor, number))

    async def list(self, tenant_id: str) -> OwnVocabularyList:
        """See `VocabularyDeskApi.list`."""
        return OwnVocabularyList(items=tuple([await self._told(each) for each in await self._book.standing(tenant_id)]))

    async def history(self, tenant_id: str, vendor: str) -> DocumentHistory:
        """See `VocabularyDeskApi.history`."""
        return await self._book.history(tenant_id, vendor)

    async def difference(self, tenant_id: str, vendor: str, before: int, after: int) -> DocumentDifference:
        """See `VocabularyDeskApi.difference`."""
        old, new = [await self._book.entries(tenant_id, vendor, number, _entries) for number in (before, after)]
        return differences(str(before), old, str(after), new)

    def _check(self, tenant_id: str, vendor: str) -> Check:
        async def check(content: Content | None) -> None:
            own = {each.name: each.content or {} for each in await self._book.standing(tenant_id)}
            own.pop(vendor, None)
            if content is not None:
                own[vendor] = content
            if problems := await asyncio.to_thread(
                own_problems, own, self._raw().vocabularies["vendors"], self._labels
            ):
                raise invalid(problems)

        return check

    async def _told(self, stored: StoredDocument) -> OwnVocabulary:
        if stored.content is None:
            return OwnVocabulary(vendor=stored.name, version=version_of(stored), document=None, labels=0)
        keys, overrides = await asyncio.to_thread(self._overrides, stored)
        return OwnVocabulary(
            vendor=stored.name,
            version=version_of(stored),
            document=VocabularyUpload.model_validate(stored.content, strict=False),
            labels=len(keys),
            overrides=overrides[:_OVERRIDES_TOLD],
        )

    def _overrides(self, stored: StoredDocument) -> tuple[tuple[LabelKey, ...], tuple[str, ...]]:
        entry = stored.content or {}
        keys = [
            LabelKey(stored.name, version, label)
            for version, listed in entry["versions"].items()
            for section in ("families", "labels")
            for label, _ in listed_meanings(listed, section)
        ]
        upload = UploadedVocabulary(stored.name, stored.position, entry, stored.taxonomy_version)
        overlay = overlay_of([upload], (), lambda: self._raw().vocabularies["vendors"], lambda canonical, _: canonical)
        found = [] if overlay is None else shadowed(overlay, self._catalogue.match, keys)
        told = (f"{key.vendor_version}/{key.label}: {own} instead of {theirs}" for key, own, theirs in found)
        return tuple(keys), tuple(told)


def vocabulary_content(upload: VocabularyUpload) -> dict[str, Any]:
    """The upload in the shape of a shipped vocabulary: without what it leaves at its default."""
    return upload.model_dump(mode="json", exclude_defaults=True, exclude_none=True)


def own_problems(own: Mapping[str, Content], shipped: Vendors, labels: Collection[str]) -> Problems:
    """What is wrong with a tenant's vocabularies, by the rules of the shipped ones and together with them.

    A vendor that the shipped catalogue has too is no problem: its list stands over ours, label by label.
    """
    shape = list(VOCABULARIES({"version": "0", "vendors": own}, "vocabularies")) if own else []
    if shape:
        return shape
    together = {**shipped, **own}
    problems = list(vocabulary_problems({"vendors": together}, labels))
    size = sum(
        len(part)
        for entry in own.values()
        for listed in entry["versions"].values()
        for part in _meanings(together, listed, bool(problems))
    )
    if size > _LABELS_LIMIT:
        problems.append(("vocabularies", f"have {size} labels together, more than {_LABELS_LIMIT}"))
    return problems


def _meanings(vendors: Vendors, listed: Mapping[str, Any], broken: bool) -> tuple[Mapping[str, Any], ...]:
    return () if broken else version_meanings(vendors, listed)


def _entries(content: Content) -> dict[str, str]:
    entries: dict[str, str] = {"basis": content["basis"], "source": content["source"]}
    for version, listed in content["versions"].items():
        for section in ("families", "labels"):
            for label, canonical in listed_meanings(listed, section):
                also = listed.get("also", {}).get(label, ())
                entries[f"{version}/{section}/{label}"] = ", ".join((canonical, *also))
        for name in ("aliases", "same_as", "without"):
            if name in listed:
                value = listed[name]
                entries[f"{version}/{name}"] = value if isinstance(value, str) else ", ".join(value)
    return entries
