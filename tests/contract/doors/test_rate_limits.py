"""Callers get so many requests a minute, are told how they stand, and none is limited for another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
from starlette.requests import Request

from llama_mapper.adapters.platform.shared_state.memory_rate_limiter import MemoryRateLimiter
from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.entrypoints.http.rate_limits import RateLimits
from llama_mapper.entrypoints.http.services import application_of
from llama_mapper.entrypoints.settings import Settings
from tests.support.apis import word_detectors
from tests.support.doors import Door, open_door

LINK_SECRET = "only the services know this"


async def listed(door: Door, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    return await door.client.get("/v1/detectors", headers=dict(headers or {}))


async def refusals(door: Door, headers: Mapping[str, str] | None = None, *, of: int) -> list[httpx2.Response]:
    """Of so many requests, those that were refused for their number."""
    answers = [await listed(door, headers) for _ in range(of)]
    return [answer for answer in answers if answer.status_code == 429]


async def test_a_key_gets_its_requests_and_is_then_told_how_long_to_wait(
    tmp_path: Path, state: Mapping[str, object]
) -> None:
    async with open_door(tmp_path, word_detectors(), rate_limit_key=5, **state) as door:
        key = await door.new_key("acme")
        first = await listed(door, key)
        assert first.status_code == 200
        assert first.headers["ratelimit-policy"] == '"key";q=5;w=60'
        assert re.fullmatch(r'"key";r=4;t=([1-9]|[1-5]\d|60)', first.headers["ratelimit"])
        refused = await refusals(door, key, of=15)  # 4 more, and 5 if the window ends meanwhile
        assert len(refused) >= 6
        problem = refused[0].json()
        assert (problem["code"], problem["retryable"]) == ("RATE_LIMITED", True)
        wait = int(refused[0].headers["retry-after"])
        assert 1 <= wait <= 120
        assert wait >= problem["retry_after_s"]
        assert refused[0].headers["ratelimit"] == f'"key";r=0;t={wait}'
        assert refused[0].headers["ratelimit-policy"] == '"key";q=5;w=60'


async def test_keys_of_one_tenant_are_counted_apart_and_together(tmp_path: Path, state: Mapping[str, object]) -> None:
    async with open_door(tmp_path, word_detectors(), rate_limit_key=1000, rate_limit_tenant=4, **state) as door:
        one, other = await door.new_key("alpha"), await door.new_key("alpha")
        beta = await door.new_key("beta")
        answers = [await listed(door, key) for key in (one, other, one)]
        assert [answer.status_code for answer in answers] == [200] * 3
        policies = answers[2].headers["ratelimit-policy"].split(", ")
        assert policies == ['"key";q=1000;w=60', '"tenant";q=4;w=60']
        key_part, tenant_part = answers[2].headers["ratelimit"].split(", ")
        assert re.match(r'"key";r=99[89];', key_part)  # of two by this key, or one if the window ended meanwhile
        assert re.match(r'"tenant";r=[123];', tenant_part)
        assert await refusals(door, other, of=20)
        assert (await listed(door, beta)).status_code == 200


async def test_an_address_that_guesses_credentials_is_stopped(tmp_path: Path, state: Mapping[str, object]) -> None:
    async with open_door(tmp_path, word_detectors(), rate_limit_address=3, **state) as door:
        await door.new_key("acme")
        guess = {"authorization": f"Bearer lm_{'0' * 16}_{'A' * 43}"}
        statuses = [(await listed(door, guess)).status_code for _ in range(12)]
        assert statuses[:2] == [401, 401]
        assert set(statuses) == {401, 429}
        assert statuses.count(401) <= 6


async def test_without_keys_nobody_on_this_machine_is_limited_unless_asked_for(tmp_path: Path) -> None:
    async with open_door(tmp_path, word_detectors(), rate_limit_key=1) as door:
        assert not await refusals(door, of=20)
        assert "ratelimit" not in (await listed(door)).headers
    async with open_door(tmp_path / "other", word_detectors(), rate_limit_tenant=2) as door:
        assert await refusals(door, of=20)


async def test_health_and_metrics_are_never_limited(tmp_path: Path) -> None:
    async with open_door(tmp_path, word_detectors(), rate_limit_address=1, rate_limit_tenant=1) as door:
        assert await refusals(door, of=10)
        for path in ("/healthz", "/readyz", "/metrics"):
            for _ in range(5):
                answer = await door.client.get(path)
                assert answer.status_code == 200
                assert "ratelimit" not in answer.headers


async def test_calls_of_the_other_contexts_are_not_counted(tmp_path: Path) -> None:
    options: dict[str, object] = {"rate_limit_address": 2, "rate_limit_tenant": 1, "rate_limit_key": 1}
    async with open_door(tmp_path, word_detectors(), link_secret=LINK_SECRET, **options) as door:
        assert not await refusals(door, {"authorization": f"Bearer {LINK_SECRET}"}, of=20)
        assert await refusals(door, {"authorization": "Bearer no"}, of=20)


async def test_a_caller_without_the_scope_is_counted_all_the_same(tmp_path: Path) -> None:
    async with open_door(tmp_path, word_detectors(), rate_limit_key=3) as door:
        key = await door.new_key("acme", Scope.ASSESS)
        answers = [
            await door.client.post("/v1/map", json={"vendor": "a", "label": "b"}, headers=key) for _ in range(12)
        ]
        assert {answer.status_code for answer in answers} == {200, 429}
        reader = await door.new_key("acme", Scope.READ)
        answers = [
            await door.client.post("/v1/map", json={"vendor": "a", "label": "b"}, headers=reader) for _ in range(12)
        ]
        assert {answer.status_code for answer in answers} == {403, 429}
        assert "ratelimit" in answers[0].headers


async def test_two_servers_on_one_redis_share_the_limit(tmp_path: Path, valkey: str) -> None:
    shared = {"redis_url": valkey, "redis_timeout_ms": 5000, "rate_limit_key": 6}
    async with open_door(tmp_path, word_detectors(), **shared) as one:
        key = await one.new_key("acme")
        settings = Settings.load(data_dir=tmp_path, detector_workers=0, **shared)
        app = application_of(one.running, settings, front=True)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
            other = Door(one.running, client)
            answers = [await listed(door, key) for _ in range(15) for door in (one, other)]
    admitted = [answer for answer in answers if answer.status_code == 200]
    assert 6 <= len(admitted) <= 12


async def test_every_operation_declares_the_refusal(tmp_path: Path) -> None:
    async with open_door(tmp_path, word_detectors()) as door:
        document = (await door.client.get("/openapi.json")).json()
    for methods in document["paths"].values():
        for operation in methods.values():
            refusal = operation["responses"]["429"]
            assert "RATE_LIMITED" in refusal["description"]
            assert set(refusal["headers"]) == {"Retry-After", "RateLimit-Policy", "RateLimit"}


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("not an address", "nor this", True),
    ],
)
async def test_which_addresses_are_one_caller(one: str, other: str, together: bool) -> None:
    limits = RateLimits(MemoryRateLimiter(), address=1)

    async def refused(host: str) -> bool:
        request = SimpleNamespace(client=SimpleNamespace(host=host))
        allowances = await limits.admit_address(request)  # type: ignore[arg-type]  # all of it that is looked at
        return allowances[0].retry_after_s is not None

    assert not await refused(one)
    assert await refused(other) is together


async def test_a_request_without_an_address_is_counted_as_unknown() -> None:
    limits = RateLimits(MemoryRateLimiter(), address=1)
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "client": None})
    assert (await limits.admit_address(request))[0].retry_after_s is None
    assert (await limits.admit_address(request))[0].retry_after_s is not None
