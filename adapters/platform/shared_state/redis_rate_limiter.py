"""Rate limits in Redis: one hash a quota, `lm:<tenant>:rate:<limit>:<subject>`."""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.adapters.platform.shared_state.redis_client import LuaScript, RedisClient, redis_key
from llama_mapper.domain.kernel.rate_limits import Allowance, Quota, allowance_of, refusal_of

# All quotas of a request in one step and by one clock, Redis's own. Fields: n the window's number, c its count, p the
# count of the window before. The arithmetic is that of domain/kernel/rate_limits.py. Replies with whether the request
# was counted, then previous, current, elapsed milliseconds and whether it was used up, of each quota.
_ADMIT = LuaScript("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local rows, room = {}, 1
for i, key in ipairs(KEYS) do
  local requests, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i]) * 1000
  local number, elapsed = math.floor(now / window), now % window
  local row = redis.call('HMGET', key, 'n', 'c', 'p')
  local n, current, previous = tonumber(row[1]), tonumber(row[2]) or 0, tonumber(row[3]) or 0
  if n ~= number then
    if n == number - 1 then previous = current else previous = 0 end
    current = 0
  end
  local full = 0
  if current + math.floor(previous * (1 - elapsed / window)) >= requests then full, room = 1, 0 end
  rows[i] = {number, current, previous, elapsed, window, full}
end
local reply = {room}
for i, key in ipairs(KEYS) do
  local number, current, previous, elapsed, window, full = unpack(rows[i])
  if room == 1 then
    current = current + 1
    redis.call('HSET', key, 'n', number, 'c', current, 'p', previous)
    redis.call('PEXPIRE', key, 2 * window - elapsed)
  end
  local at = 4 * i - 2
  reply[at], reply[at + 1], reply[at + 2], reply[at + 3] = previous, current, elapsed, full
end
return reply
""")


class RedisRateLimiter:
    """Keeps `RateLimiter` for all processes that share the Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def admit(self, quotas: Sequence[Quota]) -> list[Allowance]:
        """See `RateLimiter.admit`."""
        keys = [redis_key(quota.tenant_id, "rate", quota.limit.name, quota.subject) for quota in quotas]
        arguments: list[int] = []
        for quota in quotas:
            arguments += (quota.limit.requests, quota.limit.window_s)
        _, *numbers = await self._redis.run(_ADMIT, keys, arguments)
        return [
            (refusal_of if full else allowance_of)(quota.limit, previous, current, ms / 1e3)
            for quota, previous, current, ms, full in zip(
                quotas, numbers[::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=True
            )
        ]
