"""Group commit: writes that wait at the same time share one transaction."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from llama_mapper.domain.kernel.errors import StoreError

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class GroupWriter(Generic[Item, Outcome]):
    """Hands items to `write` in groups, one group of a key at a time, and each caller its own outcome.

    `write(items)` keeps all items or none and returns one outcome for each, in their order. If it refuses a group
    for good (an error that is not retryable), each item is written alone, so that one bad item fails only its
    caller. A caller that is cancelled does not disturb the others; its item may or may not have been written.
    """

    def __init__(self, write: Callable[[list[Item]], Awaitable[Sequence[Outcome]]], *, group_limit: int = 128) -> None:
        self._write = write
        self._group_limit = group_limit
        self._waiting: dict[str, list[tuple[Item, asyncio.Future[Outcome]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, key: str, item: Item) -> Outcome:
        """Write `item` and return its outcome; items of different keys are written side by side."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        queue = self._waiting.get(key)
        if queue is not None:
            queue.append((item, future))
        else:
            queue = self._waiting[key] = [(item, future)]
            # Whoever came first is not to have all that others bring in its trace.
            task = loop.create_task(self._drain(key, queue), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _drain(self, key: str, queue: list[tuple[Item, asyncio.Future[Outcome]]]) -> None:
        group: list[tuple[Item, asyncio.Future[Outcome]]] = []
        try:
            while queue:
                group = queue[: self._group_limit]
                del queue[: self._group_limit]
                await self._settle(group)
        finally:
            del self._waiting[key]
            for _, future in group + queue:  # only if this task itself was cancelled
                if not future.done():
                    future.cancel()

    async def _settle(self, group: list[tuple[Item, asyncio.Future[Outcome]]]) -> None:
        try:
            outcomes = await self._write([item for item, _ in group])
        except Exception as error:
            if len(group) > 1 and isinstance(error, StoreError) and not error.retryable:
                for pair in group:
                    await self._settle([pair])
                return
            for _, future in group:
                if not future.done():
                    future.set_exception(_own_copy(error))
            return
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)


def _own_copy(error: Exception) -> Exception:
    # One exception object raised in several tasks would collect all their tracebacks.
    if not isinstance(error, StoreError):
        return error
    copy = StoreError(error.message, error.error_code, error.retryable)
    copy.__cause__, copy.__suppress_context__ = error.__cause__, True
    return copy
