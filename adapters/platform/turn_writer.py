"""Writes of one turn of the event loop, written together at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class TurnWriter(Generic[Item, Outcome]):
    """Collects items and hands them to `write`, in the event loop's thread, before the loop waits for anything else.

    `write(items)` returns one outcome for each, or None if it wrote nothing; every caller then gets None. It is given
    at most `group_limit` items at once, so that the loop is not held up for long; others get a turn in between. A
    caller that is cancelled does not disturb the others; its item may or may not have been written.
    """

    def __init__(self, write: Callable[[list[Item]], Sequence[Outcome] | None], *, group_limit: int = 32) -> None:
        self._write = write
        self._group_limit = group_limit
        self._waiting: list[tuple[Item, asyncio.Future[Outcome | None]]] = []

    async def submit(self, item: Item) -> Outcome | None:
        """Write `item` with the others of this turn and return its outcome, or None if they were not written."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome | None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._write_group)
        self._waiting.append((item, future))
        return await future

    def _write_group(self) -> None:
        group, self._waiting = self._waiting[: self._group_limit], self._waiting[self._group_limit :]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._write_group)
        try:
            outcomes = self._write([item for item, _ in group])
        except Exception as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for number, (_, future) in enumerate(group):
            if not future.done():
                future.set_result(None if outcomes is None else outcomes[number])
