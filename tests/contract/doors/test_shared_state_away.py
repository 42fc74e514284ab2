"""Requests go on when Redis goes away; readiness and metrics tell, and tell when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from pydantic import SecretStr

from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.containers.split import (
    running_analysis_service,
    running_front,
    running_mapping_service,
)
from llama_mapper.entrypoints.http.idempotency import HEADER, REPLAYED
from llama_mapper.entrypoints.settings import Settings
from tests.support.apis import word_detectors
from tests.support.doors import Door, open_door
from tests.support.servers import free_port
from tests.support.valkey import ValkeyServer

BODY = {"content": "write to anna@example.com"}


async def gauge(door: Door, name: str) -> float:
    text = (await door.client.get("/metrics")).text
    [line] = [line for line in text.splitlines() if line.startswith(name + " ")]
    return float(line.split()[1])


async def note(door: Door) -> str | None:
    ready = await door.client.get("/readyz")
    assert ready.status_code == 200
    told: str | None = ready.json()["notes"].get("shared_state")
    return told


async def until_back(door: Door) -> None:
    async with asyncio.timeout(60):
        while await note(door) is not None:
            await asyncio.sleep(0.05)


async def test_no_request_fails_because_redis_was_killed_and_everything_is_shared_again_after(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        options: dict[str, object] = {"redis_url": server.url, "redis_timeout_ms": 5000, "rate_limit_tenant": 10_000}
        async with open_door(tmp_path / "data", word_detectors(), **options) as door:
            assert await note(door) is None
            first = await door.client.post("/v1/assessments", json=BODY, headers={HEADER: "a"})
            assert first.status_code in (200, 206)
            server.kill()
            answers = [await door.client.post("/v1/assessments", json=BODY, headers={HEADER: "b"}) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [first.status_code] * 3
            assert [REPLAYED in answer.headers for answer in answers] == [False, True, True]
            assert len({answer.content for answer in answers}) == 1
            assert "ratelimit" in answers[0].headers
            told = await note(door)
            assert told is not None
            assert told.startswith("degraded: Redis ")
            assert server.url not in told
            assert await gauge(door, "llama_mapper_shared_state_degraded") == 1
            assert await gauge(door, "llama_mapper_shared_state_losses") >= 1
            assert await gauge(door, "llama_mapper_shared_state_local_calls") >= 4
            server.start()
            await until_back(door)
            assert await gauge(door, "llama_mapper_shared_state_degraded") == 0
            again = await door.client.post("/v1/assessments", json=BODY, headers={HEADER: "b"})
            assert again.content == answers[0].content
            assert (await door.client.post("/v1/assessments", json=BODY, headers={HEADER: "c"})).status_code < 300


async def test_a_redis_that_is_away_at_the_start_keeps_nothing_from_starting(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    async with open_door(tmp_path, word_detectors(), redis_url=url, redis_timeout_ms=5000) as door:
        told = await note(door)
        assert told is not None
        assert told.startswith("degraded: ")
        assert (await door.client.post("/v1/assessments", json=BODY, headers={HEADER: "a"})).status_code in (200, 206)


@pytest.mark.parametrize("start", [running_front, running_analysis_service, running_mapping_service])
async def test_every_split_service_shares_its_state_and_tells_when_it_cannot(
    tmp_path: Path, start: Callable[[Settings], AbstractAsyncContextManager[Running]], valkey: str
) -> None:
    links: dict[str, object] = {"analysis_url": "http://127.0.0.1:1", "mapping_url": "http://127.0.0.1:1"}
    settings = Settings.load(data_dir=tmp_path, detector_workers=0, redis_url=valkey, redis_timeout_ms=5000, **links)
    async with start(settings) as running:
        assert "shared_state" not in running.notes()
    away = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}")})
    async with start(away) as running:
        assert "degraded" in running.notes()["shared_state"]


async def test_requests_under_load_live_through_kills_and_hangs(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        options: dict[str, object] = {"redis_url": server.url, "rate_limit_tenant": 1_000_000}
        async with open_door(tmp_path / "data", word_detectors(), **options) as door:
            statuses: list[int] = []
            stop = False

            async def client(number: int) -> None:
                turn = 0
                while not stop:
                    turn += 1
                    headers = {HEADER: f"{number}-{turn // 2}"}
                    answer = await door.client.post(
                        "/v1/map", json={"vendor": "presidio", "label": "EMAIL_ADDRESS"}, headers=headers
                    )
                    statuses.append(answer.status_code)
                    await asyncio.sleep(0.002)

            clients = [asyncio.create_task(client(number)) for number in range(4)]
            await asyncio.sleep(0.3)
            server.hang()
            await asyncio.sleep(0.4)
            server.wake()
            await asyncio.sleep(0.3)
            server.kill()
            await asyncio.sleep(0.3)
            server.start()
            await until_back(door)
            stop = True
            await asyncio.gather(*clients)
    assert set(statuses) == {200}
    assert len(statuses) > 20
