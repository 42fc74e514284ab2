"""Vendor vocabularies as look-up tables: vendor and version, then label, then what it means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from llama_mapper.domain.contracts.catalogue import LabelMatch, MatchStage
from llama_mapper.domain.mapping.catalogue import confidence
from llama_mapper.domain.mapping.catalogue.normalisation import normalise, without_tag
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

_VARIANT = re.compile(r"(?!$)[A-Za-z]?[0-9]{0,3}")
"""Anything longer is no variant, and could be anything."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """One vocabulary. `families` holds labels without their last dotted part, for vendors that number variants."""

    exact: Mapping[str, LabelMatch]
    families: Mapping[str, LabelMatch]
    normalised: Mapping[str, LabelMatch]

    def find(self, label: str) -> LabelMatch | None:
        """The label's match: exactly, then by family, then normalised, then normalised without a tagging prefix.

        Where the label as it stands and the label without its prefix are both known and differ, neither is right.
        """
        found = self.exact.get(label)
        if found is not None:
            return found
        if self.families:
            family, _, variant = label.rpartition(".")
            found = self.families.get(family)
            if found is not None and _VARIANT.fullmatch(variant):
                return found
        found = self.normalised.get(normalise(label))
        bare = without_tag(label)
        if bare is None:
            return found
        untagged = self.normalised.get(normalise(bare))
        if found is None or untagged is None:
            return found or untagged
        return found if _same_meaning(found, untagged) else None


def label_table(exact: Mapping[str, LabelMatch], families: Mapping[str, LabelMatch]) -> LabelTable:
    """The table of these labels; labels that normalise alike and differ in meaning have no normalised form."""
    forms: dict[str, LabelMatch | None] = {}
    for label, match in exact.items():
        form = normalise(label)
        if not form:
            continue
        if form not in forms:
            forms[form] = replace(
                match,
                stage=MatchStage.NORMALISED,
                confidence=confidence.combined(match.confidence, confidence.NORMALISED_FACTOR),
            )
            continue
        known = forms[form]
        if known is not None and not _same_meaning(known, match):
            forms[form] = None
    return LabelTable(exact, families, {form: match for form, match in forms.items() if match is not None})


def vendor_tables(vocabularies: Mapping[str, Any]) -> dict[tuple[str, str | None], LabelTable]:
    """Every table of a valid vocabulary document by (vendor, version).

    (vendor, None) is what answers where no version is named: every version's labels, the newest's meaning first. An
    alias stands under (alias, None) and means one version, whatever version is named beside it.
    """
    tables: dict[tuple[str, str | None], LabelTable] = {}
    vendors: Mapping[str, Mapping[str, Any]] = vocabularies["vendors"]
    for vendor, entry in vendors.items():
        prior = confidence.EXACT[entry["basis"]]
        versions: list[LabelTable] = []
        for version, listed in entry["versions"].items():
            exact, families = version_meanings(vendors, listed)
            # A detector may name the family alone.
            table = label_table(matches_of({**families, **exact}, prior), matches_of(families, prior))
            versions.append(table)
            tables[vendor, version] = table
            for alias in listed.get("aliases", ()):
                tables[alias, None] = table
        tables[vendor, None] = versions[0] if len(versions) == 1 else any_version(versions)
    return tables


def unlisted_tables(
    vocabularies: Mapping[str, Any], tables: Mapping[tuple[str, str | None], LabelTable]
) -> dict[str, LabelTable]:
    """For each vendor the table that stands in for a version that is not listed: its newest, trusted less.

    Where the vendor's versions give a label different meanings it is trusted less again. An alias already means one
    version and stands for itself.
    """
    stand_ins: dict[str, LabelTable] = {}
    for vendor, entry in vocabularies["vendors"].items():
        newest = tables[vendor, next(iter(entry["versions"]))]
        merged = tables[vendor, None]
        stand_ins[vendor] = label_table(
            {label: for_unlisted_version(merged.exact[label]) for label in newest.exact},
            {family: for_unlisted_version(merged.families[family]) for family in newest.families},
        )
        for listed in entry["versions"].values():
            for alias in listed.get("aliases", ()):
                stand_ins[alias] = tables[alias, None]
    return stand_ins


def listed_meanings(listed: Mapping[str, Any], section: str) -> Iterable[tuple[str, str]]:
    """(label, canonical) pairs as one version of a vocabulary document lists them, repetitions included."""
    for canonical, labels in listed.get(section, {}).items():
        for label in labels:
            yield label, canonical


def known_labels(vocabularies: Mapping[str, Any]) -> tuple[KnownLabel, ...]:
    """Every label of a valid vocabulary document, by vendor and version as listed; families stand as labels."""
    vendors: Mapping[str, Mapping[str, Any]] = vocabularies["vendors"]
    return tuple(
        KnownLabel(LabelKey(vendor, version, label), canonical, also)
        for vendor, entry in vendors.items()
        for version, listed in entry["versions"].items()
        for meanings in reversed(version_meanings(vendors, listed))
        for label, (canonical, also) in meanings.items()
    )


Meaning = tuple[str, tuple[str, ...]]
"""A canonical label, and further ones that the vendor's label covers."""


def version_meanings(
    vendors: Mapping[str, Mapping[str, Any]], listed: Mapping[str, Any]
) -> tuple[dict[str, Meaning], dict[str, Meaning]]:
    """The labels and the families of one version of a valid vocabulary document, those it starts from included."""
    exact: dict[str, Meaning] = {}
    families: dict[str, Meaning] = {}
    if origin := listed.get("same_as"):
        vendor, _, version = origin.partition(":")
        exact, families = version_meanings(vendors, vendors[vendor]["versions"][version])
        for label in listed.get("without", ()):
            del exact[label]
    also = listed.get("also", {})
    exact |= {label: (canonical, tuple(also.get(label, ()))) for label, canonical in listed_meanings(listed, "labels")}
    families |= {family: (canonical, ()) for family, canonical in listed_meanings(listed, "families")}
    return exact, families


def matches_of(meanings: Mapping[str, Meaning], prior: float) -> dict[str, LabelMatch]:
    """Exact matches of these meanings, each trusted as `prior` says."""
    return {
        label: LabelMatch(canonical, also, MatchStage.EXACT, prior) for label, (canonical, also) in meanings.items()
    }


def any_version(versions: list[LabelTable]) -> LabelTable:
    """What answers where no version is named: every version's labels, the newest's meaning first."""
    return label_table(
        _newest_first([table.exact for table in versions]), _newest_first([table.families for table in versions])
    )


def _newest_first(versions: list[Mapping[str, LabelMatch]]) -> dict[str, LabelMatch]:
    merged: dict[str, LabelMatch] = {}
    disputed: set[str] = set()
    for version in versions:
        for label, match in version.items():
            if not _same_meaning(merged.setdefault(label, match), match):
                disputed.add(label)
    for label in disputed:
        merged[label] = replace(
            merged[label],
            confidence=confidence.combined(merged[label].confidence, confidence.DISAGREEING_VERSIONS_FACTOR),
        )
    return merged


def for_unlisted_version(match: LabelMatch) -> LabelMatch:
    """The match where another version of the vendor stands in for one that is not listed."""
    return replace(match, confidence=confidence.combined(match.confidence, confidence.UNLISTED_VERSION_FACTOR))


def _same_meaning(one: LabelMatch, other: LabelMatch) -> bool:
    return one.canonical == other.canonical and one.also == other.also
