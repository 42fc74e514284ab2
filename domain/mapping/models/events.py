"""What is recorded of a model: one event a step, never changed. All else about its life follows from these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from llama_mapper.domain.contracts.models import ModelDoor, ModelManifest, ModelStage, ModelStep


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a model. `number` counts up from 1 within the owner's model.

    `stage` is the version's from then on; None where it has none (`discarded`). `deprecated_on` belongs to
    deprecations.
    """

    number: int
    step: ModelStep
    version: str
    stage: ModelStage | None
    who: str
    door: ModelDoor
    keyless: bool
    at: datetime
    note: str = ""
    deprecated_on: datetime | None = None

    def __post_init__(self) -> None:
        if (self.stage is None) is not (self.step is ModelStep.DISCARDED):
            raise ValueError("every step but a discard leaves the version in a stage")
        if (self.deprecated_on is None) is (self.step is ModelStep.DEPRECATED):
            raise ValueError("a deprecation, and nothing else, has a date")


Log = tuple[Event, ...]
"""Every event of an owner's model, by number."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version's manifest as it was signed: `digest` is of its canonical form, `envelope` the DSSE envelope."""

    manifest: ModelManifest
    digest: str
    envelope: bytes


@dataclass(frozen=True, slots=True)
class StoredModel:
    """All that is kept of one name of an owner."""

    owner: str
    name: str
    log: Log
    versions: tuple[StoredVersion, ...]
    """Those that this version of the software can read, in the order of their registration."""

    def version(self, version: str) -> StoredVersion | None:
        """One of them."""
        return next((each for each in self.versions if each.manifest.version == version), None)
