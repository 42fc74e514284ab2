"""The text that came in so far: all of it, and the part that is still being worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError

READ_AHEAD = 16_384
"""Characters that are taken in beyond what was judged, before the writer has to wait."""


class Inbox:
    """Takes deltas in as fast as they are judged, and no faster."""

    def __init__(self, content_limit: int) -> None:
        self._limit = content_limit
        self._pieces: list[str] = []
        self._tail = ""
        self._tail_at = 0
        self._judged = 0
        self._ended = False
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def length(self) -> int:
        """Characters that came in."""
        return self._tail_at + len(self._tail)

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        return self._ended

    @property
    def tail(self) -> str:
        """The end of the text; what `keep_from` let go is not in it."""
        return self._tail

    @property
    def tail_at(self) -> int:
        """Where in the text the tail begins."""
        return self._tail_at

    def whole(self) -> str:
        """All that came in."""
        return "".join(self._pieces)

    def keep_from(self, at: int, judged: int) -> None:
        """The tail before `at` is not needed any more, and everything before `judged` was judged."""
        self._tail = self._tail[at - self._tail_at :]
        self._tail_at = at
        self._judged = judged
        self._room.set()

    async def fill(self, deltas: AsyncIterator[str]) -> None:
        """Take in everything; raise what `deltas` raise, and `CONTENT_TOO_LARGE` beyond the limit."""
        try:
            async for delta in deltas:
                if self.length + len(delta) > self._limit:
                    raise ValidationError(
                        f"the text has more than {self._limit} characters", ErrorCode.CONTENT_TOO_LARGE
                    )
                self._pieces.append(delta)
                self._tail += delta
                self._arrived.set()
                while self.length - self._judged > READ_AHEAD:
                    self._room.clear()
                    await self._room.wait()
            self._ended = True
        finally:
            self._arrived.set()

    async def more(self) -> None:
        """Wait until something came in, or nothing more will."""
        await self._arrived.wait()
        self._arrived.clear()
