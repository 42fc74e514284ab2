"""Releases and experiments in memory: for one process, and for as long as it lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime

from llama_mapper.domain.contracts.releases import ReleaseMode, SeriesPoint
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError
from llama_mapper.domain.mapping.releases.events import Event, Log, plan_of, subject_of
from llama_mapper.domain.mapping.releases.ports import Standing
from llama_mapper.domain.mapping.releases.tally import Tally

_EXPERIMENTS = frozenset({ReleaseMode.AB, ReleaseMode.SHADOW})


class MemoryReleases:
    """Keeps `ReleaseRecords`' promise within one event loop."""

    def __init__(self) -> None:
        self._logs: dict[str, Log] = {}
        self._slots: dict[str, str] = {}
        self._settled: dict[str, str] = {}
        self._tallies: dict[tuple[str, str, str], tuple[int, Tally]] = {}
        self._points: dict[str, dict[int, SeriesPoint]] = {}
        self._leader: tuple[str, datetime] | None = None

    async def mark(self) -> int:
        """See `ReleaseRecords.mark`."""
        return sum(map(len, self._logs.values()))

    async def standing(self) -> Standing:
        """See `ReleaseRecords.standing`."""
        live = tuple(self._logs[release_id] for release_id in sorted(set(self._slots.values())))
        return Standing(await self.mark(), live, dict(self._settled))

    async def log(self, release_id: str) -> Log:
        """See `ReleaseRecords.log`."""
        return self._logs.get(release_id, ())

    async def page(self, experiments: bool, limit: int) -> Sequence[Log]:
        """See `ReleaseRecords.page`."""
        logs = [log for log in self._logs.values() if (plan_of(log).mode in _EXPERIMENTS) is experiments]
        return sorted(logs, key=lambda log: (log[0].at, log[0].release_id), reverse=True)[:limit]

    async def append(self, event: Event, slot: str) -> bool:
        """See `ReleaseRecords.append`."""
        log = self._logs.get(event.release_id, ())
        if event.plan is not None:
            if slot in self._slots:
                holder = self._slots[slot]
                raise MappingError(f"{holder} is under way for this kind: end it first", ErrorCode.RELEASE_STATE)
            settled = self._settled.get(subject_of(event.kind, event.plan.baseline))
            if settled is not None and settled != event.plan.baseline:
                message = f"the {event.kind} in force is {settled}, not {event.plan.baseline}"
                raise MappingError(message, ErrorCode.RELEASE_STATE)
        if event.number <= len(log):
            return False
        self._logs[event.release_id] = (*log, event)
        if event.plan is not None:
            self._slots[slot] = event.release_id
        if not event.holds and self._slots.get(slot) == event.release_id:
            del self._slots[slot]
        if event.settles is not None:
            self._settled[subject_of(event.kind, event.settles)] = event.settles
        return True

    async def count(self, writer: str, sequence: int, tallies: Mapping[tuple[str, str], Tally]) -> None:
        """See `ReleaseRecords.count`."""
        for (release_id, arm), tally in tallies.items():
            known = self._tallies.get((release_id, arm, writer))
            if known is None or sequence > known[0]:
                self._tallies[release_id, arm, writer] = (sequence, deepcopy(tally))

    async def tallies(self, release_id: str) -> Mapping[str, Tally]:
        """See `ReleaseRecords.tallies`."""
        found: dict[str, Tally] = {}
        for (owner, arm, _), (_, tally) in sorted(self._tallies.items(), key=lambda entry: entry[0]):
            if owner == release_id:
                found.setdefault(arm, Tally()).absorb(tally)
        return found

    async def add_point(self, release_id: str, number: int, point: SeriesPoint) -> None:
        """See `ReleaseRecords.add_point`."""
        self._points.setdefault(release_id, {}).setdefault(number, point)

    async def points(self, release_id: str) -> Sequence[SeriesPoint]:
        """See `ReleaseRecords.points`."""
        return [point for _, point in sorted(self._points.get(release_id, {}).items())]

    async def last_point(self, release_id: str) -> tuple[int, int]:
        """See `ReleaseRecords.last_point`."""
        points = self._points.get(release_id)
        if not points:
            return 0, 0
        return max(points), points[max(points)].requests

    async def lead(self, owner: str, now: datetime, until: datetime) -> bool:
        """See `ReleaseRecords.lead`."""
        if self._leader is not None and self._leader[0] != owner and self._leader[1] >= now:
            return False
        self._leader = (owner, until)
        return True
