"""Whether the shared store can be asked, and going on locally while it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from llama_mapper.domain.kernel.errors import StoreError

Result = TypeVar("Result")


class Availability:
    """Asks the shared store for `wait_s` seconds at the longest; after a failure nobody asks until it is well again.

    While it is away a task in the background asks every `pause_s` seconds whether it is back. Before the store is used
    again, everything in `before_return` is done, in order; if one of these fails, the store counts as away.
    `on_loss` is called at each loss.
    """

    def __init__(self, ping: Callable[[], Awaitable[None]], *, wait_s: float = 0.1, pause_s: float = 0.5) -> None:
        self.before_return: list[Callable[[], Awaitable[None]]] = []
        self.on_loss: list[Callable[[], None]] = []
        self.losses = 0
        """How often the store went away."""
        self.served_locally = 0
        """Calls that were answered by this process alone."""
        self._ping = ping
        self._wait_s = wait_s
        self._pause_s = pause_s
        self._away: str | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def away(self) -> str | None:
        """None while the store is used, else why it is not."""
        return self._away

    async def check(self) -> None:
        """Find out now whether the store answers."""
        if self._away is None:
            with suppress(StoreError):
                await self.ask(self._ping)

    async def ask(self, shared: Callable[[], Awaitable[Result]]) -> Result:
        """What the store gives; raise `STORE_UNAVAILABLE`, at once where it is known to be away."""
        if self._away is not None:
            raise StoreError(self._away)
        try:
            return await self._bounded(shared)
        except StoreError as error:
            self._lose(error)
            raise

    async def either(self, shared: Callable[[], Awaitable[Result]], local: Callable[[], Awaitable[Result]]) -> Result:
        """What the store gives, or where it is away what `local` gives."""
        if self._away is None:
            with suppress(StoreError):
                return await self.ask(shared)
        self.served_locally += 1
        return await local()

    async def close(self) -> None:
        """Stop asking."""
        self._closed = True
        if self._recovery is not None:
            self._recovery.cancel()
            with suppress(asyncio.CancelledError):
                await self._recovery

    async def _bounded(self, shared: Callable[[], Awaitable[Result]]) -> Result:
        try:
            async with asyncio.timeout(self._wait_s):
                return await shared()
        except TimeoutError as error:
            raise StoreError(f"Redis did not answer within {self._wait_s * 1000:.0f} ms") from error

    def _lose(self, error: StoreError) -> None:
        if self._away is not None:  # others saw it at the same time
            return
        self._away = error.message
        self.losses += 1
        for told in self.on_loss:
            told()
        structlog.get_logger("llama_mapper.shared_state").warning("shared_state_degraded", reason=error.message)
        if not self._closed:
            self._recovery = asyncio.create_task(self._recover())

    async def _recover(self) -> None:
        while self._away is not None:
            await asyncio.sleep(self._pause_s)
            try:
                await self._bounded(self._ping)
                for make_good in self.before_return:
                    await self._bounded(make_good)
            except StoreError as error:
                self._away = error.message
                continue
            except Exception as error:  # whatever it is, the next look must come
                self._away = f"looking whether Redis is back failed ({type(error).__name__})"
                continue
            self._away = None
            structlog.get_logger("llama_mapper.shared_state").info("shared_state_recovered")
