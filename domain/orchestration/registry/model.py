"""A registered detector's revisions, and definitions on offer from any source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from llama_mapper.domain.contracts.detectors import (
    DetectorChange,
    DetectorDefinition,
    DetectorSource,
    ProbeOutcome,
)

PRECEDENCE = (
    DetectorSource.EMBEDDED,
    DetectorSource.SHIPPED,
    DetectorSource.PLUGIN,
    DetectorSource.FILE,
    DetectorSource.REGISTRY,
    DetectorSource.DNS,
)
"""Whose detector has a name that several sources claim, the first of these.

What the application or the machine's administrator put there comes before what was registered over the network.
"""


@dataclass(frozen=True, slots=True)
class Revision:
    """One change of a registered detector. `revision` counts from 1 for each name, through deletions."""

    definition: DetectorDefinition
    revision: int
    change: DetectorChange
    digest: str
    probe: ProbeOutcome
    at: datetime
    by: str

    @property
    def name(self) -> str:
        """The detector's name."""
        return self.definition.name

    @property
    def is_deletion(self) -> bool:
        """Whether there is no such detector from here on."""
        return self.change is DetectorChange.DELETED


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest revision of every name, deletions included, by name.

    `unreadable` are names whose newest revision another version of this software wrote, in a way unknown here.
    """

    revisions: tuple[Revision, ...]
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A definition that a source wants in service. `revision` grows with every change that the source sees."""

    source: DetectorSource
    definition: DetectorDefinition
    revision: int
    digest: str
    at: datetime
    by: str

    @property
    def name(self) -> str:
        """The detector's name."""
        return self.definition.name


def digest_of(definition: DetectorDefinition) -> str:
    """`sha256:` over the definition as JSON with sorted keys, without `enabled`: switching one off changes nothing."""
    plain = definition.model_dump(mode="json", exclude={"enabled"})
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def offers_of(revisions: Iterable[Revision]) -> tuple[Offer, ...]:
    """What the registry wants in service, given the newest revision of every name."""
    return tuple(
        Offer(DetectorSource.REGISTRY, each.definition, each.revision, each.digest, each.at, each.by)
        for each in revisions
        if not each.is_deletion
    )


def settled(
    fixed: Mapping[str, DetectorSource], offers: Iterable[Offer]
) -> tuple[dict[str, Offer], list[tuple[Offer, DetectorSource]]]:
    """Who gets which name, and the offers that do not, each with the source that has the name instead.

    `fixed` are the detectors that no definition made. Between offers `PRECEDENCE` decides; within a source the first.
    """
    chosen: dict[str, Offer] = {}
    shadowed: list[tuple[Offer, DetectorSource]] = []
    for offer in sorted(offers, key=lambda each: PRECEDENCE.index(each.source)):
        holder = fixed.get(offer.name) or (chosen[offer.name].source if offer.name in chosen else None)
        if holder is None:
            chosen[offer.name] = offer
        else:
            shadowed.append((offer, holder))
    return chosen, shadowed
