"""The stage that compares meanings, over an embedding model and an index that may be away, come back, and change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.mapping.cascade.ports import Ranking
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.neighbours.embedding import EmbeddingStage
from llama_mapper.domain.mapping.neighbours.ports import Embeddings

LOOK_EVERY_S = 10.0
WHILE_AWAY_S = 1.0


class KeptEmbeddingStage:
    """Keeps `CandidateStage`; `keep` opens the model, has the texts' vectors made, and looks whether it changed.

    Until that is done the rankings name the fault `not_ready`, so that a start does not wait for it. A model that has
    another version now is answered for by its old vectors no more: they are made anew.
    """

    def __init__(
        self,
        open_model: Callable[[], Awaitable[Embeddings]],
        build: Callable[[Embeddings], EmbeddingStage],
        *,
        look_every_s: float = LOOK_EVERY_S,
        while_away_s: float = WHILE_AWAY_S,
    ) -> None:
        """`build` makes the stage over a model, in a thread: it takes tenths of a second."""
        self._open = open_model
        self._build = build
        self._look_every_s = look_every_s
        self._while_away_s = while_away_s
        self._embeddings: Embeddings | None = None
        self._stage: EmbeddingStage | None = None
        self._state = "not_ready"
        self._wake = asyncio.Event()
        self.looked = asyncio.Event()

    @property
    def stage(self) -> MappingStage:
        """`embedding`."""
        return MappingStage.EMBEDDING

    @property
    def version(self) -> str:
        """The stage's; `not_ready` before there is one."""
        return "not_ready" if self._stage is None else self._stage.version

    @property
    def model_version(self) -> str:
        """What the model says of its version; empty before it was opened."""
        return "" if self._embeddings is None else self._embeddings.version

    @property
    def state(self) -> str:
        """Why it cannot rank now, or not for long; empty if it can."""
        return self._state

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """As the stage ranks; see `CandidateStage.rank`."""
        stage = self._stage
        if stage is None:
            return [Ranking(fault="not_ready")] * len(labels)
        rankings = await stage.rank(labels, within_s=within_s)
        if any(ranking.fault is not None for ranking in rankings):
            self._wake.set()
        return rankings

    async def keep(self) -> None:
        """Look again and again, sooner while something is wrong or a call has met a fault."""
        while True:
            await self.look()
            self._wake.clear()
            await asyncio.sleep(self._while_away_s)
            if not self._state:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._look_every_s):
                        await self._wake.wait()

    async def look(self) -> None:
        """Look once, and do what is to be done; raise nothing that the model or the index raises."""
        try:
            if self._embeddings is None:
                self._embeddings = await self._open()
            elif await self._embeddings.current_version() != self._embeddings.version:
                await self._reopen()
            if self._stage is None:
                self._stage = await asyncio.to_thread(self._build, self._embeddings)
            if self._stage.unready is not None:
                await self._stage.prepare()
            self._state = ""
        except ServiceError as error:
            self._state = error.message
        except Exception as error:  # a model may do anything; to look again is all that can be done
            self._state = f"failed: {type(error).__name__}"
        finally:
            self.looked.set()

    async def close(self) -> None:
        """Close the model."""
        embeddings, self._embeddings, self._stage = self._embeddings, None, None
        if embeddings is not None:
            await embeddings.close()

    async def _reopen(self) -> None:
        opened, before = await self._open(), self._embeddings
        self._embeddings, self._stage, self._state = opened, None, "not_ready"
        if before is not None:
            await before.close()
