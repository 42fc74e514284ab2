"""The use cases of templates that a tenant uploads."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.curation import Curator, DocumentDifference, DocumentHistory
from llama_mapper.domain.contracts.reports import (
    OwnTemplate,
    TemplateInfo,
    TemplateList,
    TemplatePreview,
    TemplateUpload,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import NotFoundError, ServiceError
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
from llama_mapper.domain.mapping.reports.ports import ShippedTemplates, Template, TemplateEngine
from llama_mapper.domain.mapping.reports.sample import sample_of

CatalogueOf = Callable[[str], Awaitable[CatalogueView]]
"""The catalogue as a tenant sees it."""


class TemplateDesk:
    """Keeps `TemplateDeskApi`. A template is tried before it is kept, whenever it becomes the one that stands."""

    def __init__(
        self,
        documents: CatalogueDocuments,
        shipped: ShippedTemplates,
        engine: TemplateEngine,
        catalogue: CatalogueView,
        catalogue_of: CatalogueOf,
        clock: Clock,
    ) -> None:
        self._book = DocumentBook(
            documents, DocumentKind.TEMPLATE, catalogue.versions.taxonomy, clock, "template of your own"
        )
        self._shipped = shipped
        self._engine = engine
        self._catalogue = catalogue
        self._catalogue_of = catalogue_of

    async def put(
        self, tenant_id: str, name: str, upload: TemplateUpload, curator: Curator, *, expected: int | None, note: str
    ) -> OwnTemplate:
        """See `TemplateDeskApi.put`."""
        check = self._check(tenant_id, name)
        return _told(
            await self._book.put(tenant_id, name, upload.model_dump(mode="json"), curator, expected, note, check)
        )

    async def remove(self, tenant_id: str, name: str, curator: Curator, *, expected: int | None) -> OwnTemplate:
        """See `TemplateDeskApi.remove`."""
        return _told(await self._book.remove(tenant_id, name, curator, expected, self._check(tenant_id, name)))

    async def rollback(
        self, tenant_id: str, name: str, to: int, curator: Curator, *, expected: int | None
    ) -> OwnTemplate:
        """See `TemplateDeskApi.rollback`."""
        return _told(await self._book.rollback(tenant_id, name, to, curator, expected, self._check(tenant_id, name)))

    async def get(self, tenant_id: str, name: str, number: int | None = None) -> OwnTemplate:
        """See `TemplateDeskApi.get`."""
        return _told(await self._book.get(tenant_id, name, number))

    async def list(self, tenant_id: str) -> TemplateList:
        """See `TemplateDeskApi.list`."""
        shipped = [(name, self._shipped.get(name)) for name in self._shipped.names()]
        own = [_told(each) for each in await self._book.standing(tenant_id)]
        return TemplateList(
            items=(
                *(
                    TemplateInfo(
                        name=name,
                        own=False,
                        version=None,
                        format=template.format,
                        title=template.title,
                        frameworks=template.frameworks,
                    )
                    for name, template in shipped
                    if template is not None
                ),
                *(
                    TemplateInfo(
                        name=each.name,
                        own=True,
                        version=each.version.number,
                        format=each.document.format,
                        title=each.document.title,
                        frameworks=each.document.frameworks,
                    )
                    for each in own
                    if each.document is not None
                ),
            )
        )

    async def history(self, tenant_id: str, name: str) -> DocumentHistory:
        """See `TemplateDeskApi.history`."""
        return await self._book.history(tenant_id, name)

    async def difference(self, tenant_id: str, name: str, before: int, after: int) -> DocumentDifference:
        """See `TemplateDeskApi.difference`."""
        read = [await self._book.entries(tenant_id, name, number, _as_entries) for number in (before, after)]
        old, new = [{key: text for key, text in each.items() if key != _TEXT} for each in read]
        lines_before, lines_after = [each.get(_TEXT, "").splitlines() for each in read]
        changes = difflib.SequenceMatcher(None, lines_before, lines_after, autojunk=False).get_opcodes()
        for kind, start, end, new_start, new_end in changes:
            if kind != "equal":
                old |= {_place(start, row): line for row, line in enumerate(lines_before[start:end])}
                new |= {_place(start, row): line for row, line in enumerate(lines_after[new_start:new_end])}
        return differences(str(before), old, str(after), new)

    async def preview(self, tenant_id: str, upload: TemplateUpload) -> TemplatePreview:
        """See `TemplateDeskApi.preview`."""
        return TemplatePreview(format=upload.format, text=await self._tried(tenant_id, upload))

    async def template(self, tenant_id: str, name: str, number: int | None) -> tuple[Template, int | None]:
        """The template that a report names, and its version: the tenant's own before a shipped one.

        Raises `NOT_FOUND`.
        """
        shipped = self._shipped.get(name) if number is None else None
        try:
            found = await self.get(tenant_id, name, number)
        except NotFoundError:
            if shipped is None:
                raise
            return shipped, None
        document = found.document
        if document is None:
            if shipped is None:
                raise NotFoundError("the template was removed")
            return shipped, None
        return Template(document.format, document.title, document.text, document.frameworks), found.version.number

    def _check(self, tenant_id: str, name: str) -> Check:
        async def check(content: Content | None) -> None:
            if content is None:
                return
            if self._shipped.get(name) is not None:
                raise invalid([("name", f"'{name}' is the name of a shipped template")])
            await self._tried(tenant_id, _upload(content))

        return check

    async def _tried(self, tenant_id: str, upload: TemplateUpload) -> str:
        problems: Problems = []
        if upload.frameworks:
            catalogue = await self._catalogue_of(tenant_id)
            for ref in upload.frameworks:
                try:
                    catalogue.resolve_frameworks((ref,))
                except ServiceError as error:
                    problems.append((f"frameworks/{ref}", error.message))
        sample = sample_of(self._catalogue).model_dump(mode="json")
        trial = await self._engine.tried(upload.text, upload.format, sample)
        if problems or trial.problems:
            raise invalid([*problems, *trial.problems])
        return trial.text


_TEXT = "text"


def _as_entries(content: Content) -> dict[str, str]:
    return {
        "format": str(content["format"]),
        "title": str(content["title"]),
        "frameworks": ", ".join(content["frameworks"]),
        _TEXT: str(content["text"]),
    }


def _place(line: int, row: int) -> str:
    return f"text/{line + row + 1:05}"


def _upload(content: Content) -> TemplateUpload:
    return TemplateUpload.model_validate(content, strict=False)


def _told(stored: StoredDocument) -> OwnTemplate:
    document = None if stored.content is None else _upload(stored.content)
    return OwnTemplate(name=stored.name, version=version_of(stored), document=document)
