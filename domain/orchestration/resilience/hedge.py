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
    original = asyncio.create_task(first)
    pending = {original}
    try:
        done, _ = await asyncio.wait(pending, timeout=after_s)
        if not done and (more := second()) is not None:
            pending.add(asyncio.create_task(more))
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled() and task.exception() is None:
                    return task.result()
        return original.result()
    finally:
        for task in pending:
            losers.add(task)
            task.add_done_callback(losers.discard)
            task.add_done_callback(_forget)
            task.cancel()


def _forget(task: asyncio.Task[T]) -> None:
    """Take the exception of a task nobody asks any more, lest asyncio print it: it may quote content."""
    if not task.cancelled():
        task.exception()
