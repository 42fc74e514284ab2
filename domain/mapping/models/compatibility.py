"""Which versions of the catalogue a model may be used with."""

from __future__ import annotations

from llama_mapper.domain.contracts.catalogue import CatalogueVersions
from llama_mapper.domain.contracts.models import ModelCompatibility, ModelManifest
from llama_mapper.domain.kernel.errors import ErrorCode, ModelRegistryError
from llama_mapper.domain.mapping.models.versions import range_problem, satisfies

PARTS = ("taxonomy", "vocabulary", "crosswalk")


def range_problems(compatible: ModelCompatibility) -> list[str]:
    """What is wrong with the ranges themselves."""
    found = ((part, range_problem(getattr(compatible, part))) for part in PARTS)
    return [f"compatible.{part}: {problem}" for part, problem in found if problem is not None]


def differences(compatible: ModelCompatibility, versions: CatalogueVersions) -> tuple[str, ...]:
    """What of the catalogue is out of the model's ranges; none means that the two fit."""
    return tuple(
        f"it needs {part} {needed}, which is {there} here"
        for part in PARTS
        if not satisfies(there := getattr(versions, part), needed := getattr(compatible, part))
    )


def require_fit(manifest: ModelManifest, versions: CatalogueVersions) -> None:
    """Raise `MODEL_INCOMPATIBLE`, naming all that differs, unless the model fits the catalogue."""
    if found := differences(manifest.compatible, versions):
        raise ModelRegistryError(
            f"the model {manifest.name} {manifest.version} does not fit: {'; '.join(found)}",
            ErrorCode.MODEL_INCOMPATIBLE,
        )
