"""One pooled Redis client, its errors in our words, and how keys are spelled."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from llama_mapper.domain.kernel.errors import ConfigurationError, StoreError
from llama_mapper.domain.kernel.rate_limits import NO_TENANT

if TYPE_CHECKING:
    from redis.asyncio import Redis

Part = str | bytes | int | float
_CONNECTIONS = 64


def redis_key(tenant_id: str, *parts: str) -> str:
    """`lm:<tenant>:<part>:…`; only the last part may hold a colon, or two names could make one key."""
    if any(":" in part for part in (tenant_id, *parts[:-1])):
        raise ValueError("a colon divides the parts of a key and may not be in one")
    return ":".join(("lm", tenant_id, *parts))


class LuaScript:
    """A script that Redis runs as one atomic step, sent once and then named by its SHA-1."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha1 = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


class RedisClient:
    """Commands to one Redis, each tried once: whoever calls decides how long to wait and what comes instead."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._execute: Callable[..., Awaitable[Any]] = redis.execute_command

    async def call(self, *command: Part) -> Any:
        """The command's reply as the driver gives it, text as bytes; raise `STORE_UNAVAILABLE`."""
        from redis.exceptions import RedisError

        try:
            return await self._execute(*command)
        except (RedisError, OSError) as error:
            raise StoreError(f"Redis did not do {command[0]!s} ({type(error).__name__})") from error

    async def run(self, script: LuaScript, keys: Sequence[str], arguments: Sequence[Part]) -> Any:
        """The script's reply; raise `STORE_UNAVAILABLE`."""
        from redis.exceptions import NoScriptError, RedisError

        try:
            try:
                return await self._execute("EVALSHA", script.sha1, len(keys), *keys, *arguments)
            except NoScriptError:
                return await self._execute("EVAL", script.source, len(keys), *keys, *arguments)
        except (RedisError, OSError) as error:
            raise StoreError(f"Redis did not run a script ({type(error).__name__})") from error

    async def ping(self) -> None:
        """Raise `STORE_UNAVAILABLE` unless Redis answers and takes writes from us."""
        await self.call("SET", redis_key(NO_TENANT, "alive"), 1, "PX", 1000)

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()


def open_redis(url: str) -> RedisClient:
    """A client of the Redis (5 or later) or Valkey at `url`; it connects when it is first asked.

    Raise `CONFIGURATION_INVALID` where the extra `redis` is not installed or the URL is not one; no message shows it.
    """
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.maint_notifications import MaintNotificationsConfig
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"redis_url needs the package {error.name}: install 'llama-mapper[redis]'") from error
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=None,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=None,
            client_name="llama-mapper",
            # With them on, the driver no longer looks whether an idle connection died meanwhile: after a restart of
            # Redis every one of them would then cost a failed command.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
    except ValueError:
        raise ConfigurationError("redis_url is not a redis:// or rediss:// URL") from None
    return RedisClient(Redis.from_pool(pool))
