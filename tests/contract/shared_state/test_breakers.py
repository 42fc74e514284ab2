"""What processes tell each other about breakers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from llama_mapper.adapters.platform.shared_state.memory_breakers import MAX_NAMES, MemoryBreakerBoard
from llama_mapper.adapters.platform.shared_state.redis_breakers import RedisBreakerBoard
from llama_mapper.adapters.platform.shared_state.redis_client import open_redis
from llama_mapper.domain.kernel.breakers import BreakerBoard
from tests.support.shared_state import PATIENT_S
from tests.support.valkey import ValkeyServer


@asynccontextmanager
async def board_at(url: str, every_s: float = 0.02) -> AsyncIterator[RedisBreakerBoard]:
    client = open_redis(url)
    board = RedisBreakerBoard(client, every_s=every_s, wait_s=PATIENT_S)
    await board.start()
    try:
        yield board
    finally:
        await board.close()
        await client.close()


@pytest.fixture(params=["memory", "redis"])
async def boards(request: pytest.FixtureRequest, valkey: str) -> AsyncIterator[tuple[BreakerBoard, BreakerBoard]]:
    """The board as two processes see it."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            alone = MemoryBreakerBoard()
            yield alone, alone
        else:
            yield (
                await stack.enter_async_context(board_at(valkey)),
                await stack.enter_async_context(board_at(valkey)),
            )


@pytest.fixture
def name() -> str:
    return f"detector-{secrets.token_hex(6)}"


async def until_open(board: BreakerBoard, name: str, *, is_open: bool = True) -> None:
    async with asyncio.timeout(30):
        while (board.read(name) is not None) is not is_open:
            await asyncio.sleep(0.01)


async def test_what_one_opens_the_other_sees_open_and_for_how_long(
    boards: tuple[BreakerBoard, BreakerBoard], name: str
) -> None:
    one, other = boards
    assert other.read(name) is None
    one.publish(name, 600.0, 3)
    mine = one.read(name)
    assert mine is not None
    await until_open(other, name)
    seen = other.read(name)
    assert seen is not None
    assert seen.opened_count == 3
    assert seen.open_until == pytest.approx(mine.open_until, abs=PATIENT_S)


async def test_what_one_closes_is_closed_for_the_other(boards: tuple[BreakerBoard, BreakerBoard], name: str) -> None:
    one, other = boards
    one.publish(name, 600.0, 1)
    await until_open(other, name)
    other.publish(name, 0.0, 0)
    await until_open(one, name, is_open=False)


async def test_an_open_breaker_closes_by_itself(boards: tuple[BreakerBoard, BreakerBoard], name: str) -> None:
    one, other = boards
    one.publish(name, 0.05, 1)
    await asyncio.sleep(0.1)
    await until_open(other, name, is_open=False)
    assert one.read(name) is None


async def test_the_number_of_names_is_bounded() -> None:
    board = MemoryBreakerBoard()
    for number in range(MAX_NAMES + 100):
        board.publish(str(number), 60.0, 1)
    assert len(board) == MAX_NAMES


async def test_the_board_goes_on_alone_and_tells_when_redis_is_back(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        async with board_at(server.url) as one, board_at(server.url) as other:
            one.publish("before", 600.0, 1)
            await until_open(other, "before")
            server.kill()
            one.publish("meanwhile", 600.0, 2)
            await asyncio.sleep(0.1)
            assert one.read("meanwhile") is not None
            assert other.read("before") is not None
            assert other.read("meanwhile") is None
            server.start()
            await until_open(other, "meanwhile")
