"""One reading for all who ask for the same thing at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class SharedReading(Generic[Value]):
    """Readings under way, by key: who asks while one is, waits for it instead of beginning another.

    For what is remembered for a while: at the moment when it is forgotten, every request in the house would otherwise
    read it anew. A caller that is cancelled does not end a reading that others wait for. An error is raised in all.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[Value]] = {}

    async def read(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """What the reading of `key` under way gives; if there is none, what `begin` gives."""
        reading = self._under_way.get(key)
        if reading is None:
            reading = self._under_way[key] = asyncio.create_task(begin())
            reading.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(reading)
