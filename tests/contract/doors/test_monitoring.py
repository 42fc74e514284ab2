"""How mapping is doing, through the HTTP door of an installation with embedded defaults and a past."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.adapters.mapping.sql_monitoring import SqlMonitoring
from llama_mapper.domain.kernel.tenancy import EVERYONE, Scope
from llama_mapper.domain.mapping.monitoring.ports import Part
from llama_mapper.domain.mapping.monitoring.tally import Dimension, Tally
from llama_mapper.domain.mapping.monitoring.windows import Width, start_of
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.settings import Settings
from tests.support.doors import Door, open_door

SECRET = "QX-BROKEN-17"
NAMES = ("throughput", "drift", "anomalies", "correlations", "causes", "capacity", "alerts", "reference")


def quiet_hour() -> Tally:
    """An hour of 40 calls of 25 labels each, of which one in a hundred abstained."""
    tally = Tally()
    every = tally.at(Dimension.ALL, "all")
    every.labels, every.abstained, every.calls, every.busy_us, every.abstained_ppm = 1_000, 10, 40, 40_000, 400_000
    tally.at(Dimension.STAGE, "catalogue_exact").labels = 990
    tally.at(Dimension.STAGE, "abstained").labels = 10
    tally.at(Dimension.CATEGORY, "pii.financial_data").labels = 990
    tally.at(Dimension.CONFIDENCE, "19").labels = 990
    presidio = tally.at(Dimension.VENDOR, "presidio")
    presidio.labels, presidio.abstained = 1_000, 10
    work = tally.at(Dimension.WORK, "catalogue")
    work.labels, work.calls, work.busy_us = 1_000, 40, 40_000
    return tally


async def remember(folder: Path, tenant: str, now: datetime, hours: int = 24 * 9) -> None:
    """Give a tenant a past of quiet hours that ends three hours ago."""
    async with open_database(database_for(Settings.load(data_dir=folder), "mapping")) as database:
        first = start_of(now, Width.HOUR) - 3 * Width.HOUR
        starts = [first - number * Width.HOUR for number in range(hours)]
        await SqlMonitoring(database).put(
            tenant, [Part(Width.HOUR, start, "past", 1, quiet_hour()) for start in starts]
        )


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """A server whose tenant `acme` has a quiet past."""
    await remember(tmp_path, "acme", datetime.now(UTC))
    async with open_door(tmp_path, []) as door:
        yield door


async def changed_traffic(door: Door, key: dict[str, str]) -> None:
    """Calls of another vendor, half of whose labels nobody knows."""
    labels = [{"vendor": "llama_guard", "vendor_version": "3", "label": "S10"}] * 10
    labels += [{"vendor": "llama_guard", "vendor_version": "3", "label": SECRET}] * 10
    for _ in range(30):
        answer = await door.client.post("/v1/map:batch", json={"labels": labels}, headers=key)
        assert answer.status_code == 200, answer.text


async def told(door: Door, path: str, key: dict[str, str], **query: str | float) -> Any:
    answer = await door.client.get(f"/v1/monitoring/{path}", params=query, headers=key)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_drift_is_found_after_the_traffic_has_changed_with_what_explains_it(door: Door) -> None:
    key = await door.new_key("acme")
    since = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    before = await told(door, "drift", key, since=since)
    assert (before["level"], before["reference"]["labels"]) == ("too_few", 7 * 24_000)
    await changed_traffic(door, key)
    report = await told(door, "drift", key, since=since)
    levels = {figure["subject"]: figure["level"] for figure in report["figures"]}
    assert (report["level"], levels["vendor"], levels["stage"]) == ("strong", "strong", "strong")
    vendor = next(figure for figure in report["figures"] if figure["subject"] == "vendor")
    assert vendor["psi"] > 0.25 > vendor["chance_psi"]
    assert {one["element"] for one in vendor["elements"][:2]} == {"presidio", "llama_guard"}
    assert report["abstention"]["rising"] is True
    assert report["abstention"]["low"] > report["abstention"]["margin"]

    causes = await told(door, "causes", key, metric="abstention", since=since)
    assert (causes["changed"], causes["reference_value"], causes["current_value"]) == (True, 0.01, 0.5)
    vendors = next(one for one in causes["dimensions"] if one["dimension"] == "vendor")
    assert [one["element"] for one in vendors["elements"]] == ["llama_guard"]
    assert vendors["elements"][0]["current_value"] == 0.5
    assert causes["began"] is not None
    for name in NAMES:
        assert SECRET not in str(await told(door, name, key))


async def test_throughput_and_capacity_tell_what_was_mapped(door: Door) -> None:
    key = await door.new_key("acme")
    await changed_traffic(door, key)
    report = await told(door, "throughput", key)
    assert (report["period"]["labels"], report["calls"], report["period"]["window_s"]) == (600, 30, 60)
    assert {stage["stage"]: stage["labels"] for stage in report["stages"]} == {"catalogue_exact": 300, "abstained": 300}
    assert sum(point["labels"] for point in report["points"]) == 600
    own = next(one for one in report["workers"] if one["who"] == "catalogue")
    assert (own["calls"], own["places"]) == (30, 1.0)
    assert 0 < own["under_way"] <= own["peak_under_way"]
    capacity = await told(door, "capacity", key, growth=1000.0, utilisation=0.5)
    (process,) = capacity["needs"]
    assert process["who"] == "process"
    assert process["peak_calls_per_second"] >= 30 / 3_600
    assert process["places_needed"] >= process["offered_load"] / 0.5
    assert (await told(door, "anomalies", key))["threshold"] == 3.5
    assert (await told(door, "correlations", key))["pairs_compared"] > 0


async def test_tenants_see_their_own_and_only_the_operator_the_sum(door: Door) -> None:
    acme, beta = await door.new_key("acme"), await door.new_key("beta")
    await changed_traffic(door, acme)
    for name in NAMES:
        assert "presidio" not in str(await told(door, name, beta)), name
    assert (await told(door, "throughput", beta))["period"]["labels"] == 0
    for name in NAMES[:6]:
        refused = await door.client.get(f"/v1/monitoring/{name}?installation=true", headers=beta)
        assert (refused.status_code, refused.json()["code"]) == (403, "INSUFFICIENT_RBAC")
    operator = await door.new_key(door.running.operator_tenant)
    await told(door, "throughput", acme)  # writes what acme mapped
    assert (await told(door, "throughput", operator, installation="true"))["period"]["labels"] == 600
    assert (await told(door, "throughput", operator))["period"]["labels"] == 0


async def test_a_reference_is_set_by_an_administrator_for_its_tenant(door: Door) -> None:
    admin, reader = await door.new_key("acme", Scope.ADMIN, Scope.READ), await door.new_key("acme")
    other, url = await door.new_key("beta"), "/v1/monitoring/reference"
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    asked = {"since": (hour - timedelta(days=3)).isoformat(), "until": (hour - timedelta(days=2)).isoformat()}
    assert (await door.client.put(url, json=asked, headers=reader)).status_code == 403
    answer = await door.client.put(url, json=asked, headers=admin)
    assert answer.status_code == 200, answer.text
    assert (await told(door, "reference", other))["reference"] is None
    report = await told(door, "drift", reader)
    assert (report["reference_is_set"], report["reference"]["labels"]) == (True, 24_000)
    for wrong in (
        {**asked, "until": asked["since"]},
        {**asked, "until": (hour + timedelta(days=1)).isoformat()},
        {**asked, "since": (hour - timedelta(days=3, minutes=1)).isoformat()},
        {"since": "2026-01-01T00:00:00", "until": "2026-01-02T00:00:00"},
    ):
        refused = await door.client.put(url, json=wrong, headers=admin)
        assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_REQUEST"), wrong
    assert (await door.client.delete(url, headers=admin)).json() == {"reference": None}
    assert (await told(door, "drift", reader))["reference_is_set"] is False


NONE = [
    "throughput?since=yesterday",
    "throughput?since=2026-03-10T12:00:00",
    "throughput?since=9999-12-31T23:00:00Z",
    "throughput?since=2020-01-01T00:00:00Z",
    "throughput?since=2099-01-01T00:00:00Z&until=2099-01-02T00:00:00Z",
    "throughput?window_s=61",
    "throughput?window_s=60&since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z",
    "drift?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
    "drift?reference_since=2026-01-02T00:00:00Z",
    "causes?metric=mood",
    "capacity?growth=nan",
    "capacity?growth=0",
    "capacity?utilisation=1",
    "capacity?days=91",
    "anomalies?days=0",
    "anomalies?days=many",
    "anomalies?installation=perhaps",
]
"""Questions that are none."""


async def test_a_question_that_is_none_is_refused(door: Door) -> None:
    key = await door.new_key("acme")
    for query in NONE:
        answer = await door.client.get(f"/v1/monitoring/{query}", headers=key)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST"), query


async def test_the_sum_of_all_tenants_is_in_the_metrics_without_a_tenants_name(tmp_path: Path) -> None:
    await remember(tmp_path, EVERYONE, datetime.now(UTC))
    async with open_door(tmp_path, []) as door:
        text = (await door.client.get("/metrics")).text
    assert "llama_mapper_mapping_drift_abstention_rising 0.0" in text
    assert "acme" not in text
