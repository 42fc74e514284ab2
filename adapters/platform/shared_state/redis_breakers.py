"""The board of open breakers in Redis: one hash, `lm:_:breakers`, name → moment in milliseconds and count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from llama_mapper.adapters.platform.shared_state.memory_breakers import MAX_NAMES, MemoryBreakerBoard
from llama_mapper.adapters.platform.shared_state.redis_client import LuaScript, RedisClient, redis_key
from llama_mapper.domain.kernel.breakers import SharedBreaker
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.kernel.rate_limits import NO_TENANT

# Writes what is to be published and replies with name, milliseconds left and count of every open breaker. Moments are
# by Redis's clock, so that the processes' own may differ.
_EXCHANGE = LuaScript(f"""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 1, #ARGV, 3 do
  if tonumber(ARGV[i + 1]) > 0 then
    redis.call('HSET', KEYS[1], ARGV[i], (now + tonumber(ARGV[i + 1])) .. ' ' .. ARGV[i + 2])
  else
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
local reply, kept, last = {{}}, 0, now
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local till, count = string.match(all[i + 1], '^(%d+) (%d+)$')
  till = tonumber(till)
  if till == nil or till <= now or kept >= {MAX_NAMES} then
    redis.call('HDEL', KEYS[1], all[i])
  else
    kept = kept + 1
    if till > last then last = till end
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = all[i], till - now, tonumber(count)
  end
end
if kept > 0 then redis.call('PEXPIREAT', KEYS[1], last) end
return reply
""")

_KEY = redis_key(NO_TENANT, "breakers")


class RedisBreakerBoard:
    """Keeps `BreakerBoard` for all processes that share the Redis, by an exchange every `every_s` seconds.

    What this process publishes is exchanged at once. While Redis is away the board goes on as one of this process
    alone; what it published meanwhile and is still open is told when Redis is back.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        every_s: float = 0.5,
        wait_s: float = 0.25,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._redis = redis
        self._every_s = every_s
        self._wait_s = wait_s
        self._clock = clock
        self._picture = MemoryBreakerBoard(clock)
        self._own: dict[str, SharedBreaker] = {}  # published and not sent yet; open_until 0 says closed
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def read(self, name: str) -> SharedBreaker | None:
        """See `BreakerBoard.read`."""
        return self._picture.read(name)

    def publish(self, name: str, open_for_s: float, opened_count: int) -> None:
        """See `BreakerBoard.publish`."""
        self._picture.publish(name, open_for_s, opened_count)
        if len(self._own) < MAX_NAMES or name in self._own:
            self._own[name] = SharedBreaker(self._clock() + open_for_s if open_for_s > 0 else 0.0, opened_count)
        self._wake.set()

    async def start(self) -> None:
        """Begin to exchange in the background."""
        self._task = asyncio.create_task(self._exchange_for_ever())

    async def close(self) -> None:
        """Stop exchanging."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def exchange(self) -> None:
        """Tell what is new here and take over what is open; raise `STORE_UNAVAILABLE`."""
        sending, now = dict(self._own), self._clock()
        arguments: list[str | int] = []
        for name, breaker in sending.items():
            left_ms = max(0, int((breaker.open_until - now) * 1000)) if breaker.open_until else 0
            arguments += (name, left_ms, breaker.opened_count)
        try:
            async with asyncio.timeout(self._wait_s):
                reply = await self._redis.run(_EXCHANGE, [_KEY], arguments)
        except TimeoutError as error:
            raise StoreError("Redis did not answer in time") from error
        for name, sent in sending.items():
            if self._own.get(name) is sent:
                del self._own[name]
        picture = MemoryBreakerBoard(self._clock)
        for name, left_ms, count in zip(reply[::3], reply[1::3], reply[2::3], strict=True):
            picture.publish(name.decode(), left_ms / 1000.0, count)
        for name, breaker in self._own.items():  # published while the exchange was under way
            picture.publish(name, breaker.open_until - self._clock(), breaker.opened_count)
        self._picture = picture

    async def _exchange_for_ever(self) -> None:
        while True:
            self._wake.clear()
            with suppress(StoreError):  # the availability of the shared state tells that Redis is away
                await self.exchange()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._wake.wait()
