"""What releases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.contracts.releases import EvaluationSummary, SeriesPoint, ValidationReport, VariantKind
from llama_mapper.domain.mapping.releases.events import Event, Log
from llama_mapper.domain.mapping.releases.tally import Tally


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for the traffic: `live` are the releases that occupy their slots, `settled` the version of a subject
    (see `subject_of`) that the last release left in force. `mark` grows with every step that is in it.
    """

    mark: int
    live: tuple[Log, ...] = ()
    settled: Mapping[str, str] = field(default_factory=dict)


class CountRecords(Protocol):
    """Where what was counted of releases is kept. Raises `STORE_UNAVAILABLE`, or what a link to it raises."""

    async def count(self, writer: str, sequence: int, tallies: Mapping[tuple[str, str], Tally]) -> None:
        """See `ReleaseRecords.count`."""
        ...


class ReleaseRecords(CountRecords, Protocol):
    """Where releases, what was counted of them, and who looks after them are kept. Of no tenant.

    Raises `STORE_UNAVAILABLE`. Every change is whole or not at all.
    """

    async def mark(self) -> int:
        """How many events there are. It grows with every step, whoever took it, and is cheap to ask."""
        ...

    async def standing(self) -> Standing:
        """What holds now, as of one moment."""
        ...

    async def log(self, release_id: str) -> Log:
        """Every event of a release, by number; empty if there is none."""
        ...

    async def page(self, experiments: bool, limit: int) -> Sequence[Log]:
        """The logs of the newest releases, or of the newest experiments, newest first."""
        ...

    async def append(self, event: Event, slot: str) -> bool:
        """Add an event; the first takes `slot`, and one that does not hold frees it.

        False if an event of this number is there already: somebody else was quicker. Of a first event, raises
        `RELEASE_STATE` if the slot is another's, or if another version than the plan's baseline is settled.
        """
        ...

    async def count(self, writer: str, sequence: int, tallies: Mapping[tuple[str, str], Tally]) -> None:
        """Keep what `writer` has counted in all so far of each (release, arm), unless a later `sequence` is kept.

        So a batch that is sent twice, or late, changes nothing.
        """
        ...

    async def tallies(self, release_id: str) -> Mapping[str, Tally]:
        """Arm → what all writers have counted."""
        ...

    async def add_point(self, release_id: str, number: int, point: SeriesPoint) -> None:
        """Keep the effects of a moment; a number that is there already stays as it is."""
        ...

    async def points(self, release_id: str) -> Sequence[SeriesPoint]:
        """The points by number."""
        ...

    async def last_point(self, release_id: str) -> tuple[int, int]:
        """The number and the requests of the newest point; zeros where there is none."""
        ...

    async def lead(self, owner: str, now: datetime, until: datetime) -> bool:
        """Whether `owner` looks after releases until `until`: nobody else does at `now`, or it does already."""
        ...


class ValidationSuite(Protocol):
    """Tries a version before it gets traffic."""

    async def run(self, kind: VariantKind, version: str) -> ValidationReport:
        """What the cases gave. A version that cannot be tried at all is a case that failed; nothing is raised."""
        ...


class EvaluationRecords(Protocol):
    """Where versions' evaluations are registered."""

    async def of(self, kind: VariantKind, version: str) -> EvaluationSummary | None:
        """The newest evaluation of a version, or None."""
        ...


class VersionCheck(Protocol):
    """Knows which versions could answer here."""

    async def problem(self, kind: VariantKind, version: str) -> str | None:
        """Why a version cannot be released here; None if it can. Raises `STORE_UNAVAILABLE`."""
        ...
