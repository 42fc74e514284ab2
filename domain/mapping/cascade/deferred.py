"""A stage that is built when it is first asked, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.ports import CandidateStage, Ranking
from llama_mapper.domain.mapping.labels import LabelKey


class DeferredStage:
    """Keeps `CandidateStage`'s promise; who never meets an unknown label never pays for the stage.

    `build` runs once, in a thread. What it raises is raised by `ready`, and the next call tries again.
    """

    def __init__(self, stage: MappingStage, build: Callable[[], CandidateStage]) -> None:
        self._stage = stage
        self._build = build
        self._building: asyncio.Task[CandidateStage] | None = None
        self._built: CandidateStage | None = None

    @property
    def stage(self) -> MappingStage:
        """The stage's name."""
        return self._stage

    @property
    def version(self) -> str:
        """The stage's version; `not_built` before it was asked for the first time."""
        return "not_built" if self._built is None else self._built.version

    async def ready(self) -> CandidateStage:
        """The stage, once it is built."""
        if self._built is not None:
            return self._built
        if self._building is None or (self._building.done() and self._built is None):
            self._building = asyncio.create_task(asyncio.to_thread(self._build))
        # A caller that gives up does not end a build that others wait for.
        self._built = await asyncio.shield(self._building)
        return self._built

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """As the stage ranks."""
        return await (await self.ready()).rank(labels, within_s=within_s)
