"""Uploaded framework editions: the rules, and their look-up tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llama_mapper.domain.contracts.catalogue import ControlLink, FrameworkEdition, FrameworkKind
from llama_mapper.domain.mapping.catalogue.crosswalk import control_links
from llama_mapper.domain.mapping.catalogue.shape import Found
from llama_mapper.domain.mapping.taxonomies.present import CurrentId


@dataclass(frozen=True, slots=True)
class UploadedEdition:
    """An edition as the tenant uploaded it."""

    framework: str
    edition: str
    entry: Mapping[str, Any]
    taxonomy_version: str

    @property
    def ref(self) -> str:
        """`framework:edition`."""
        return f"{self.framework}:{self.edition}"


@dataclass(frozen=True, slots=True)
class OwnEditions:
    """A tenant's editions as look-up tables."""

    editions: tuple[FrameworkEdition, ...] = ()
    references: Mapping[str, FrameworkEdition] = field(default_factory=dict)
    """What a request may write → edition: `framework`, `framework:edition`."""
    links: Mapping[tuple[str, str], Mapping[str, tuple[ControlLink, ...]]] = field(default_factory=dict)
    evidence: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)


def edition_problems(uploaded: UploadedEdition, canonical: Collection[str], shipped: Collection[str]) -> Found:
    """What is wrong with an edition of the right shape. `shipped` is all that means a shipped edition."""
    where = f"frameworks/{uploaded.ref}"
    for name in (uploaded.framework, uploaded.ref):
        if name in shipped:
            yield where, f"'{name}' is the name of a shipped framework"
            break
    controls = uploaded.entry["controls"]
    for label, entry in uploaded.entry.get("crosswalk", {}).items():
        if label not in canonical:
            yield f"{where}/crosswalk/{label}", "is not in the taxonomy"
        seen: set[str] = set()
        for control_id in entry["controls"]:
            if control_id not in controls:
                yield f"{where}/crosswalk/{label}", f"has no control '{control_id}'"
            if control_id in seen:
                yield f"{where}/crosswalk/{label}", f"names '{control_id}' more than once"
            seen.add(control_id)
    linked = {control for entry in uploaded.entry.get("crosswalk", {}).values() for control in entry["controls"]}
    if not linked:
        yield where, "links no canonical label to a control, so that nothing would ever touch it"


def own_editions(uploads: Sequence[UploadedEdition], labels: Mapping[str, str], current_id: CurrentId) -> OwnEditions:
    """The tables of valid editions. A framework's name alone means its latest edition marked default, else its first.

    A link from an id that nothing stands for any more is left out.
    """
    editions: dict[str, FrameworkEdition] = {}
    references: dict[str, FrameworkEdition] = {}
    links: dict[tuple[str, str], Mapping[str, tuple[ControlLink, ...]]] = {}
    evidence: dict[tuple[str, str], Mapping[str, str]] = {}
    for uploaded in uploads:
        entry, key = uploaded.entry, (uploaded.framework, uploaded.edition)
        edition = FrameworkEdition(
            framework=uploaded.framework,
            edition=uploaded.edition,
            title=entry["title"],
            kind=FrameworkKind(entry["kind"]),
            applies_when=entry["applies_when"],
            basis=entry["basis"],
        )
        editions[uploaded.ref] = references[uploaded.ref] = edition
        if entry.get("default", False) or uploaded.framework not in references:
            references[uploaded.framework] = edition
        frameworks = {"frameworks": {uploaded.framework: {"editions": {uploaded.edition: entry}}}}
        entries = dict(_present_links(uploaded, current_id))
        links[key] = control_links(frameworks, {"crosswalk": entries}, labels)[key]
        evidence[key] = {control_id: control["evidence"] for control_id, control in entry["controls"].items()}
    return OwnEditions(tuple(editions.values()), references, links, evidence)


def _present_links(uploaded: UploadedEdition, current_id: CurrentId) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for label, links in uploaded.entry.get("crosswalk", {}).items():
        now = current_id(label, uploaded.taxonomy_version)
        if now is not None:
            yield now, {"rationale": links["rationale"], "controls": {uploaded.ref: links["controls"]}}
