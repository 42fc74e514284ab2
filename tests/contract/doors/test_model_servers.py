"""`/v1/model-servers` through the real application; with a real tritonserver in tests/models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from tests.support.doors import Door, open_door
from tests.support.servers import free_port

pytest.importorskip("tritonclient", reason="the extra `triton` is not installed")
URL = "/v1/model-servers"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    away = {"name": "gpu", "url": f"127.0.0.1:{free_port()}", "models": ["llama3_mapper"]}
    async with open_door(tmp_path / "data", [], model_servers=[away], operator_tenant="operator") as opened:
        yield opened


async def test_a_server_that_is_away_is_told_and_a_step_that_fails_is_kept(door: Door) -> None:
    operator = await door.new_key("operator", Scope.READ, Scope.ADMIN)
    (gpu,) = (await door.client.get(URL, headers=operator)).json()["items"]
    assert (gpu["name"], gpu["ready"], gpu["fault"]) == ("gpu", False, "unavailable")
    assert gpu["missing"] == ["llama3_mapper"]
    failed = await door.client.post(
        f"{URL}/gpu/models/llama3_mapper:load", json={"note": "new weights"}, headers=operator
    )
    assert (failed.status_code, failed.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    counts = await door.client.get(f"{URL}/gpu/models/llama3_mapper/statistics", headers=operator)
    assert counts.status_code == 503
    ended, begun = (await door.client.get(f"{URL}/gpu/history", headers=operator)).json()["items"]
    assert (begun["state"], ended["state"], ended["code"]) == ("begun", "failed", "SERVICE_UNAVAILABLE")
    assert (ended["of"], begun["of"]) == (begun["number"], begun["number"])
    assert (begun["who"], begun["door"], begun["note"]) == ("for a test", "http", "new weights")
    newest = (await door.client.get(f"{URL}/gpu/history?limit=1", headers=operator)).json()["items"]
    assert newest == [ended]


async def test_only_the_operator_may_use_them_and_only_an_administrator_may_load(door: Door) -> None:
    stranger = await door.new_key("globex", Scope.READ, Scope.ADMIN)
    reader = await door.new_key("operator", Scope.READ)
    for path in (URL, f"{URL}/gpu", f"{URL}/gpu/history", f"{URL}/gpu/models/x/statistics"):
        assert (await door.client.get(path, headers=stranger)).status_code == 403
    for verb in ("load", "unload"):
        for key in (stranger, reader):
            refused = await door.client.post(f"{URL}/gpu/models/x:{verb}", json={}, headers=key)
            assert (refused.status_code, refused.json()["code"]) == (403, "INSUFFICIENT_RBAC")
    assert (await door.client.get(f"{URL}/gpu/history", headers=reader)).json()["items"] == []


async def test_what_there_is_not_is_not_found_and_what_no_name_is_is_refused(door: Door) -> None:
    operator = await door.new_key("operator", Scope.READ, Scope.ADMIN)
    assert (await door.client.get(f"{URL}/cpu", headers=operator)).status_code == 404
    assert (await door.client.post(f"{URL}/cpu/models/x:load", json={}, headers=operator)).status_code == 404
    assert (await door.client.get(f"{URL}/GPU", headers=operator)).status_code == 400
    assert (await door.client.post(f"{URL}/gpu/models/%20:load", json={}, headers=operator)).status_code == 400
    wrong = {"parameters": {"a b": "x"}}
    assert (await door.client.post(f"{URL}/gpu/models/x:load", json=wrong, headers=operator)).status_code == 400
    assert (await door.client.get(f"{URL}/gpu/history", headers=operator)).json()["items"] == []
