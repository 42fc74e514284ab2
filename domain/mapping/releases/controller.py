"""Looks after releases: one process of an installation judges the gates and lets canaries go on or back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

from llama_mapper.domain.contracts.releases import (
    BlueGreenStart,
    CanaryStart,
    GateFigure,
    ReleaseActor,
    ReleaseDoor,
    ReleaseState,
    SeriesPoint,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.releases.decisions import decided
from llama_mapper.domain.mapping.releases.events import Log, plan_of
from llama_mapper.domain.mapping.releases.gates import judged
from llama_mapper.domain.mapping.releases.ledger import ReleaseLedger, Taken
from llama_mapper.domain.mapping.releases.ports import ReleaseRecords
from llama_mapper.domain.mapping.releases.states import CANDIDATE, Position
from llama_mapper.domain.mapping.releases.tally import Tally

CONTROLLER = ReleaseActor(name="release controller", door=ReleaseDoor.CONTROLLER)
_LEASE_ROUNDS = 3
_POINT_GROWTH = 1.02
"""A point of the series for every so much more: some 700 from ten requests to ten million."""


class ReleaseController:
    """Judges every release under way each `interval_s` seconds, in the process that leads.

    A leader that is not heard of for three rounds is replaced. Even two at once would take a step once, since a step is
    taken on the log that it was decided on.
    """

    def __init__(
        self,
        records: ReleaseRecords,
        ledger: ReleaseLedger,
        clock: Clock,
        *,
        interval_s: float = 5.0,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._clock = clock
        self._interval_s = interval_s
        self._on_failure = on_failure
        self._owner = new_id("ctl")
        self._mark: int | None = None
        self._is_idle = True

    async def run(self) -> None:
        """Look after them until cancelled; what fails is tried again in the next round."""
        while True:
            try:
                await self.round()
            except Exception as error:
                self._on_failure(type(error).__name__)
            await asyncio.sleep(self._interval_s)

    async def round(self) -> bool:
        """Judge all once; whether this process leads. Where nothing is under way nothing is written."""
        if (mark := await self._records.mark()) != self._mark:
            standing = await self._records.standing()
            self._mark, self._is_idle = standing.mark, not standing.live
        if self._is_idle and mark == self._mark:
            return False
        now = self._clock()
        if not await self._records.lead(self._owner, now, now + timedelta(seconds=_LEASE_ROUNDS * self._interval_s)):
            return False
        for log in (await self._records.standing()).live:
            await self._judge(log)
        return True

    async def _judge(self, log: Log) -> None:
        plan, release_id = plan_of(log), log[0].release_id
        if isinstance(plan, BlueGreenStart):
            return
        tallies = await self._records.tallies(release_id)
        gates = await judged(plan, tallies)
        await self._point(release_id, tallies, gates)
        if not isinstance(plan, CanaryStart):
            return
        requests = tallies.get(CANDIDATE, Tally()).requests

        def choose(position: Position) -> Taken | None:
            if position.state not in (ReleaseState.RUNNING, ReleaseState.HELD):
                return None
            decision = decided(position, plan, gates, requests, self._clock())
            if decision.step is None:
                return None
            return Taken(decision.step, seen=requests, reasons=decision.reasons, effects=gates)

        await self._ledger.take(log, choose, CONTROLLER)

    async def _point(self, release_id: str, tallies: Mapping[str, Tally], effects: tuple[GateFigure, ...]) -> None:
        requests = sum(tally.requests for tally in tallies.values())
        number, before = await self._records.last_point(release_id)
        if requests > before * _POINT_GROWTH:
            point = SeriesPoint(at=self._clock(), requests=requests, effects=effects)
            await self._records.add_point(release_id, number + 1, point)
