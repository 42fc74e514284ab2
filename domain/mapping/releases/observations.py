"""What this process has counted of every arm, written down again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from copy import deepcopy

from llama_mapper.domain.contracts.releases import Metric
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.releases.ports import CountRecords
from llama_mapper.domain.mapping.releases.tally import Outcome, Tally

INTERVAL_S = 1.0


class Observations:
    """Counts in memory and, every `interval_s` seconds, writes what changed.

    What is written is all that this process has ever counted of an arm, under a name of its own and a growing number:
    a batch written twice changes nothing, one that failed is contained in the next, and a process that is killed loses
    what it counted since its last batch. The sum over all names is what all processes have counted (a grow-only
    counter: Shapiro, Preguiça, Baquero, Zawirski 2011, "Conflict-free replicated data types").
    """

    def __init__(
        self,
        records: CountRecords,
        *,
        interval_s: float = INTERVAL_S,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._records = records
        self._interval_s = interval_s
        self._on_failure = on_failure
        self._writer = new_id("obs")
        self._sequence = 0
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._changed: set[tuple[str, str]] = set()
        self._ended: set[tuple[str, str]] = set()
        self._turn = asyncio.Lock()

    def add(self, release_id: str, arm: str, outcome: Outcome, means: Iterable[Metric] = ()) -> None:
        """Count an outcome. Neither waits nor raises."""
        key = (release_id, arm)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally()
        tally.add(outcome, means)
        self._changed.add(key)

    def keep_only(self, release_ids: Collection[str]) -> None:
        """Forget other releases once what was counted of them is written."""
        self._ended = {key for key in self._tallies if key[0] not in release_ids}

    async def flush(self) -> None:
        """Write what changed; raise what the records raise, and nothing is lost."""
        async with self._turn:
            changed, self._changed = self._changed, set()
            if changed:
                self._sequence += 1
                # A copy: counting goes on while it is written.
                batch = {key: deepcopy(self._tallies[key]) for key in changed}
                try:
                    await self._records.count(self._writer, self._sequence, batch)
                except BaseException:
                    self._changed |= changed
                    raise
            for key in self._ended - self._changed:
                self._tallies.pop(key, None)
            self._ended &= self._changed

    async def run(self) -> None:
        """Write until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(self._interval_s)
                await self._tried()
        finally:
            await self._tried()

    async def _tried(self) -> None:
        try:
            await self.flush()
        except Exception as error:
            self._on_failure(type(error).__name__)
