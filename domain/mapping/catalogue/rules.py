"""The rules across the catalogue's documents, for documents of the right shape. Each yields (where, what)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import FrameworkKind
from llama_mapper.domain.mapping.catalogue.confidence import EXACT
from llama_mapper.domain.mapping.catalogue.shape import Found
from llama_mapper.domain.mapping.catalogue.vocabulary import listed_meanings


def canonical_labels(taxonomy: Mapping[str, Any]) -> frozenset[str]:
    """Every canonical label of the taxonomy, of level 2 and 3."""
    return frozenset(
        label for category in _categories(taxonomy) for label in (category["id"], *category["subcategories"])
    )


def taxonomy_problems(taxonomy: Mapping[str, Any]) -> Found:
    """Ids that are not unique or not under their parent, and severities that do not exist."""
    ids = Counter(domain["id"] for domain in taxonomy["domains"])
    for domain in taxonomy["domains"]:
        for category in domain["categories"]:
            where = f"taxonomy/{category['id']}"
            ids[category["id"]] += 1
            if not category["id"].startswith(f"{domain['id']}."):
                yield where, f"is not under its domain '{domain['id']}'"
            if category["severity"] not in Severity.__members__:
                yield where, f"has the unknown severity '{category['severity']}'"
            for label in category["subcategories"]:
                ids[label] += 1
                if not label.startswith(f"{category['id']}."):
                    yield f"taxonomy/{label}", f"is not under its category '{category['id']}'"
    for label, times in ids.items():
        if times > 1:
            yield f"taxonomy/{label}", "is there more than once"


def vocabulary_problems(vocabularies: Mapping[str, Any], canonical: Collection[str]) -> Found:
    """Labels listed twice, canonical labels that do not exist, unknown bases, and names that lead nowhere or twice."""
    vendors: Mapping[str, Mapping[str, Any]] = vocabularies["vendors"]
    names = Counter(vendors.keys())
    for vendor, entry in vendors.items():
        if entry["basis"] not in EXACT:
            yield f"vocabularies/{vendor}", f"has the unknown basis '{entry['basis']}'"
        for version, listed in entry["versions"].items():
            where = f"vocabularies/{vendor}/{version}"
            names.update(listed.get("aliases", ()))
            yield from _version_problems(where, listed, vendors, canonical)
    for name, times in names.items():
        if times > 1:
            yield f"vocabularies/{name}", "names more than one vendor or version"


def framework_problems(frameworks: Mapping[str, Any]) -> Found:
    """Unknown kinds, frameworks without exactly one default edition, and references that mean more than one edition."""
    references: Counter[str] = Counter()
    for framework, entry in frameworks["frameworks"].items():
        where = f"frameworks/{framework}"
        if entry["kind"] not in frozenset(FrameworkKind):
            yield where, f"has the unknown kind '{entry['kind']}'"
        defaults = [edition for edition, listed in entry["editions"].items() if listed.get("default", False)]
        if len(defaults) != 1:
            yield where, f"has {len(defaults)} default editions instead of one"
        references[framework] += 1
        for edition, listed in entry["editions"].items():
            references[f"{framework}:{edition}"] += 1
            references.update(listed.get("aliases", ()))
    for reference, times in references.items():
        if times > 1:
            yield f"frameworks/{reference}", "means more than one edition"


def crosswalk_problems(
    crosswalk: Mapping[str, Any], frameworks: Mapping[str, Any], taxonomy: Mapping[str, Any], canonical: Collection[str]
) -> Found:
    """Labels, editions and controls that do not exist, categories forgotten, and correspondences with gaps."""
    editions = {
        f"{framework}:{edition}": listed["controls"]
        for framework, entry in frameworks["frameworks"].items()
        for edition, listed in entry["editions"].items()
    }
    entries, without = crosswalk["crosswalk"], crosswalk["without"]
    for label, entry in entries.items():
        where = f"crosswalk/{label}"
        if label not in canonical:
            yield where, "is not in the taxonomy"
        for edition, control_ids in entry["controls"].items():
            yield from _control_problems(f"{where}/{edition}", control_ids, editions.get(edition))
    for category in (category["id"] for category in _categories(taxonomy)):
        if (category in entries) == (category in without):
            both = (
                "both linked and listed as without" if category in entries else "neither linked nor listed as without"
            )
            yield f"crosswalk/{category}", f"is {both}"
    for category in without:
        if category not in canonical:
            yield f"crosswalk/without/{category}", "is not in the taxonomy"
    for correspondence in crosswalk.get("correspondences", ()):
        yield from _correspondence_problems(correspondence, editions)


def _version_problems(
    where: str, listed: Mapping[str, Any], vendors: Mapping[str, Mapping[str, Any]], canonical: Collection[str]
) -> Found:
    if not any(section in listed for section in ("labels", "families", "same_as")):
        yield where, "lists no labels"
    labels = Counter(label for label, _ in listed_meanings(listed, "labels"))
    families = Counter(family for family, _ in listed_meanings(listed, "families"))
    for label, times in (labels + families).items():
        if times > 1:
            yield f"{where}/{label}", "is listed more than once"
    named = {*listed.get("labels", ()), *listed.get("families", ())}
    also = listed.get("also", {})
    for meanings in also.values():
        named.update(meanings)
    for label in sorted(named - set(canonical)):
        yield where, f"refers to '{label}', which is not in the taxonomy"
    for label in also:
        if label not in labels:
            yield f"{where}/also/{label}", "is not a label of this version"
    inherited: set[str] = set()
    if origin := listed.get("same_as"):
        vendor, _, version = origin.partition(":")
        source = vendors.get(vendor, {}).get("versions", {}).get(version)
        if source is None:
            yield where, f"is the same as '{origin}', which does not exist"
        elif "same_as" in source:
            yield where, f"is the same as '{origin}', which is itself the same as another"
        else:
            inherited = {label for label, _ in listed_meanings(source, "labels")}
    left_out = set(listed.get("without", ()))
    for label in sorted(left_out - inherited):
        yield f"{where}/without/{label}", "is not a label of the list it starts from"
    for label in sorted((inherited - left_out) & labels.keys()):
        yield f"{where}/{label}", "is already in the list it starts from"


def _control_problems(where: str, control_ids: list[str], known: Collection[str] | None) -> Found:
    if known is None:
        yield where, "is not an edition of a known framework"
        return
    for control_id, times in Counter(control_ids).items():
        if control_id not in known:
            yield where, f"has no control '{control_id}'"
        if times > 1:
            yield where, f"names '{control_id}' more than once"


def _correspondence_problems(correspondence: Mapping[str, Any], editions: Mapping[str, Collection[str]]) -> Found:
    origin, target = correspondence["from"], correspondence["to"]
    where = f"crosswalk/correspondences/{origin}/{target}"
    if origin not in editions or target not in editions:
        yield where, "is not between two known editions"
        return
    yield from _control_problems(where, [*correspondence["controls"], *correspondence["without"]], editions[origin])
    for control_ids in correspondence["controls"].values():
        yield from _control_problems(where, control_ids, editions[target])
    for control_id in editions[origin]:
        if control_id not in correspondence["controls"] and control_id not in correspondence["without"]:
            yield where, f"says nothing about '{control_id}'"


def _categories(taxonomy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for domain in taxonomy["domains"]:
        yield from domain["categories"]
