"""What answers may get wrong although their shape is right: labels, controls, scores that contradict one another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from llama_mapper.domain.contracts.base import VersionInfo
from llama_mapper.domain.contracts.catalogue import CatalogueView, FrameworkEdition
from llama_mapper.domain.contracts.mapping import LabelMappingResponse, MappedLabel, MappingResponse
from llama_mapper.domain.contracts.validation import FaultCode
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.mapping.validation.faults import Faults, below, error, warning

_TOLERANCE = 1e-9


def mapping_faults(place: str, response: MappingResponse, catalogue: CatalogueView) -> Faults:
    """Everything about a mapping response."""
    yield from version_faults(below(place, "version_info"), response.version_info, catalogue)
    yield from canonical_faults(below(place, "taxonomy"), response.taxonomy, catalogue)
    yield from _score_faults(below(place, "scores"), response)
    for at, mapped in enumerate(response.labels):
        yield from label_answer_faults(below(below(place, "labels"), at), mapped, catalogue)
    sure = [mapped.confidence for mapped in response.labels if not mapped.abstained]
    if response.labels and abs(response.confidence - min(sure, default=0.0)) > _TOLERANCE:
        yield error(
            below(place, "confidence"), FaultCode.CONFIDENCE_MISMATCH, "is not the least of the labels' confidences"
        )
    for ref, mapping in response.framework_mappings.items():
        controls_at = below(below(place, "framework_mappings"), ref)
        edition = _edition(ref, catalogue)
        if edition is None:
            yield error(controls_at, FaultCode.EDITION_NOT_FOUND, "no such framework edition")
            continue
        for at, control in enumerate(mapping.controls):
            where = below(below(controls_at, "controls"), at)
            yield from canonical_faults(below(where, "canonical_labels"), control.canonical_labels, catalogue)
            yield from _control_faults(where, (control.control_id,), control.canonical_labels, edition, catalogue)


def label_response_faults(response: LabelMappingResponse, catalogue: CatalogueView) -> Faults:
    """Everything about an answer for bare labels."""
    yield from version_faults("version_info", response.version_info, catalogue)
    for at, mapped in enumerate(response.mappings):
        yield from label_answer_faults(f"mappings.{at}", mapped, catalogue)


def label_answer_faults(place: str, mapped: MappedLabel, catalogue: CatalogueView) -> Faults:
    """Everything about the answer for one label."""
    if mapped.abstained != (mapped.canonical is None):
        yield error(below(place, "abstained"), FaultCode.ABSTENTION, "abstains with a label, or has none without")
    named = () if mapped.canonical is None else (mapped.canonical,)
    yield from canonical_faults(below(place, "canonical"), named, catalogue)
    yield from canonical_faults(below(place, "also"), mapped.also, catalogue)
    yield from _label_control_faults(below(place, "controls"), mapped.controls, named, catalogue)


def canonical_faults(place: str, labels: Iterable[str], catalogue: CatalogueView) -> Faults:
    """Ids that the taxonomy does not have."""
    for at, label in enumerate(labels):
        if not is_canonical(label, catalogue):
            yield error(below(place, at), FaultCode.CANONICAL_UNKNOWN, "is not an id of the taxonomy")


def is_canonical(label: str, catalogue: CatalogueView) -> bool:
    """Whether the taxonomy has the id, of level 2 or 3."""
    try:
        catalogue.name(label)
    except KeyError:
        return False
    return True


def version_faults(place: str, versions: VersionInfo, catalogue: CatalogueView) -> Faults:
    """Whether the record was made with the catalogue that it is checked with."""
    present = catalogue.versions
    for name, then, now in (
        ("taxonomy_version", versions.taxonomy_version, present.taxonomy),
        ("vocabulary_version", versions.vocabulary_version, present.vocabulary),
        ("crosswalk_version", versions.crosswalk_version, present.crosswalk),
    ):
        if then is not None and then != now:
            yield warning(below(place, name), FaultCode.VERSION_DIFFERS, f"was checked with {now}")


def _score_faults(place: str, response: MappingResponse) -> Faults:
    if not response.scores:
        return
    if set(response.scores) != set(response.taxonomy):
        yield error(place, FaultCode.SCORE_MISMATCH, "names other labels than the taxonomy")
        return
    scores = [response.scores[label] for label in response.taxonomy]
    if scores != sorted(scores, reverse=True):
        yield error(place, FaultCode.SCORE_MISMATCH, "the taxonomy does not stand strongest first")


def _label_control_faults(
    place: str, controls: Mapping[str, Sequence[str]], labels: Collection[str], catalogue: CatalogueView
) -> Faults:
    for ref, control_ids in controls.items():
        edition = _edition(ref, catalogue)
        if edition is None:
            yield error(below(place, ref), FaultCode.EDITION_NOT_FOUND, "no such framework edition")
        else:
            yield from _control_faults(below(place, ref), control_ids, labels, edition, catalogue)


def _control_faults(
    place: str,
    control_ids: Sequence[str],
    labels: Collection[str],
    edition: FrameworkEdition,
    catalogue: CatalogueView,
) -> Faults:
    linked = {
        link.control_id
        for label in labels
        if is_canonical(label, catalogue)
        for link in catalogue.controls(label, edition)
    }
    for at, control_id in enumerate(control_ids):
        if control_id in linked:
            continue
        if catalogue.evidence_requirement(control_id, edition):
            yield warning(below(place, at), FaultCode.CONTROL_UNLINKED, "none of its labels leads to this control")
        else:
            yield error(below(place, at), FaultCode.CONTROL_UNKNOWN, "the edition has no such control")


def _edition(ref: str, catalogue: CatalogueView) -> FrameworkEdition | None:
    try:
        return catalogue.resolve_frameworks((ref,))[0]
    except ServiceError:
        return None
