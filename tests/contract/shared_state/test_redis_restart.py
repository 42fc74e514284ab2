"""A Redis that was restarted is used again at once, whatever connections were open before."""

from __future__ import annotations

import asyncio
from pathlib import Path

from llama_mapper.adapters.platform.shared_state.redis_client import open_redis
from tests.support.valkey import ValkeyServer


async def test_no_command_fails_on_a_connection_that_died_with_the_old_server(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        client = open_redis(server.url)
        try:
            await asyncio.gather(*(client.ping() for _ in range(16)))
            server.kill()
            await asyncio.to_thread(server.start)
            for _ in range(3):
                await asyncio.gather(*(client.ping() for _ in range(16)))
        finally:
            await client.close()
