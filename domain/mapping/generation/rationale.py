"""Why a label was mapped as it was and which controls that touches, in words of the catalogue alone."""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.contracts.catalogue import CatalogueView, FrameworkEdition
from llama_mapper.domain.contracts.mapping import MappingStage

_HOW = {
    MappingStage.CATALOGUE_EXACT: "The vendor's vocabulary lists the label as",
    MappingStage.CATALOGUE_NORMALISED: "The vendor's vocabulary lists the label, spelled otherwise, as",
    MappingStage.DECLARED: "The detector's registration declares the label to be",
    MappingStage.OVERLAY: "The tenant's own vocabulary or a reviewer maps the label to",
    MappingStage.LEXICAL: "By its words the label is nearest to",
    MappingStage.EMBEDDING: "By its meaning the label is nearest to",
    MappingStage.MODEL: "A language model, bound to the taxonomy, chose for the label",
}
_UNSURE = frozenset({MappingStage.LEXICAL, MappingStage.EMBEDDING, MappingStage.MODEL})
_SHOWN = 3
_LIMIT = 4_096


def rationale(
    catalogue: CatalogueView,
    stage: MappingStage,
    canonical: str | None,
    confidence: float,
    editions: Sequence[FrameworkEdition] = (),
) -> str:
    """A few sentences, at most 4,096 characters. Nothing of the label itself is in them.

    Of each edition up to three controls are named, with why the catalogue links them. Raises KeyError for a canonical
    label that the catalogue does not have.
    """
    if canonical is None or stage is MappingStage.ABSTAINED:
        return "No stage was sure enough of the label's meaning: it waits for a person in the review queue."
    said = [f"{_HOW[stage]} {canonical} ({catalogue.name(canonical)})."]
    if stage in _UNSURE:
        said.append(f"The calibrated confidence is {confidence:.0%}.")
    for edition in editions:
        if links := catalogue.controls(canonical, edition):
            named = ", ".join(link.control_id for link in links[:_SHOWN])
            more = f" and {len(links) - _SHOWN} more" if len(links) > _SHOWN else ""
            why = f": {links[0].rationale.rstrip('.')}" if links[0].rationale else ""
            said.append(f"It is evidence relevant to {edition.title} {named}{more}{why}.")
    while sum(map(len, said)) + len(said) > _LIMIT:
        said.pop()
    return " ".join(said)
