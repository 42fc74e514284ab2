"""What stands for one tenant, ready to answer with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.contracts.base import VersionInfo
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.mapping.catalogue.raw import RawSource
from llama_mapper.domain.mapping.crosswalks.deployment import split_of
from llama_mapper.domain.mapping.crosswalks.links import Links
from llama_mapper.domain.mapping.documents.ports import StoredStanding
from llama_mapper.domain.mapping.editions import EditionSets
from llama_mapper.domain.mapping.frameworks.editions import UploadedEdition, own_editions
from llama_mapper.domain.mapping.overlays.tables import UploadedVocabulary, overlay_of
from llama_mapper.domain.mapping.settings.desk import settings_of
from llama_mapper.domain.mapping.settings.terms import TenantTerms
from llama_mapper.domain.mapping.taxonomies.present import CurrentId
from llama_mapper.domain.mapping.tenants.layered import LayeredCatalogue

_REMEMBERED_VERSIONS = 64


class View:
    """A catalogue, the edition sets and the version texts that belong to it, remembered together."""

    __slots__ = ("_infos", "catalogue", "editions", "overlay_version")

    def __init__(self, catalogue: CatalogueView, overlay_version: str | None = None) -> None:
        self.catalogue = catalogue
        self.editions = EditionSets(catalogue)
        self.overlay_version = overlay_version
        self._infos: dict[tuple[str, str | None], VersionInfo] = {}

    def version_info(self, service_version: str, framework_version: str | None) -> VersionInfo:
        """The versions to put on an answer for these editions, or for none."""
        known = self._infos.get((service_version, framework_version))
        if known is not None:
            return known
        versions = self.catalogue.versions
        info = VersionInfo(
            service_version=service_version,
            taxonomy_version=versions.taxonomy,
            vocabulary_version=versions.vocabulary,
            crosswalk_version=versions.crosswalk,
            overlay_version=self.overlay_version,
            framework_version=framework_version,
        )
        if len(self._infos) >= _REMEMBERED_VERSIONS:
            self._infos.clear()
        self._infos[service_version, framework_version] = info
        return info


@dataclass(frozen=True, slots=True)
class Standing:
    """One tenant's views: `candidates` are (percent, view), of which the first whose percent is above a request's share
    answers it, else `rest`.
    """

    rest: View
    candidates: tuple[tuple[int, View], ...] = ()
    terms: TenantTerms | None = None
    """How the tenant wants its labels mapped."""

    def view(self, share: Callable[[], int]) -> View:
        """The view for a request; `share`, from 0 to 99, is asked for only where the traffic is split."""
        if not self.candidates:
            return self.rest
        mine = share()
        return next((view for percent, view in self.candidates if mine < percent), self.rest)


def standing_of(
    stored: StoredStanding,
    shipped: View,
    labels: Mapping[str, str],
    raw: RawSource,
    links_of: Mapping[str, Links],
    current_id: CurrentId,
) -> Standing:
    """The tenant's views. `labels` are those of the taxonomy.

    `links_of` has the links of every crosswalk version that is deployed and not shipped.
    """
    base = shipped.catalogue
    vocabularies = [
        UploadedVocabulary(each.name, each.position, each.content, each.taxonomy_version)
        for each in stored.vocabularies
        if each.content is not None
    ]
    overlay = overlay_of(vocabularies, stored.reviewed, lambda: _vendors(raw), current_id)
    uploads = []
    for each in stored.frameworks:
        framework, _, edition = each.name.partition(":")
        if each.content is not None:
            uploads.append(UploadedEdition(framework, edition, each.content, each.taxonomy_version))
    own = own_editions(uploads, labels, current_id) if uploads else None
    overlay_version = None if overlay is None else str(stored.mark[0])
    candidates, rest = split_of(stored.own_deployments, stored.everyones_deployments)
    views: dict[str | None, View] = {}
    for version in dict.fromkeys((rest, *(version for _, version in candidates))):
        if overlay is None and own is None and version is None:
            views[version] = shipped
        else:
            links = None if version is None else links_of[version]
            views[version] = View(LayeredCatalogue(base, overlay, own, links, version), overlay_version)
    kept = stored.settings
    terms = None if kept is None or kept.content is None else TenantTerms(settings_of(kept.content), kept.number)
    return Standing(views[rest], tuple((percent, views[version]) for percent, version in candidates), terms)


def _vendors(raw: RawSource) -> Mapping[str, Mapping[str, Any]]:
    vendors: Mapping[str, Mapping[str, Any]] = raw().vocabularies["vendors"]
    return vendors
