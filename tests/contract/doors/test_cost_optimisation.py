"""The optimiser through the HTTP door: what a tenant really mapped, for itself alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from tests.support.doors import Door, open_door

URL = "/v1/costs/optimisation"
LABELS = {
    "labels": [*[{"vendor": "presidio", "label": "CREDIT_CARD"}] * 3, {"vendor": "nobody", "label": "email_addr"}]
}


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with open_door(tmp_path_factory.mktemp("house"), [], rate_limit_key=0) as door:
        yield door


async def test_what_a_tenant_mapped_is_forecast_for_it_alone(door: Door) -> None:
    acme, globex = await door.new_key("acme"), await door.new_key("globex")
    assert (await door.client.post("/v1/map:batch", json=LABELS, headers=acme)).status_code == 200
    found = (await door.client.get(URL, headers=acme)).json()
    assert (found["labels"], found["unknown_labels"], found["cost"]) == (4, 1, 0.0)
    assert [(each["stage"], each["labels"]) for each in found["stages"]] == [("catalogue_exact", 3), ("lexical", 1)]
    by_name = {each["name"]: each for each in found["forecasts"]}
    assert (by_name["as_it_was"]["answered"], by_name["catalogue-only"]["answered"]) == (4, 3)
    assert by_name["catalogue-only"]["moved"] == 1
    assert by_name["cascade@0.95"]["basis"] == "derived"
    assert found["recommendation"]["change"] is False
    assert found["estimates"]
    assert (await door.client.get(URL, headers=globex)).json()["labels"] == 0


async def test_what_is_counted_is_no_label(door: Door) -> None:
    headers = await door.new_key("initech")
    label = "xq_marker_label_of_initech"
    await door.client.post("/v1/map:batch", json={"labels": [{"vendor": "nobody", "label": label}]}, headers=headers)
    for path in (URL, "/v1/costs", "/v1/costs/recommendations"):
        assert label not in (await door.client.get(path, headers=headers)).text


async def test_a_run_is_kept_for_its_tenant_and_there_is_one_a_day(door: Door) -> None:
    admin = await door.new_key("umbrella", Scope.ADMIN, Scope.READ)
    reader, other = await door.new_key("umbrella"), await door.new_key("globex")
    assert (await door.client.post(f"{URL}:run", headers=reader)).status_code == 403
    told = await door.client.post(f"{URL}:run", headers=admin)
    assert told.status_code == 200, told.text
    again = await door.client.post(f"{URL}:run", headers=admin)
    assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")
    assert (await door.client.get("/v1/costs/recommendations", headers=reader)).json() == {"items": [told.json()]}
    assert (await door.client.get("/v1/costs/recommendations", headers=other)).json() == {"items": []}


@pytest.mark.parametrize(
    "query", ["since=yesterday", "max_loss=2", "max_loss=some", "since=2026-01-02&until=2026-01-01"]
)
async def test_a_question_that_is_none_is_refused(door: Door, query: str) -> None:
    answer = await door.client.get(f"{URL}?{query}", headers=await door.new_key("acme"))
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
