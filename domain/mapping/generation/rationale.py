"""Why a label was mapped as it was and which controls that touches, in words of the catalogue alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llama_mapper.domain.contracts.catalogue import CatalogueView, FrameworkEdition
from llama_mapper.domain.contracts.mapping import MappingStage

_HOW = {
    MappingStage.CATALOGUE_EXACT: "The vendor's vocabulary lists the label as",
    MappingStage.CATALOGUE_NORMALISED: "The vendor's vocabulary lists the label, spelled otherwise, as",
    MappingStage.DECLARED: "The detector's registration declares the label to be",
    MappingStage.OVERLAY: "The tenant's own vocabulary or a reviewer maps the label to",
    MappingStage.LEXICAL: "By its words the label is nearest to labels known as",
    MappingStage.EMBEDDING: "By its meaning the label is nearest to labels known as",
    MappingStage.MODEL: "A language model, bound to the taxonomy, chose for the label",
}
_UNSURE = frozenset({MappingStage.LEXICAL, MappingStage.EMBEDDING, MappingStage.MODEL})
_SHOWN = 3
_LIMIT = 4_096


@dataclass(frozen=True, slots=True)
class RationaleFacts:
    """What is known of one answer. There is no place for the label: what is made of these cannot quote it.

    `canonical` is None for an abstention; `nearest` is then the likeliest suggestion and its confidence. `threshold`
    is what a confidence had to reach, where one was set. `silent` are the stages that could not try.
    """

    stage: MappingStage
    canonical: str | None
    confidence: float
    threshold: float | None = None
    nearest: tuple[str, float] | None = None
    instead_of: str | None = None
    silent: tuple[MappingStage, ...] = ()


def rationale(catalogue: CatalogueView, facts: RationaleFacts, editions: Sequence[FrameworkEdition] = ()) -> str:
    """A few sentences, at most 4,096 characters. Nothing of the label itself is in them.

    Of each edition up to three controls are named, with why the catalogue links them. Raises KeyError for a canonical
    label that the catalogue does not have.
    """
    said = _abstained(catalogue, facts) if facts.canonical is None else _mapped(catalogue, facts.canonical, facts)
    if facts.silent:
        said.append(f"Could not be asked: {', '.join(stage.value for stage in facts.silent)}.")
    if facts.canonical is not None:
        said += [text for edition in editions if (text := _controls(catalogue, facts.canonical, edition))]
    while sum(map(len, said)) + len(said) > _LIMIT:
        said.pop()
    return " ".join(said)


def _mapped(catalogue: CatalogueView, canonical: str, facts: RationaleFacts) -> list[str]:
    said = [f"{_HOW[facts.stage]} {canonical} ({catalogue.name(canonical)})."]
    kind = "calibrated confidence" if facts.stage in _UNSURE else "confidence, by how the list is known,"
    needed = "" if facts.threshold is None else f"; {_percent(facts.threshold)} was needed"
    said.append(f"The {kind} is {_percent(facts.confidence)}{needed}.")
    if facts.instead_of is not None:
        said.append(f"The shipped catalogue says {facts.instead_of} ({catalogue.name(facts.instead_of)}).")
    return said


def _abstained(catalogue: CatalogueView, facts: RationaleFacts) -> list[str]:
    said = ["No stage was sure enough of the label's meaning: it waits for a person in the review queue."]
    if facts.nearest is not None:
        canonical, confidence = facts.nearest
        needed = "" if facts.threshold is None else f" where {_percent(facts.threshold)} was needed"
        said.append(f"Nearest was {canonical} ({catalogue.name(canonical)}), at {_percent(confidence)}{needed}.")
    return said


def _controls(catalogue: CatalogueView, canonical: str, edition: FrameworkEdition) -> str:
    links = catalogue.controls(canonical, edition)
    if not links:
        return ""
    named = ", ".join(link.control_id for link in links[:_SHOWN])
    more = f" and {len(links) - _SHOWN} more" if len(links) > _SHOWN else ""
    why = f": {links[0].rationale.rstrip('.')}" if links[0].rationale else ""
    return f"It is evidence relevant to {edition.title} {named}{more}{why}."


def _percent(share: float) -> str:
    """Cut off, not rounded: what is below a threshold never reads as if it reached it."""
    return f"{int(share * 1000 + 1e-6) / 10:g}%"
