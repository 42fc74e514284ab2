"""What the life of policy bundles needs from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from llama_mapper.domain.orchestration.lifecycle.events import Event, Log
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, PolicyBundle
from llama_mapper.domain.orchestration.validation.report import ValidationReport


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version without its content."""

    version: str
    digest: str
    description: str


@dataclass(frozen=True, slots=True)
class Activations:
    """The activations, deactivations and roll backs of one bundle, by number: the tenant's and everyone's."""

    own: Log
    everyone: Log


class PolicyStandings(Protocol):
    """What is in force, to be read for every tenant again and again. `EVERYONE` may be named as the owner."""

    async def mark(self, tenant_id: str, bundle: str) -> tuple[int, int]:
        """The numbers of the newest events of the tenant's bundle and of everyone's, 0 where there is none.

        Nothing has happened to either while they stay the same.
        """
        ...

    async def activations(self, tenant_id: str, bundle: str) -> Activations:
        """Both logs' activation events, as of one moment."""
        ...

    async def get(self, owner: str, bundle: str, version: str) -> PolicyBundle | None:
        """The content of a version of the owner's bundle, or None."""
        ...

    async def names(self, owner: str) -> Sequence[str]:
        """Every bundle of the owner, sorted."""
        ...


class PolicyRecords(PolicyStandings, Protocol):
    """Where bundles and their logs are kept. Nothing in it is ever changed or deleted."""

    async def log(self, owner: str, bundle: str) -> Log:
        """Every event of the owner's bundle, by number."""
        ...

    async def append(self, owner: str, bundle: str, event: Event, content: PolicyBundle | None = None) -> bool:
        """Add an event and, for a draft, the version's content: both or neither.

        False if an event of this number is there already: somebody else was quicker. Raises `CONFLICT` if the owner
        has this version already, `POLICY_INVALID` if its data is not JSON.
        """
        ...

    async def versions(self, owner: str, bundle: str) -> Sequence[StoredVersion]:
        """Every version of the owner's bundle, oldest first."""
        ...


class BundleValidator(Protocol):
    """Examines a bundle before anybody is asked to approve it."""

    async def validate(self, bundle: PolicyBundle, tenant_id: str) -> ValidationReport:
        """Everything that is wrong with the bundle for this tenant; it raises nothing that the bundle causes."""
        ...


DetectorsInService = Callable[[], Awaitable[Sequence[DetectorDescriptor]]]
"""Gives the detectors that plans may choose now, to compare decisions with."""
