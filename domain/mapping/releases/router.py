"""Follows the releases and says which version answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from llama_mapper.domain.contracts.releases import VariantKind
from llama_mapper.domain.contracts.schema_defaults import SchemaStanding
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.mapping.releases.observations import Observations
from llama_mapper.domain.mapping.releases.ports import ReleaseRecords, Standing
from llama_mapper.domain.mapping.releases.routing import Assignment, Picture, Route
from llama_mapper.domain.mapping.releases.tally import Outcome

INTERVAL_S = 1.0


class ReleaseRouter:
    """Looks every `interval_s` seconds whether a step was taken, and answers from the newest picture without waiting.

    While the records cannot be read the picture stays as it is, and `trouble` says why. `usual` are the versions that
    answer where nothing was ever released.
    """

    def __init__(
        self,
        records: ReleaseRecords,
        observations: Observations,
        usual: Mapping[VariantKind, str],
        *,
        interval_s: float = INTERVAL_S,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._records = records
        self._observations = observations
        self._usual = usual
        self._interval_s = interval_s
        self._on_failure = on_failure
        self._picture = Picture.of(Standing(0), usual)
        self._seen: int | None = None
        self._turn = asyncio.Lock()
        self.trouble: str | None = None

    @property
    def seen(self) -> int:
        """How many steps there were when the records were last read."""
        return self._picture.mark

    def route(self, kind: VariantKind) -> Route:
        """What holds for a kind now."""
        return self._picture.routes[kind]

    @property
    def schemas(self) -> SchemaStanding:
        """What releases made of the default versions of schemas; the same object until that changes."""
        return self._picture.schemas

    def record(self, assignment: Assignment, outcome: Outcome) -> None:
        """Count what became of a request where a release is to know of it. Neither waits nor raises."""
        release_id = assignment.release_id
        if release_id is not None and release_id in self._picture.live:
            self._observations.add(release_id, assignment.arm, outcome, self._picture.means[release_id])

    async def refresh(self) -> None:
        """Bring the picture to what holds now; raise `STORE_UNAVAILABLE` if it cannot be read."""
        async with self._turn:  # or an older reading could replace a newer one
            if await self._records.mark() == self._seen:
                return
            standing = await self._records.standing()
            self._picture = Picture.of(standing, self._usual)
            self._seen = standing.mark
            self._observations.keep_only(self._picture.live)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self.refresh()
                self.trouble = None
            except ServiceError as error:
                self.trouble = f"releases cannot be read: {error.message}"
            except Exception as error:
                self.trouble = "releases cannot be read"
                self._on_failure(type(error).__name__)
            await asyncio.sleep(self._interval_s)
