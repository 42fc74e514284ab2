"""What is recorded of a bundle: one event a step, never changed. All else about its life follows from these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from llama_mapper.domain.contracts.orchestration import ContentType
from llama_mapper.domain.contracts.policies import Door, Enforcement, PolicyStep, Waiver


@dataclass(frozen=True, slots=True)
class Slot:
    """For what one activation at a time holds, within an owner and a bundle; None means all keys, all content types."""

    key: str | None = None
    content_type: ContentType | None = None
    enforcement: Enforcement = Enforcement.ENFORCE


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a bundle. `number` counts up from 1 within the owner's bundle.

    `slot`, `percent` (1 to 100) and `previous` belong to activations, deactivations and roll backs. Each of these says
    what holds in its slot from then on: `version`, or nothing where that is None. `previous` is the number of the event
    whose outcome a roll back returns to, None where nothing was in force before.
    """

    number: int
    step: PolicyStep
    version: str | None
    who: str
    door: Door
    keyless: bool
    at: datetime
    note: str = ""
    waiver: Waiver | None = None
    slot: Slot | None = None
    percent: int | None = None
    previous: int | None = None

    def __post_init__(self) -> None:
        if (self.slot is None) is not (self.percent is None) or (self.slot is None and self.version is None):
            raise ValueError("an event is about a version, or about a slot and a share of its traffic")


Log = tuple[Event, ...]
"""Every event of an owner's bundle, by number."""
