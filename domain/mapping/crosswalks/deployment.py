"""Which crosswalk answers a request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from llama_mapper.domain.contracts.crosswalks import CrosswalkStep
from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.kernel.errors import ErrorCode, StoreError
from llama_mapper.domain.mapping.documents.ports import Deployment

ALL = 100


@dataclass(frozen=True, slots=True)
class Deployed:
    """What one owner has deployed: a candidate for the requests whose share is below `percent`, else the base.

    A version of None is what lies below: everyone's deployment for a tenant, the shipped crosswalk for everyone.
    """

    base: str | None = None
    candidate: str | None = None
    percent: int = 0

    def percent_of(self, version: str) -> int:
        """The share of the traffic that the version answers."""
        return self.percent * (self.candidate == version) + (ALL - self.percent) * (self.base == version)


def states(log: Iterable[Deployment]) -> list[Deployed]:
    """What was deployed after each change that was not rolled back; the last is what is deployed now."""
    found = [Deployed()]
    for event in log:
        if event.step is CrosswalkStep.ROLLED_BACK:
            found.pop()
        elif event.percent == ALL:
            found.append(Deployed(base=event.version))
        else:
            found.append(replace(found[-1], candidate=event.version, percent=event.percent or 0))
    return found


def deployed(
    log: tuple[Deployment, ...], version: str, percent: int, accuracy: float, curator: Curator, at: datetime, note: str
) -> Deployment | None:
    """The next change, or None if the version has that share already."""
    if states(log)[-1].percent_of(version) == percent:
        return None
    return Deployment(len(log) + 1, CrosswalkStep.DEPLOYED, version, percent, accuracy, curator, at, note)


def rolled_back(log: tuple[Deployment, ...], curator: Curator, at: datetime, note: str) -> Deployment:
    """The change that undoes the last one; raise `CONFLICT` if nothing is deployed."""
    known = states(log)
    if len(known) < 2:
        raise StoreError("nothing is deployed that could be rolled back", ErrorCode.CONFLICT, retryable=False)
    before = known[-2]
    newest = before.candidate if before.percent else before.base
    return Deployment(
        len(log) + 1,
        CrosswalkStep.ROLLED_BACK,
        newest,
        None if newest is None else before.percent_of(newest),
        None,
        curator,
        at,
        note,
    )


Split = tuple[tuple[tuple[int, str], ...], str | None]
"""((percent, version) of each candidate, the version for the rest): a request is answered by the first candidate whose
percent is above its share. A version of None is the shipped one."""


def split_of(own: Iterable[Deployment], everyones: Iterable[Deployment]) -> Split:
    """Who answers what for a tenant: its own deployment stands over everyone's."""
    mine, theirs = states(own)[-1], states(everyones)[-1]
    if mine.base is not None:
        return _candidates(mine), mine.base
    return (*_candidates(mine), *_candidates(theirs)), theirs.base


def percents(split: Split) -> dict[str | None, int]:
    """The share of the traffic that each version answers; together all of it."""
    candidates, rest = split
    reached, found = 0, dict[str | None, int]()
    for percent, version in (*candidates, (ALL, rest)):
        found[version] = found.get(version, 0) + max(0, percent - reached)
        reached = max(reached, percent)
    return found


def _candidates(deployed: Deployed) -> tuple[tuple[int, str], ...]:
    return ((deployed.percent, deployed.candidate),) if deployed.percent and deployed.candidate is not None else ()
