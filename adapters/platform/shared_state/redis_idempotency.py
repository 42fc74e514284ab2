"""Idempotency records in Redis: one hash each, `lm:<tenant>:idempotency:<operation>:<key>`."""

from __future__ import annotations

import asyncio
import secrets

from llama_mapper.adapters.platform.shared_state.redis_client import LuaScript, RedisClient, redis_key
from llama_mapper.domain.kernel.idempotency import Begun, Conflict, Done, Fresh, RecordName, Running

# Fields: d the body's digest, t the token while it is a claim, a the answer once there is one.
_BEGIN = LuaScript("""
local record = redis.call('HMGET', KEYS[1], 'd', 'a')
if not record[1] then
  redis.call('HSET', KEYS[1], 'd', ARGV[1], 't', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 'fresh'
end
if record[1] ~= ARGV[1] then return 'conflict' end
if record[2] then return {'done', record[2]} end
return 'running'
""")

_COMPLETE = LuaScript("""
if redis.call('HGET', KEYS[1], 't') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 't')
redis.call('HSET', KEYS[1], 'a', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
""")

_ABANDON = LuaScript("""
if redis.call('HGET', KEYS[1], 't') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")


class RedisIdempotency:
    """Keeps `IdempotencyRecords` for all processes that share the Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def begin(self, name: RecordName, digest: bytes, lease_s: float) -> Begun:
        """See `IdempotencyRecords.begin`."""
        token = secrets.token_hex(16)
        found = await self._redis.run(_BEGIN, [_key(name)], [digest, token, _milliseconds(lease_s)])
        if found == b"fresh":
            return Fresh(token)
        if found == b"conflict":
            return Conflict()
        return Running() if found == b"running" else Done(found[1])

    async def complete(self, name: RecordName, token: str, answer: bytes, keep_s: float) -> bool:
        """See `IdempotencyRecords.complete`."""
        return bool(await self._redis.run(_COMPLETE, [_key(name)], [token, answer, _milliseconds(keep_s)]))

    async def abandon(self, name: RecordName, token: str) -> None:
        """See `IdempotencyRecords.abandon`."""
        await self._redis.run(_ABANDON, [_key(name)], [token])

    async def settled(self, name: RecordName, within_s: float) -> None:
        """See `IdempotencyRecords.settled`. Only time passes here: the caller asks again, and chooses how often."""
        await asyncio.sleep(within_s)


def _key(name: RecordName) -> str:
    return redis_key(name.tenant_id, "idempotency", name.operation, name.key)


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))
