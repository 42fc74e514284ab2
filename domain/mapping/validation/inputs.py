"""What requests may get wrong although their shape is right."""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelQuery
from llama_mapper.domain.contracts.validation import FaultCode
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.mapping.validation.faults import Faults, below, error, warning


def framework_faults(place: str, refs: Sequence[str], catalogue: CatalogueView) -> Faults:
    """Frameworks and editions that nobody knows."""
    for at, ref in enumerate(refs):
        try:
            catalogue.resolve_frameworks((ref,))
        except ServiceError as fault:
            known = fault.error_code is ErrorCode.EDITION_NOT_FOUND
            code = FaultCode.EDITION_NOT_FOUND if known else FaultCode.FRAMEWORK_NOT_FOUND
            yield error(below(place, at), code, "no such edition" if known else "no such framework")


def label_faults(place: str, labels: Sequence[LabelQuery], catalogue: CatalogueView) -> Faults:
    """Labels that no vocabulary knows, and labels that stand twice."""
    seen: dict[tuple[str, str | None, str], int] = {}
    for at, query in enumerate(labels):
        key = (query.vendor, query.vendor_version, query.label)
        if (first := seen.setdefault(key, at)) != at:
            message = f"the same as the label at {first}"
            yield warning(below(place, at), FaultCode.LABEL_REPEATED, message)
        elif catalogue.match(*key) is None:
            yield warning(below(place, at), FaultCode.LABEL_UNKNOWN, "no vocabulary knows the label")


def label_request_faults(request: LabelMappingRequest, catalogue: CatalogueView) -> Faults:
    """Everything about a request to map labels."""
    yield from framework_faults("frameworks", request.frameworks, catalogue)
    yield from label_faults("labels", request.labels, catalogue)
