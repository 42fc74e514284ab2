"""Controls of an edition, grouped and in order as its readers expect them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from llama_mapper.domain.contracts.catalogue import CatalogueView, FrameworkEdition, FrameworkKind
from llama_mapper.domain.contracts.mapping import FrameworkMapping
from llama_mapper.domain.contracts.reports import ControlGroup, FrameworkView, ReportControl
from llama_mapper.domain.mapping.reports.readers import FrameworkAdapter, Part, adapter_of

_NUMBERS = re.compile("([0-9]+)")
_NO_PART = Part("")


def view_of_labels(catalogue: CatalogueView, edition: FrameworkEdition, labels: Sequence[str]) -> FrameworkView:
    """What the canonical labels touch, by this catalogue."""
    touched: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for canonical in labels:
        for link in catalogue.controls(canonical, edition):
            touched.setdefault(link.control_id, []).append(canonical)
            titles.setdefault(link.control_id, link.title)
    return _view(catalogue, edition, touched, titles)


def view_of_mapping(
    catalogue: CatalogueView, edition: FrameworkEdition | None, mapping: FrameworkMapping
) -> FrameworkView:
    """What an answer says that its labels touch: its controls, whatever the present catalogue would say.

    `edition` is None where nobody knows the edition any more; then the answer's own words are all there is.
    """
    edition = edition or FrameworkEdition(
        framework=mapping.framework,
        edition=mapping.edition,
        title=mapping.title,
        kind=FrameworkKind.CONTROL,
        applies_when="",
        basis="",
    )
    touched = {control.control_id: control.canonical_labels for control in mapping.controls}
    titles = {control.control_id: control.title for control in mapping.controls}
    return _view(catalogue, edition, touched, titles)


def _view(
    catalogue: CatalogueView,
    edition: FrameworkEdition,
    touched: Mapping[str, Sequence[str]],
    titles: Mapping[str, str],
) -> FrameworkView:
    adapter = adapter_of(edition.ref)
    groups: dict[str, list[ReportControl]] = {}
    for control_id in sorted(touched, key=in_order):
        labels = touched[control_id]
        links = [
            link for label in labels for link in catalogue.controls(label, edition) if link.control_id == control_id
        ]
        groups.setdefault(adapter.part_of(control_id) or "", []).append(
            ReportControl(
                id=control_id,
                title=titles[control_id],
                condition=links[0].condition if links else "",
                evidence=catalogue.evidence_requirement(control_id, edition),
                canonical_labels=tuple(labels),
                reasons=tuple(dict.fromkeys(link.rationale for link in links if link.rationale)),
            )
        )
    return FrameworkView(
        ref=edition.ref,
        framework=edition.framework,
        edition=edition.edition,
        title=edition.title,
        kind=edition.kind.value,
        applies_when=edition.applies_when,
        group_name=adapter.group_name,
        control_name=adapter.control_name,
        groups=tuple(_groups(adapter, groups)),
        controls=len(touched),
    )


def _groups(adapter: FrameworkAdapter, groups: Mapping[str, Sequence[ReportControl]]) -> list[ControlGroup]:
    told = []
    for part_id in (*adapter.parts, ""):
        if part_id in groups:
            part = adapter.parts.get(part_id, _NO_PART)
            told.append(
                ControlGroup(id=part_id, title=part.title, part=part.belongs_to, controls=tuple(groups[part_id]))
            )
    return told


def in_order(control_id: str) -> list[tuple[int, int, str]]:
    """A key that puts controls in order of their ids, numbers within an id by size: `Article.5` before `Article.32`."""
    return [(int(part.isdigit()), int(part) if part.isdigit() else 0, part) for part in _NUMBERS.split(control_id)]
