"""A tenant's own vocabulary as look-up tables: uploaded lists, and labels that its reviewers decided on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.contracts.catalogue import LabelMatch, MatchStage
from llama_mapper.domain.mapping.catalogue import confidence
from llama_mapper.domain.mapping.catalogue.vocabulary import (
    LabelTable,
    Meaning,
    any_version,
    for_unlisted_version,
    label_table,
    matches_of,
    version_meanings,
)
from llama_mapper.domain.mapping.documents.ports import ReviewedMeaning
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.taxonomies.present import CurrentId

_Exact = dict[str, LabelMatch]


@dataclass(frozen=True, slots=True)
class UploadedVocabulary:
    """A vendor's list as the tenant uploaded it; `position` tells which of two changes is the later one."""

    vendor: str
    position: int
    entry: Mapping[str, Any]
    taxonomy_version: str


class Overlay:
    """What a tenant says of vendors' labels; it never changes."""

    __slots__ = ("_listed", "_unlisted")

    def __init__(self, listed: Mapping[tuple[str, str | None], LabelTable], unlisted: Mapping[str, LabelTable]) -> None:
        self._listed = listed
        self._unlisted = unlisted

    def knows(self, vendor: str) -> bool:
        """Whether there is anything about the vendor."""
        return vendor in self._unlisted

    def find(self, vendor: str, vendor_version: str | None, label: str) -> tuple[LabelMatch, bool] | None:
        """The label's match, and whether the tenant wrote exactly this label for exactly this version."""
        table = self._listed.get((vendor, vendor_version))
        if table is not None and (found := table.find(label)) is not None:
            return found, label in table.exact
        # Unlike a shipped vocabulary, an overlay need not be the whole list of a version: others stand in for a label.
        stand_in = self._unlisted.get(vendor)
        found = None if stand_in is None else stand_in.find(label)
        return None if found is None else (found, False)


def overlay_of(
    uploads: Iterable[UploadedVocabulary],
    reviewed: Iterable[ReviewedMeaning],
    shipped_vendors: Callable[[], Mapping[str, Mapping[str, Any]]],
    current_id: CurrentId,
) -> Overlay | None:
    """The tables, or None if the tenant says nothing.

    Of an uploaded list and a decision about the same label the later one holds. A list that starts from one which is
    not shipped any more has its own labels alone; a label whose id nothing stands for any more is left out.
    """
    by_vendor = {upload.vendor: upload for upload in uploads}
    decided: dict[str, dict[str | None, dict[str, ReviewedMeaning]]] = {}
    for each in reviewed:
        decided.setdefault(each.key.vendor, {}).setdefault(each.key.vendor_version, {})[each.key.label] = each
    if not by_vendor and not decided:
        return None
    vendors: Mapping[str, Mapping[str, Any]] = {}
    if any("same_as" in listed for upload in by_vendor.values() for listed in upload.entry["versions"].values()):
        vendors = {**shipped_vendors(), **{vendor: upload.entry for vendor, upload in by_vendor.items()}}
    listed: dict[tuple[str, str | None], LabelTable] = {}
    unlisted: dict[str, LabelTable] = {}
    for vendor in sorted({*by_vendor, *decided}):
        tables, aliases = _versions(by_vendor.get(vendor), decided.get(vendor, {}), vendors, current_id)
        listed |= {(vendor, version): table for version, table in tables.items() if version is not None}
        merged = any_version(list(tables.values()))
        listed[vendor, None] = merged
        unlisted[vendor] = label_table(
            {label: for_unlisted_version(match) for label, match in merged.exact.items()},
            {family: for_unlisted_version(match) for family, match in merged.families.items()},
        )
        for alias, table in aliases.items():
            listed[alias, None] = unlisted[alias] = table
    return Overlay(listed, unlisted)


def _versions(
    upload: UploadedVocabulary | None,
    decided: Mapping[str | None, Mapping[str, ReviewedMeaning]],
    vendors: Mapping[str, Mapping[str, Any]],
    current_id: CurrentId,
) -> tuple[dict[str | None, LabelTable], dict[str, LabelTable]]:
    """One vendor's tables by version, newest first, and those that its aliases mean."""
    tables: dict[str | None, LabelTable] = {}
    aliases: dict[str, LabelTable] = {}
    reviews = {version: dict(labels) for version, labels in decided.items()}
    if upload is not None:
        for version, listed in upload.entry["versions"].items():
            exact, families = _listed(upload, listed, vendors, current_id)
            later = _decided(reviews.pop(version, {}), upload.position, exact, current_id)
            tables[version] = label_table({**families, **exact, **later}, families)
            aliases |= dict.fromkeys(listed.get("aliases", ()), tables[version])
    # Versions that reviewers alone know stand after those that somebody listed, the latest decision first.
    for version, labels in sorted(reviews.items(), key=lambda item: -max(each.position for each in item[1].values())):
        tables[version] = label_table(_decided(labels, -1, {}, current_id), {})
    return tables, aliases


def _listed(
    upload: UploadedVocabulary,
    listed: Mapping[str, Any],
    vendors: Mapping[str, Mapping[str, Any]],
    current_id: CurrentId,
) -> tuple[_Exact, _Exact]:
    origin, _, version = listed.get("same_as", "").partition(":")
    if origin and version not in vendors.get(origin, {}).get("versions", {}):
        listed = {name: value for name, value in listed.items() if name not in ("same_as", "without")}
    exact, families = version_meanings(vendors, listed)
    prior = confidence.EXACT[upload.entry["basis"]]

    def present(meanings: Mapping[str, Meaning]) -> _Exact:
        now = {label: _present(meaning, upload.taxonomy_version, current_id) for label, meaning in meanings.items()}
        return matches_of({label: meaning for label, meaning in now.items() if meaning is not None}, prior)

    return present(exact), present(families)


def _present(meaning: Meaning, taxonomy_version: str, current_id: CurrentId) -> Meaning | None:
    canonical = current_id(meaning[0], taxonomy_version)
    if canonical is None:
        return None
    also = (current_id(each, taxonomy_version) for each in meaning[1])
    return canonical, tuple(each for each in also if each is not None)


def _decided(
    labels: Mapping[str, ReviewedMeaning], uploaded_at: int, exact: Mapping[str, LabelMatch], current_id: CurrentId
) -> _Exact:
    matches: _Exact = {}
    for label, each in labels.items():
        if label in exact and each.position < uploaded_at:
            continue
        canonical = current_id(each.canonical, each.taxonomy_version)
        if canonical is not None:
            matches[label] = LabelMatch(canonical, (), MatchStage.EXACT, confidence.REVIEWED)
    return matches


def shadowed(
    overlay: Overlay, shipped: Callable[[str, str | None, str], LabelMatch | None], keys: Sequence[LabelKey]
) -> list[tuple[LabelKey, str, str]]:
    """Of these labels, those of which the shipped catalogue says otherwise: key, own id, shipped id."""
    found: list[tuple[LabelKey, str, str]] = []
    for key in keys:
        own, theirs = (
            overlay.find(key.vendor, key.vendor_version, key.label),
            shipped(key.vendor, key.vendor_version, key.label),
        )
        if own is not None and theirs is not None and own[0].canonical != theirs.canonical:
            found.append((key, own[0].canonical, theirs.canonical))
    return found
