"""The detectors in service, which may change while requests run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType

from llama_mapper.domain.contracts.catalogue import CatalogueView, category_of
from llama_mapper.domain.contracts.orchestration import DetectorInfo
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.ports import Detector


class DetectorRoster:
    """Detectors by name. A change replaces the whole mapping: who holds the old one sees no half of it.

    `generation` grows with every change, so that what was remembered about the detectors is known to be stale.
    """

    def __init__(self, catalogue: CatalogueView, detectors: Mapping[str, Detector]) -> None:
        self._catalogue = catalogue
        self._generation = 0
        self._fingerprint = ""
        self._detectors: Mapping[str, Detector] = MappingProxyType({})
        self.replace(detectors)

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """Name → detector, by name."""
        return self._detectors

    @property
    def generation(self) -> int:
        """How often the detectors were changed."""
        return self._generation

    @property
    def fingerprint(self) -> str:
        """Equal in every process that has the same detectors in service."""
        return self._fingerprint

    def replace(self, detectors: Mapping[str, Detector]) -> None:
        """From now on these and no others; those that are being asked finish.

        Raises `CONFIGURATION_INVALID`, and changes nothing, for a detector whose declaration is malformed or whose
        category or vocabulary the catalogue lacks.
        """
        for name, detector in detectors.items():
            check_declaration(name, detector, self._catalogue)
        self._detectors = MappingProxyType(dict(sorted(detectors.items())))
        self._generation += 1
        said = json.dumps([_identity(detector) for detector in self._detectors.values()])
        self._fingerprint = hashlib.sha256(said.encode()).hexdigest()


def _identity(detector: Detector) -> list[object]:
    one = detector.descriptor
    vocabulary = sorted(one.vocabulary.items())
    return [one.name, one.vendor, one.vendor_version, one.revision, one.categories, one.languages, vocabulary]


def readiness_of(detector: Detector) -> str | None:
    """None if the detector can be asked, else why not in at most 512 characters; telling that never raises."""
    try:
        why = detector.readiness
    except Exception as error:
        return f"its readiness cannot be told ({type(error).__name__})"[:512]
    return None if why is None else why[:512]


def info_of(detector: Detector) -> DetectorInfo:
    """What the detector declares, and whether it can be asked now."""
    descriptor, why = detector.descriptor, readiness_of(detector)
    return DetectorInfo(
        name=descriptor.name,
        vendor=descriptor.vendor,
        vendor_version=descriptor.vendor_version,
        categories=descriptor.categories,
        labels=descriptor.labels,
        languages=descriptor.languages,
        cost_ms_per_kchar=descriptor.cost_ms_per_kchar,
        granularity=descriptor.granularity,
        remote=descriptor.remote,
        ready=why is None,
        reason=why or "",
    )


def check_declaration(name: str, detector: Detector, catalogue: CatalogueView) -> None:
    """Raise `CONFIGURATION_INVALID` for a detector that declares itself wrongly."""
    descriptor = detector.descriptor
    if descriptor.name != name:
        raise ConfigurationError(f"the detector registered as '{name}' calls itself '{descriptor.name}'")
    try:
        info_of(detector)
    except ValueError as error:
        raise ConfigurationError(f"the detector '{name}' declares itself wrongly: {error}") from error
    if unknown := [each for each in descriptor.categories if each not in catalogue.categories]:
        raise ConfigurationError(f"the detector '{name}' judges unknown categories: {', '.join(unknown)}")
    for label, canonical in descriptor.vocabulary.items():
        if "." not in canonical or category_of(canonical) not in catalogue.categories:
            raise ConfigurationError(f"the detector '{name}' maps '{label[:64]}' to the unknown '{canonical[:128]}'")
