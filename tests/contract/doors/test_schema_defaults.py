"""Which version callers get who name none: configured, deployed to a share of them, rolled back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.domain.kernel.traffic import TrafficSplit
from tests.support.doors import Door, open_door
from tests.support.schemas import ASKED, TOLD, link, profile, serving_schemas, two_versions

LABELS = [{"vendor": "presidio", "label": "CREDIT_CARD"}]
OLD_LABELS = [{"source": "presidio", "label": "CREDIT_CARD"}]
SOON = {"min_seconds": 0.0, "min_requests": 3}


@asynccontextmanager
async def a_door(folder: Path, *, broken: bool = False, **options: object) -> AsyncIterator[Door]:
    with serving_schemas(two_versions(with_others=True, broken=broken)):
        async with open_door(folder, [], release_interval_s=0.05, **options) as door:
            yield door


async def mapped(door: Door, labels: Any = LABELS, **headers: str) -> Any:
    return await door.client.post("/v1/map:batch", json={"labels": labels}, headers=headers)


async def told(door: Door, model: str = TOLD, headers: dict[str, str] | None = None) -> dict[int, dict[str, Any]]:
    items = (await door.client.get("/v1/schemas", headers=headers)).json()["items"]
    return {one["major"]: one for one in items if one["model"] == model}


async def deployed(door: Door, model: str, major: int, headers: Any = None, **how: Any) -> str:
    answer = await door.client.post(f"/v1/schemas/{model}/versions/{major}:deploy", json=how, headers=headers)
    assert answer.status_code == 201, answer.text
    async with asyncio.timeout(60):
        while (await told(door, model, headers))[major]["release"] is None:
            await asyncio.sleep(0.02)
    release: str = answer.json()["id"]
    return release


async def until(door: Door, release: str, state: str) -> dict[str, Any]:
    """Keep asking, as callers do, until the release is where it should be."""
    async with asyncio.timeout(120):
        while True:
            found = (await door.client.get(f"/v1/releases/{release}")).json()
            if found["state"] == state:
                return dict(found)
            for _ in range(10):
                assert (await mapped(door)).status_code == 200
            await asyncio.sleep(0.05)


async def test_the_configured_version_is_spoken_with_whoever_names_none(tmp_path: Path) -> None:
    async with a_door(tmp_path, schema_defaults={TOLD: 1, ASKED: 1}) as door:
        plain = await mapped(door, OLD_LABELS)
        assert plain.json()["mappings"][0]["source"] == "presidio"
        assert plain.headers["link"] == link(TOLD, 1)
        named = await mapped(door, **{"accept": profile(TOLD, 2), "content-type": profile(ASKED, 2)})
        assert named.json()["mappings"][0]["vendor"] == "presidio"
        again = [await mapped(door, OLD_LABELS, **{"idempotency-key": "same"}) for _ in range(2)]
        assert [one.headers["link"] for one in again] == [link(TOLD, 1)] * 2
        assert again[0].content == again[1].content
        found = await told(door)
        assert [(found[n]["percent"], found[n]["default"], found[n]["newest"]) for n in (1, 2)] == [
            (100.0, True, False),
            (0.0, False, True),
        ]


async def test_a_default_that_is_not_served_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="schema_defaults names LabelMappingResponse in version 7"):
        async with a_door(tmp_path, schema_defaults={TOLD: 7}):
            pass


async def test_every_answer_of_a_published_schema_names_the_version_that_it_keeps(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        answers = {
            "ReviewPage": await door.client.get("/v1/reviews"),
            "DetectorList": await door.client.get("/v1/detectors"),
            "PolicyList": await door.client.get("/v1/policies"),
            "ValidationReport": await door.client.post(
                "/v1/validate", json={"schema_id": f"urn:llama-mapper:schema:{ASKED}:2", "document": {}}
            ),
        }
        assert {model: one.headers["link"] for model, one in answers.items()} == {
            model: link(model, 1) for model in answers
        }
        one_label = await door.client.post("/v1/map", json=LABELS[0])
        assert one_label.status_code == 200
        assert "link" not in one_label.headers  # one mapped label is no published document
        assert "link" not in (await door.client.get("/v1/reviews", params={"limit": "0"})).headers


async def test_a_caller_keeps_its_version_for_as_long_as_a_stage_stands(tmp_path: Path) -> None:
    async with a_door(tmp_path, schema_defaults={TOLD: 1}) as door:
        operator = await door.new_key("local", Scope.ASSESS, Scope.READ, Scope.ADMIN)
        keys = [await door.new_key("acme") for _ in range(24)]
        release = await deployed(door, TOLD, 2, operator, stages=[25.0, 100.0], automatic=False)
        split = TrafficSplit(release, {"candidate": 2500})
        expected = [2 if split.arm_of("acme", one["authorization"].split("_")[1]) else 1 for one in keys]
        assert set(expected) == {1, 2}
        for _ in range(2):
            got = [(await mapped(door, **one)).headers["link"] for one in keys]
            assert got == [link(TOLD, major) for major in expected]
        mine = [await told(door, headers=one) for one in keys]
        assert [2 if one[2]["default"] else 1 for one in mine] == expected
        assert {(one[1]["percent"], one[2]["percent"], one[2]["release"]) for one in mine} == {(75.0, 25.0, release)}


async def test_a_deployment_to_some_tenants_changes_nothing_for_the_others(tmp_path: Path) -> None:
    async with a_door(tmp_path, schema_defaults={TOLD: 1}) as door:
        operator = await door.new_key("local", Scope.ASSESS, Scope.READ, Scope.ADMIN)
        acme, globex = await door.new_key("acme"), await door.new_key("globex")
        await door.client.post(
            f"/v1/schemas/{TOLD}/versions/2:deploy", json={"stages": [100.0], "tenants": ["acme"]}, headers=operator
        )
        async with asyncio.timeout(60):
            while not (await told(door, headers=acme))[2]["default"]:
                await asyncio.sleep(0.02)
        assert (await mapped(door, **acme)).headers["link"] == link(TOLD, 2)
        assert (await mapped(door, **globex)).headers["link"] == link(TOLD, 1)
        theirs = await told(door, headers=globex)
        assert (theirs[1]["percent"], theirs[1]["release"], theirs[2]["percent"]) == (100.0, None, 0.0)


async def test_a_version_that_does_well_is_for_everybody_in_the_end_and_stays(tmp_path: Path) -> None:
    async with a_door(tmp_path, schema_defaults={TOLD: 1}) as door:
        release = await deployed(door, TOLD, 2, unit="request", stages=[50.0, 100.0], **SOON)
        found = await until(door, release, "completed")
        arms = {arm["arm"]: arm for arm in found["arms"]}
        assert arms["candidate"]["labels"] == arms["candidate"]["schema_valid"] >= 6
        assert arms["candidate"]["errors"] == 0
        steps = (await door.client.get(f"/v1/releases/{release}/history")).json()["items"]
        assert [(step["step"], step["door"]) for step in steps] == [
            ("started", "http"),
            ("advanced", "controller"),
            ("completed", "controller"),
        ]
    async with a_door(tmp_path, schema_defaults={TOLD: 1}) as again:
        async with asyncio.timeout(60):
            while not (await told(again))[2]["default"]:
                await asyncio.sleep(0.02)
        refused = await again.client.post(f"/v1/schemas/{TOLD}/versions/2:deploy", json={})
        assert (refused.status_code, refused.json()["code"]) == (409, "RELEASE_STATE")
        back = await again.client.post(f"/v1/schemas/{TOLD}/versions/1:deploy", json={})
        assert back.json()["plan"]["baseline"] == f"{TOLD}:2"


async def test_a_version_whose_answers_break_their_schema_is_rolled_back_and_reaches_nobody(tmp_path: Path) -> None:
    async with a_door(tmp_path, broken=True) as door:
        release = await deployed(door, TOLD, 1, unit="request", stages=[50.0, 100.0], **SOON | {"min_requests": 10_000})
        seen = {(await mapped(door)).headers["link"] for _ in range(40)}
        assert seen == {link(TOLD, 2)}
        found = await until(door, release, "rolled_back")
        [gate] = [gate for gate in found["gates"] if gate["name"] == "schema_validity_drop"]
        assert gate["state"] == "failing"
        steps = (await door.client.get(f"/v1/releases/{release}/history")).json()["items"]
        assert (steps[-1]["step"], steps[-1]["door"]) == ("rolled_back", "controller")
        assert any("schema_validity_drop failing" in reason for reason in steps[-1]["reasons"])
        async with asyncio.timeout(60):
            while (await told(door))[2]["release"] is not None:
                await asyncio.sleep(0.02)
        assert (await told(door))[2]["percent"] == 100.0


async def test_a_version_in_which_callers_are_refused_is_rolled_back(tmp_path: Path) -> None:
    async with a_door(tmp_path, schema_defaults={ASKED: 1}) as door:
        release = await deployed(door, ASKED, 2, unit="request", stages=[50.0, 100.0], min_seconds=0.0)
        async with asyncio.timeout(120):
            while (await door.client.get(f"/v1/releases/{release}")).json()["state"] == "running":
                statuses = {(await mapped(door, OLD_LABELS)).status_code for _ in range(10)}
                assert statuses <= {200, 400}
                await asyncio.sleep(0.05)
        assert (await door.client.get(f"/v1/releases/{release}")).json()["state"] == "rolled_back"


async def test_versions_of_two_schemas_are_released_at_the_same_time_and_of_one_not(tmp_path: Path) -> None:
    async with a_door(tmp_path, schema_defaults={TOLD: 1, ASKED: 1}) as door:
        await deployed(door, TOLD, 2)
        await deployed(door, ASKED, 2)
        second = await door.client.post(f"/v1/schemas/{TOLD}/versions/2:deploy", json={})
        assert (second.status_code, second.json()["code"]) == (409, "RELEASE_STATE")


async def test_what_cannot_be_deployed_is_refused(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        cases: tuple[tuple[str, dict[str, Any], int, str], ...] = (
            ("LabelMappingResponse/versions/9", {}, 404, "NOT_FOUND"),
            ("Nothing/versions/1", {}, 404, "NOT_FOUND"),
            ("LabelMappingResponse/versions/one", {}, 400, "INVALID_REQUEST"),
            ("LabelMappingResponse/versions/1", {"stages": [50.0, 5.0, 100.0]}, 400, "INVALID_REQUEST"),
            ("LabelMappingResponse/versions/1", {"unit": "label"}, 400, "INVALID_REQUEST"),
            ("LabelMappingResponse/versions/2", {}, 409, "RELEASE_STATE"),
        )
        for place, body, status, code in cases:
            answer = await door.client.post(f"/v1/schemas/{place}:deploy", json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code), (place, answer.text)
        key = await door.new_key("acme", Scope.ADMIN, Scope.READ)
        answer = await door.client.post(f"/v1/schemas/{TOLD}/versions/1:deploy", json={}, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_RBAC")


async def test_a_plan_of_a_release_may_name_a_schema_too_and_only_one_that_is_served(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        plan = {"mode": "canary", "kind": "schema", "baseline": f"{TOLD}:2", "candidate": f"{TOLD}:1"}
        refused = await door.client.post("/v1/releases", json=plan | {"candidate": f"{TOLD}:3"})
        assert (refused.status_code, refused.json()["code"]) == (422, "RELEASE_GATE_FAILED")
        for wrong in ({"candidate": f"{ASKED}:1"}, {"candidate": "two"}, {"unit": "label"}):
            assert (await door.client.post("/v1/releases", json=plan | wrong)).status_code == 400
        begun = await door.client.post("/v1/releases", json=plan)
        assert begun.status_code == 201, begun.text
        assert begun.json()["plan"]["unit"] == "caller"
        assert begun.json()["plan"]["evaluation"]["digest"].startswith("sha256:")
