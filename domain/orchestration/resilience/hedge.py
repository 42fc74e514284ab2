"""A second attempt besides a slow first one: Dean & Barroso, "The Tail at Scale", CACM 56(2), 2013."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def hedged(
    first: Coroutine[Any, Any, T],
    after_s: float,
    second: Callable[[], Coroutine[Any, Any, T] | None],
    losers: set[asyncio.Task[T]],
) -> T:
    """The first good answer of `first` and of what `second` gives, if it gives anything, after `after_s` seconds.

    Raises what `first` raised, if nobody has a good answer. Who is not needed any more is cancelled, and kept in
    `losers` until it is gone; so are both if the caller is cancelled.
    """
    tasks = [asyncio.create_task(first)]
    pending = set(tasks)
    try:
        done, pending = await asyncio.wait(pending, timeout=after_s)
        if not done and (more := second()) is not None:
            tasks.append(asyncio.create_task(more))
            pending.add(tasks[-1])
        while (winner := next(filter(_is_good, done), None)) is None and pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        return (winner or tasks[0]).result()
    finally:
        for task in pending:
            losers.add(task)
            task.add_done_callback(losers.discard)
            task.add_done_callback(_forget)
            task.cancel()
        # A raised error holds this frame, and a task here its error: the circle would keep the text for a while.
        done = pending = set()
        tasks.clear()


def _is_good(task: asyncio.Task[T]) -> bool:
    return not task.cancelled() and task.exception() is None


def _forget(task: asyncio.Task[T]) -> None:
    """Take the exception of a task nobody asks any more, lest asyncio print it: it may quote content."""
    if not task.cancelled():
        task.exception()
