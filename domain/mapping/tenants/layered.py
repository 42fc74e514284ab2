"""The shipped catalogue as one tenant sees it: under its own words, with its own frameworks, by its crosswalk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import (
    CatalogueVersions,
    CatalogueView,
    ControlLink,
    FrameworkEdition,
    LabelMatch,
    MatchStage,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.mapping.crosswalks.links import Links
from llama_mapper.domain.mapping.frameworks.editions import OwnEditions
from llama_mapper.domain.mapping.overlays.tables import Overlay

_REMEMBERED = 4_096
_NO_LINKS: tuple[ControlLink, ...] = ()


class _Unasked:
    """Stands for a label that nobody asked about yet."""


_UNASKED = _Unasked()


class LayeredCatalogue:
    """Keeps what `CatalogueView` promises, for one tenant and one crosswalk; it never changes.

    The tenant's word stands over the shipped one, with one exception: a label that the shipped catalogue knows as it
    is written means what that says, unless the tenant wrote it like that too. How exactly a label is known counts for
    more than by whom.
    """

    __slots__ = ("_answers", "_base", "_links", "_overlay", "_own", "_versions")

    def __init__(
        self,
        base: CatalogueView,
        overlay: Overlay | None = None,
        own: OwnEditions | None = None,
        links: Links | None = None,
        crosswalk_version: str | None = None,
    ) -> None:
        """`links` replace the shipped crosswalk of the shipped editions; `crosswalk_version` names them."""
        self._base = base
        self._overlay = overlay
        self._own = own or OwnEditions()
        self._links = links
        self._versions = (
            base.versions if crosswalk_version is None else replace(base.versions, crosswalk=crosswalk_version)
        )
        self._answers: dict[tuple[str, str | None, str], LabelMatch | None] = {}

    @property
    def versions(self) -> CatalogueVersions:
        """See `CatalogueView.versions`."""
        return self._versions

    @property
    def categories(self) -> Mapping[str, Severity]:
        """See `CatalogueView.categories`."""
        return self._base.categories

    def match(self, vendor: str, vendor_version: str | None, label: str) -> LabelMatch | None:
        """The canonical label of a vendor's label, by the tenant's words and then by the shipped ones."""
        if self._overlay is None or not self._overlay.knows(vendor):
            return self._base.match(vendor, vendor_version, label)
        key = (vendor, vendor_version, label)
        known = self._answers.get(key, _UNASKED)  # one look: a check of documents asks from another thread
        if not isinstance(known, _Unasked):
            return known
        if len(self._answers) >= _REMEMBERED:  # labels come from outside, so what is remembered is bounded
            self._answers.clear()
        answer = self._answers[key] = self._layered(self._overlay, vendor, vendor_version, label)
        return answer

    def severity(self, canonical: str) -> Severity:
        """See `CatalogueView.severity`."""
        return self._base.severity(canonical)

    def name(self, canonical: str) -> str:
        """See `CatalogueView.name`."""
        return self._base.name(canonical)

    def frameworks(self) -> Sequence[FrameworkEdition]:
        """Every shipped edition, then the tenant's own."""
        return (*self._base.frameworks(), *self._own.editions)

    def resolve_frameworks(self, refs: Sequence[str]) -> tuple[FrameworkEdition, ...]:
        """See `CatalogueView.resolve_frameworks`; no refs mean the shipped editions alone."""
        own = self._own.references
        if not own or not any(ref in own for ref in refs):
            return self._resolve_shipped(refs)
        resolved: dict[str, FrameworkEdition] = {}
        for ref in refs:
            for edition in (own[ref],) if ref in own else self._resolve_shipped((ref,)):
                resolved[edition.ref] = edition
        return tuple(resolved.values())

    def controls(self, canonical: str, edition: FrameworkEdition) -> tuple[ControlLink, ...]:
        """See `CatalogueView.controls`."""
        key = (edition.framework, edition.edition)
        own = self._own.links.get(key)
        if own is not None:
            return own.get(canonical, _NO_LINKS)
        if self._links is None:
            return self._base.controls(canonical, edition)
        return self._links.get(key, {}).get(canonical, _NO_LINKS)

    def evidence_requirement(self, control_id: str, edition: FrameworkEdition) -> str:
        """See `CatalogueView.evidence_requirement`."""
        own = self._own.evidence.get((edition.framework, edition.edition))
        return self._base.evidence_requirement(control_id, edition) if own is None else own.get(control_id, "")

    def _layered(self, overlay: Overlay, vendor: str, vendor_version: str | None, label: str) -> LabelMatch | None:
        shipped = self._base.match(vendor, vendor_version, label)
        found = overlay.find(vendor, vendor_version, label)
        if found is None:
            return shipped
        own, verbatim = found
        if shipped is not None and shipped.stage is MatchStage.EXACT and not verbatim:
            return shipped
        differs = shipped is not None and shipped.canonical != own.canonical
        return replace(
            own, stage=MatchStage.OVERLAY, instead_of=shipped.canonical if shipped is not None and differs else None
        )

    def _resolve_shipped(self, refs: Sequence[str]) -> tuple[FrameworkEdition, ...]:
        try:
            return self._base.resolve_frameworks(refs)
        except ValidationError as error:
            if not self._own.editions or error.error_code not in (
                ErrorCode.FRAMEWORK_NOT_FOUND,
                ErrorCode.EDITION_NOT_FOUND,
            ):
                raise
            names = ", ".join(edition.ref for edition in self._own.editions)
            raise ValidationError(f"{error.message}; and of your own: {names}", error.error_code) from None
