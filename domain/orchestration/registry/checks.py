"""What can be said of a definition without asking the detector."""

from __future__ import annotations

from llama_mapper.domain.contracts.detectors import DetectorDefinition
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.orchestration.registry.ports import DetectorCatalogue

SECRET_PREFIX = "DETECTOR_"  # noqa: S105 - of a variable's name, not a secret
"""How the environment variable must begin that a registered definition names.

Whoever may register detectors over the network shall not be able to have any variable of the process, such as the
database's URL, sent to an address of their choice.
"""

_SHOWN = 8


def check_definition(definition: DetectorDefinition, catalogue: DetectorCatalogue) -> tuple[str, ...]:
    """Warnings about a definition; raise `DETECTOR_INVALID` if it contradicts the catalogue."""
    if unknown := [each for each in definition.categories if each not in catalogue.categories]:
        raise _invalid(f"the taxonomy has no risk category {_listed(unknown)}")
    if unknown := sorted({each for each in definition.vocabulary.values() if not _is_canonical(each, catalogue)}):
        raise _invalid(f"the taxonomy has no label {_listed(unknown)}, which the vocabulary maps to")
    warnings = []
    if not definition.vocabulary and not catalogue.has_vocabulary(definition.vendor, definition.vendor_version):
        warnings.append(
            f"the catalogue lists no labels of {definition.vendor} {definition.vendor_version} and the definition has "
            "no vocabulary: labels that no other version lists go to the review queue"
        )
    if not definition.categories:
        warnings.append("without categories its silence speaks for nothing, and policies do not choose it by category")
    if definition.url.startswith("http://") and definition.credential is not None:
        warnings.append("its credential is sent over plain HTTP")
    return tuple(warnings)


def check_secret(definition: DetectorDefinition) -> None:
    """Raise `DETECTOR_INVALID` unless the variable that the definition names may be sent to its detector."""
    credential = definition.credential
    if credential is not None and not credential.env.startswith(SECRET_PREFIX):
        raise _invalid(f"a registered detector's credential is in an environment variable named {SECRET_PREFIX}…")


def _is_canonical(canonical: str, catalogue: DetectorCatalogue) -> bool:
    try:
        catalogue.severity(canonical)
    except KeyError:
        return False
    return True


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _invalid(message: str) -> ValidationError:
    return ValidationError(message, ErrorCode.DETECTOR_INVALID)
