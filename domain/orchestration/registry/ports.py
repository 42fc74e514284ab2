"""What the registry needs from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.detectors import DetectorDefinition, DetectorHealth
from llama_mapper.domain.orchestration.ports import Detector, ProbedDetector
from llama_mapper.domain.orchestration.registry.model import Newest, Revision

MakeDetector = Callable[[DetectorDefinition], ProbedDetector]
"""Makes the detector of a definition, asking nobody.

Raises `CONFIGURATION_INVALID` for one that this installation cannot run, such as for want of an extra.
"""

ReleaseDetector = Callable[[ProbedDetector], None]
"""Ends what a detector keeps going in the background, once no request can be using it."""

HealthOf = Callable[[Detector], DetectorHealth | None]
"""What is known of a detector's health; None where nobody watches it."""


class DetectorCatalogue(CatalogueView, Protocol):
    """The catalogue, and which vocabularies it lists."""

    def has_vocabulary(self, vendor: str, vendor_version: str) -> bool:
        """Whether exactly this version of the vendor's labels is listed."""
        ...


class RevisionStore(Protocol):
    """Where the revisions of registered detectors are kept: added, never changed, of no tenant."""

    async def count(self) -> int:
        """How many revisions there are. It grows with every change, whoever made it, and is cheap to ask."""
        ...

    async def add(self, revision: Revision) -> None:
        """Keep a revision; raise `CONFLICT` if the name has one with this number, or lacks the one before."""
        ...

    async def newest(self) -> Newest:
        """The newest revision of every name."""
        ...

    async def history(self, name: str) -> Sequence[Revision]:
        """Every revision of a name, oldest first; empty if there was never one."""
        ...
