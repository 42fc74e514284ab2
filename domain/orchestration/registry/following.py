"""Follows the registry, so that a change made by any process is in service in this one soon after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from llama_mapper.domain.contracts.detectors import DetectorSource
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.registry.model import Offer, offers_of
from llama_mapper.domain.orchestration.registry.ports import RevisionStore

INTERVAL_S = 1.0
_UNREADABLE = "its newest revision was written by another version of this software; the one before stays as it is"


class RegistryFollower:
    """Looks every `interval_s` seconds whether there are revisions that this process has not seen.

    While the store cannot be read, what was read last stays in service and the fleet tells why.
    """

    def __init__(self, store: RevisionStore, fleet: DetectorFleet, interval_s: float = INTERVAL_S) -> None:
        self._store = store
        self._fleet = fleet
        self._interval_s = interval_s
        self._seen: int | None = None
        self._offers: tuple[Offer, ...] = ()
        self._turn = asyncio.Lock()

    @property
    def seen(self) -> int:
        """How many revisions there were when the registry was last read."""
        return self._seen or 0

    async def refresh(self) -> None:
        """Bring the fleet to what the registry holds now; raise `STORE_UNAVAILABLE` if it cannot be read."""
        async with self._turn:  # or an older reading could be put into service after a newer one
            count = await self._store.count()
            if count != self._seen:
                newest = await self._store.newest()
                unreadable = dict.fromkeys(newest.unreadable, _UNREADABLE)
                known = [offer for offer in self._offers if offer.name in unreadable]
                self._offers = (*offers_of(newest.revisions), *known)
                self._fleet.offer(DetectorSource.REGISTRY, self._offers, unreadable)
                self._seen = count

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self.refresh()
            except ServiceError as error:
                self._fleet.trouble(DetectorSource.REGISTRY, f"it cannot be read: {error.message}")
            else:
                self._fleet.trouble(DetectorSource.REGISTRY, None)
            await asyncio.sleep(self._interval_s)


async def kept_running(run: Callable[[], Awaitable[None]], on_failure: Callable[[str], None], pause_s: float) -> None:
    """Run `run` again and again, `pause_s` seconds after each failure, of which `on_failure` is told the class.

    What follows a source in the background must not end for good at an error that nobody foresaw.
    """
    while True:
        try:
            await run()
        except Exception as error:
            on_failure(type(error).__name__)
        await asyncio.sleep(pause_s)
