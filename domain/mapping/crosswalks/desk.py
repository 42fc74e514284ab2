"""The use cases of crosswalk versions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.crosswalks import (
    CrosswalkAccuracy,
    CrosswalkDeployment,
    CrosswalkEvent,
    CrosswalkHistory,
    CrosswalkInfo,
    CrosswalkList,
    CrosswalkRollback,
    CrosswalkUpload,
)
from llama_mapper.domain.contracts.curation import Curator, DocumentDifference
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError, NotFoundError, StoreError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue, RawSource
from llama_mapper.domain.mapping.catalogue.rules import crosswalk_problems
from llama_mapper.domain.mapping.catalogue.shape import CROSSWALK
from llama_mapper.domain.mapping.crosswalks.accuracy import (
    ControlCase,
    ControlsOf,
    case_problems,
    cases_of,
    validate_mapping_accuracy,
    with_own,
)
from llama_mapper.domain.mapping.crosswalks.deployment import Split, deployed, percents, rolled_back, split_of
from llama_mapper.domain.mapping.crosswalks.links import crosswalk_links
from llama_mapper.domain.mapping.documents.book import (
    Content,
    DocumentBook,
    Problems,
    conflict,
    differences,
    digest_of,
    invalid,
)
from llama_mapper.domain.mapping.documents.ports import (
    CatalogueDocuments,
    Deployment,
    DocumentKind,
    StoredDocument,
)
from llama_mapper.domain.mapping.taxonomies.present import CurrentId

_ATTEMPTS = 8


class CrosswalkDesk:
    """Keeps `CrosswalkDeskApi`. The tenant `EVERYONE` owns what holds for all; no door over the network names it."""

    def __init__(
        self,
        documents: CatalogueDocuments,
        catalogue: CatalogueView,
        labels: Mapping[str, str],
        raw: RawSource,
        shipped_cases: Callable[[], Sequence[ControlCase]],
        current_id: CurrentId,
        clock: Clock,
        *,
        gate: float,
    ) -> None:
        """`labels` are those of the taxonomy; `gate` is the accuracy that a version must have to be deployed."""
        self._documents = documents
        self._book = DocumentBook(
            documents, DocumentKind.CROSSWALK, catalogue.versions.taxonomy, clock, "version of the crosswalk"
        )
        self._catalogue = catalogue
        self._shipped_version = catalogue.versions.crosswalk
        self._labels = labels
        self._raw = raw
        self._cases = shipped_cases
        self._current_id = current_id
        self._clock = clock
        self._gate = gate

    async def upload(self, tenant_id: str, upload: CrosswalkUpload, curator: Curator) -> CrosswalkInfo:
        """See `CrosswalkDeskApi.upload`."""
        if upload.version == self._shipped_version:
            raise conflict("the shipped crosswalk has this version")
        raw = await asyncio.to_thread(self._raw)
        content = crosswalk_content(upload, raw)
        known = await self._documents.document(tenant_id, DocumentKind.CROSSWALK, upload.version)
        if known is not None and known.digest != digest_of(content):
            raise conflict(f"the version {upload.version} has other content, and a version never changes")

        async def check(checked: Content | None) -> None:
            if checked is not None and (problems := await asyncio.to_thread(self._problems, checked, raw)):
                raise invalid(problems)

        stored = await self._book.put(tenant_id, upload.version, content, curator, None, upload.note, check)
        return _info(stored, percents(await self._split(tenant_id)))

    async def list(self, tenant_id: str) -> CrosswalkList:
        """See `CrosswalkDeskApi.list`."""
        now = percents(await self._split(tenant_id))
        stored = sorted(await self._book.standing(tenant_id), key=lambda each: -each.position)
        own = {each.name for each in stored}
        everyones = [
            found
            for version in now
            if version is not None
            and version not in own
            and (found := await self._documents.document(EVERYONE, DocumentKind.CROSSWALK, version)) is not None
        ]
        shipped = CrosswalkInfo(version=self._shipped_version, shipped=True, percent=now.get(None, 0))
        return CrosswalkList(items=(*(_info(each, now) for each in (*stored, *everyones)), shipped))

    async def accuracy(self, tenant_id: str, version: str, framework: str | None = None) -> CrosswalkAccuracy:
        """See `CrosswalkDeskApi.accuracy`."""
        if framework is not None:
            self._catalogue.resolve_frameworks((framework,))
        content, written_under = await self._content(tenant_id, version)
        return await asyncio.to_thread(self._measure, version, content, written_under, framework)

    async def difference(self, tenant_id: str, before: str, after: str) -> DocumentDifference:
        """See `CrosswalkDeskApi.difference`."""
        old, new = [link_entries((await self._content(tenant_id, version))[0]) for version in (before, after)]
        return differences(before, old, after, new)

    async def deploy(
        self, tenant_id: str, version: str, deployment: CrosswalkDeployment, curator: Curator
    ) -> CrosswalkList:
        """See `CrosswalkDeskApi.deploy`."""
        if version == self._shipped_version:
            raise conflict("the shipped crosswalk answers whatever nothing else does; roll back to it")
        found = await self.accuracy(tenant_id, version)
        if not found.passes:
            worst = min(found.editions, key=lambda each: each.accuracy)
            raise MappingError(
                f"{found.cases - found.passed} of {found.cases} test cases fail; of {worst.edition} "
                f"{worst.passed} of {worst.cases} hold, and {self._gate:.0%} must",
                ErrorCode.ACCURACY_TOO_LOW,
            )
        percent, note = deployment.percent, deployment.note
        await self._take(
            tenant_id,
            lambda log: deployed(log, version, percent, found.accuracy, curator, self._clock(), note),
        )
        return await self.list(tenant_id)

    async def rollback(self, tenant_id: str, request: CrosswalkRollback, curator: Curator) -> CrosswalkList:
        """See `CrosswalkDeskApi.rollback`."""
        await self._take(tenant_id, lambda log: rolled_back(log, curator, self._clock(), request.note))
        return await self.list(tenant_id)

    async def history(self, tenant_id: str) -> CrosswalkHistory:
        """See `CrosswalkDeskApi.history`."""
        log = await self._documents.deployments(tenant_id)
        return CrosswalkHistory(items=tuple(_event(each) for each in reversed(log[-1000:])))

    async def _take(self, tenant_id: str, decide: Callable[[tuple[Deployment, ...]], Deployment | None]) -> None:
        for _ in range(_ATTEMPTS):
            event = decide(tuple(await self._documents.deployments(tenant_id)))
            if event is None or await self._documents.deploy(tenant_id, event):
                return
        raise StoreError("too many changes at once; try again", ErrorCode.CONFLICT, retryable=True)

    async def _split(self, tenant_id: str) -> Split:
        everyones = () if tenant_id == EVERYONE else await self._documents.deployments(EVERYONE)
        return split_of(await self._documents.deployments(tenant_id), everyones)

    async def _content(self, tenant_id: str, version: str) -> tuple[Content, str]:
        for owner in dict.fromkeys((tenant_id, EVERYONE)):
            stored = await self._documents.document(owner, DocumentKind.CROSSWALK, version)
            if stored is not None and stored.content is not None:
                return stored.content, stored.taxonomy_version
        if version == self._shipped_version:
            raw = await asyncio.to_thread(self._raw)
            return {**raw.crosswalk, "cases": ()}, raw.taxonomy["version"]
        raise NotFoundError("there is no such version of the crosswalk")

    def _measure(self, version: str, content: Content, written_under: str, framework: str | None) -> CrosswalkAccuracy:
        links = crosswalk_links(self._raw, self._labels, self._current_id, content, written_under)

        def controls_of(label: str, edition: str) -> set[str]:
            name, _, year = edition.partition(":")
            return {link.control_id for link in links.get((name, year), {}).get(label, ())}

        of: ControlsOf = controls_of
        cases = with_own(self._cases(), cases_of(content["cases"]))
        return validate_mapping_accuracy(of, cases, version=version, gate=self._gate, framework=framework)

    def _problems(self, content: Content, raw: RawCatalogue) -> Problems:
        document = {name: value for name, value in content.items() if name != "cases"}
        if shape := list(CROSSWALK(document, "crosswalk")):
            return shape
        editions = {
            f"{framework}:{edition}": listed["controls"]
            for framework, entry in raw.frameworks["frameworks"].items()
            for edition, listed in entry["editions"].items()
        }
        problems = list(crosswalk_problems(document, raw.frameworks, raw.taxonomy, self._labels.keys()))
        return problems + list(case_problems(cases_of(content["cases"]), self._labels, editions))


def crosswalk_content(upload: CrosswalkUpload, raw: RawCatalogue) -> dict[str, Any]:
    """The whole document of a version: on the shipped one's links, where it is based on them.

    A category that it names counts as linked, or as without, whatever the shipped document says of it.
    """
    given = upload.model_dump(mode="json")
    crosswalk, without = given["crosswalk"], given["without"]
    if upload.based_on_shipped:
        kept = {label: entry for label, entry in raw.crosswalk["crosswalk"].items() if label not in without}
        absent = {label: why for label, why in raw.crosswalk["without"].items() if label not in crosswalk}
        crosswalk, without = {**kept, **crosswalk}, {**absent, **without}
    return {
        "version": upload.version,
        "crosswalk": crosswalk,
        "without": without,
        "correspondences": list(raw.crosswalk.get("correspondences", ())),
        "cases": given["cases"],
    }


def link_entries(content: Content) -> dict[str, str]:
    """`edition/label/control` → the reason, for each link that the document has."""
    return {
        f"{edition}/{label}/{control_id}": entry["rationale"]
        for label, entry in content["crosswalk"].items()
        for edition, control_ids in entry["controls"].items()
        for control_id in control_ids
    }


def _info(stored: StoredDocument, now: Mapping[str | None, int]) -> CrosswalkInfo:
    return CrosswalkInfo(
        version=stored.name,
        shipped=False,
        digest=stored.digest,
        percent=now.get(stored.name, 0),
        who=stored.curator.name,
        at=stored.at,
        note=stored.note,
    )


def _event(event: Deployment) -> CrosswalkEvent:
    return CrosswalkEvent(
        number=event.number,
        step=event.step,
        version=event.version,
        percent=event.percent,
        accuracy=event.accuracy,
        who=event.curator.name,
        role=event.curator.role,
        door=event.curator.door,
        keyless=event.curator.keyless,
        at=event.at,
        note=event.note,
    )
