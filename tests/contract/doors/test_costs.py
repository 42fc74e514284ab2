"""Costs through the HTTP door: what was mapped is counted, budgets are the tenant's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from tests.support.doors import Door, open_door

LABELS = {"labels": [{"vendor": "presidio", "label": "CREDIT_CARD"}] * 3}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path, []) as door:
        yield door


async def test_what_a_tenant_mapped_is_counted_for_it_alone(door: Door) -> None:
    acme, beta = await door.new_key("acme"), await door.new_key("beta")
    assert (await door.client.post("/v1/map:batch", json=LABELS, headers=acme)).status_code == 200
    report = (await door.client.get("/v1/costs", headers=acme)).json()
    assert (report["total"]["labels"], report["total"]["calls"], report["total"]["cost"]) == (3, 1, 0.0)
    assert report["by_source"]["mapping"]["compute_time_ms"] > 0
    assert report["until"] == datetime.now(UTC).date().isoformat()
    assert (await door.client.get("/v1/costs", headers=beta)).json()["lines"] == []


async def test_a_budget_is_set_by_an_administrator_and_seen_by_its_tenant_alone(door: Door) -> None:
    admin = await door.new_key("acme", Scope.ADMIN, Scope.READ)
    reader, other = await door.new_key("acme"), await door.new_key("beta")
    asked = {"limit": 5.0, "when_used_up": "stop_models"}
    url = "/v1/costs/budget"
    assert (await door.client.put(url, json=asked, headers=reader)).status_code == 403
    answer = await door.client.put(url, json=asked, headers=admin)
    assert answer.status_code == 200, answer.text
    budget = (await door.client.get(url, headers=reader)).json()["budget"]
    assert (budget["limit"], budget["period"], budget["spent"], budget["used_up"]) == (5.0, "month", 0.0, False)
    assert (await door.client.get(url, headers=other)).json() == {"budget": None}
    assert (await door.client.delete(url, headers=admin)).json() == {"budget": None}
    assert (await door.client.get("/v1/costs/alerts", headers=reader)).json() == {"items": []}


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-13-01", "since=2026-01-02&until=2026-01-01"])
async def test_a_span_that_is_none_is_refused(door: Door, query: str) -> None:
    answer = await door.client.get(f"/v1/costs?{query}", headers=await door.new_key("acme"))
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 1, "warn_at": [1.5]}, {"limit": 1, "period": "year"}, {}])
async def test_a_budget_that_is_none_is_refused(door: Door, asked: dict[str, object]) -> None:
    admin = await door.new_key("acme", Scope.ADMIN)
    answer = await door.client.put("/v1/costs/budget", json=asked, headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
