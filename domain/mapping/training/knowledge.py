"""What a data set is made from: the taxonomy, the vocabularies and the crosswalk as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
from llama_mapper.domain.mapping.catalogue.vocabulary import known_labels
from llama_mapper.domain.mapping.labels import KnownLabel
from llama_mapper.domain.mapping.training.spec import digest_of


@dataclass(frozen=True, slots=True)
class VendorOrigin:
    """Where a vendor's labels are from: the source as the vocabulary names it, and how the list is known."""

    source: str
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Everything known about labels. `meanings` is canonical id → what it means, as serving shows it to the model.

    `titles` are (framework, title, canonical) of risks and techniques that exactly one canonical label is linked to.
    `digests` and `versions` name the documents.
    """

    meanings: Mapping[str, str]
    labels: tuple[KnownLabel, ...]
    origins: Mapping[str, VendorOrigin]
    titles: tuple[tuple[str, str, str], ...]
    versions: Mapping[str, str]
    digests: Mapping[str, str]
    reviewed: tuple[KnownLabel, ...] = field(default=())


def knowledge_of(raw: RawCatalogue, reviewed: tuple[KnownLabel, ...] = ()) -> Knowledge:
    """The knowledge in a valid catalogue and in labels that reviewers decided."""
    documents = {
        "taxonomy": raw.taxonomy,
        "vocabularies": raw.vocabularies,
        "frameworks": raw.frameworks,
        "crosswalk": raw.crosswalk,
    }
    return Knowledge(
        meanings=meanings_of(raw.taxonomy),
        labels=known_labels(raw.vocabularies),
        origins={
            vendor: VendorOrigin(entry["source"], entry["basis"])
            for vendor, entry in raw.vocabularies["vendors"].items()
        },
        titles=_titles(raw),
        versions={name: str(document["version"]) for name, document in documents.items()},
        digests={name: digest_of(document) for name, document in documents.items()},
        reviewed=reviewed,
    )


def meanings_of(taxonomy: Mapping[str, object]) -> dict[str, str]:
    """Canonical id → its meaning in words: a category's name and definition, a subcategory's name."""
    found: dict[str, str] = {}
    domains: list[dict[str, list[dict[str, object]]]] = taxonomy["domains"]  # type: ignore[assignment]  # a valid document
    for domain in domains:
        for category in domain["categories"]:
            found[str(category["id"])] = f"{category['name']}: {category['definition']}"
            subcategories: Mapping[str, str] = category["subcategories"]  # type: ignore[assignment]  # a valid document
            found |= subcategories
    return found


def _titles(raw: RawCatalogue) -> tuple[tuple[str, str, str], ...]:
    linked: dict[tuple[str, str], set[str]] = {}
    for canonical, entry in raw.crosswalk["crosswalk"].items():
        for ref, controls in entry["controls"].items():
            for control in controls:
                linked.setdefault((ref, control), set()).add(canonical)
    found = []
    for framework, entry in raw.frameworks["frameworks"].items():
        if entry["kind"] == "control":
            continue
        for edition, listed in entry["editions"].items():
            for control, told in listed["controls"].items():
                for ref in (framework, f"{framework}:{edition}"):
                    canonicals = linked.get((ref, control), set())
                    if len(canonicals) == 1:
                        found.append((framework, str(told["title"]), next(iter(canonicals))))
    return tuple(sorted(set(found)))
