"""Frameworks and the crosswalk as look-up tables: edition and canonical label, then control links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.contracts.catalogue import ControlLink, FrameworkEdition, FrameworkKind, category_of


@dataclass(frozen=True, slots=True)
class Framework:
    """The editions of one framework by edition name, the default first."""

    editions: Mapping[str, FrameworkEdition]


def frameworks_of(document: Mapping[str, Any]) -> dict[str, Framework]:
    """Every framework of a valid framework document."""
    result: dict[str, Framework] = {}
    for framework, entry in document["frameworks"].items():
        ordered = sorted(entry["editions"].items(), key=lambda item: not item[1].get("default", False))
        result[framework] = Framework(
            {
                edition: FrameworkEdition(
                    framework=framework,
                    edition=edition,
                    title=listed["title"],
                    kind=FrameworkKind(entry["kind"]),
                    applies_when=entry["applies_when"],
                    basis=listed["basis"],
                )
                for edition, listed in ordered
            }
        )
    return result


def references_of(document: Mapping[str, Any], frameworks: Mapping[str, Framework]) -> dict[str, FrameworkEdition]:
    """Everything that a request may write for an edition: `framework`, `framework:edition` and aliases."""
    references: dict[str, FrameworkEdition] = {}
    for framework, entry in document["frameworks"].items():
        editions = frameworks[framework].editions
        references[framework] = next(iter(editions.values()))
        for edition, listed in entry["editions"].items():
            for reference in (f"{framework}:{edition}", *listed.get("aliases", ())):
                references[reference] = editions[edition]
    return references


def control_links(
    frameworks: Mapping[str, Any], crosswalk: Mapping[str, Any], canonical_labels: Mapping[str, Any]
) -> dict[tuple[str, str], dict[str, tuple[ControlLink, ...]]]:
    """(framework, edition) → canonical label → its links, in the edition's own order of controls.

    Every canonical label is answered: level 3 by its own entry or else by its category's. An edition that has a
    correspondence is answered through the other edition's links, each control once.
    """
    editions = {
        (framework, edition): listed["controls"]
        for framework, entry in frameworks["frameworks"].items()
        for edition, listed in entry["editions"].items()
    }
    entries: Mapping[str, Mapping[str, Any]] = crosswalk["crosswalk"]
    translations: dict[tuple[str, str], list[tuple[str, Mapping[str, list[str]]]]] = {}
    for correspondence in crosswalk.get("correspondences", ()):
        framework, _, edition = correspondence["to"].partition(":")
        translations.setdefault((framework, edition), []).append((correspondence["from"], correspondence["controls"]))

    result: dict[tuple[str, str], dict[str, tuple[ControlLink, ...]]] = {}
    for key, controls in editions.items():
        order = {control_id: position for position, control_id in enumerate(controls)}
        links: dict[str, tuple[ControlLink, ...]] = {}
        for canonical in canonical_labels:
            entry = entries.get(canonical) or entries.get(category_of(canonical))
            if entry is None:
                continue
            ids = set(entry["controls"].get(":".join(key), ()))
            for origin, translation in translations.get(key, ()):
                for control_id in entry["controls"].get(origin, ()):
                    ids.update(translation.get(control_id, ()))
            if ids:
                links[canonical] = tuple(
                    ControlLink(i, controls[i]["title"], entry["rationale"], controls[i].get("condition", ""))
                    for i in sorted(ids, key=order.__getitem__)
                )
        result[key] = links
    return result
