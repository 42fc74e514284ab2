"""Training jobs through the HTTP door: administrators only, each tenant its own, and nothing that cannot be trained."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.entrypoints.containers.mapping import running_mapping
from llama_mapper.entrypoints.containers.models import running_models
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.containers.training import running_training
from llama_mapper.entrypoints.http.services import application_of
from llama_mapper.entrypoints.settings import Settings
from tests.support.doors import Door

ASKED = {"kind": "mapper", "base_model": "small", "hyperparameters": {"steps": 3}}
PATH = "/v1/training/jobs"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """The mapping service in this process; its interpreter for training is this one, which has no torch."""
    import httpx2

    from llama_mapper.entrypoints.containers.databases import open_database

    settings = Settings.load(
        data_dir=tmp_path / "data", training_base_models={"small": tmp_path}, training_python=sys.executable
    )
    platform = PlatformContainer(settings=settings)
    async with (
        open_database(platform.database()),
        running_mapping(platform) as mapping,
        running_models(platform, mapping.database()) as models,
        running_training(platform, mapping, models) as training,
    ):
        app: Starlette = application_of(
            Running(platform=platform, checks={}, mapping=mapping.service(), training=training), settings, front=True
        )
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
            yield Door(Running(platform=platform, checks={}), client)


async def ended(door: Door, location: str, headers: dict[str, str]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            job: dict[str, Any] = (await door.client.get(location, headers=headers)).raise_for_status().json()
            if job["ended_at"] is not None:
                return job
            await asyncio.sleep(0.02)


async def test_a_job_that_lacks_its_packages_fails_and_says_what_is_missing(door: Door) -> None:
    admin = await door.new_key("acme", Scope.ADMIN)
    answer = await door.client.post(PATH, json=ASKED, headers=admin)
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "queued"
    location = answer.headers["location"]
    assert location == f"{PATH}/{answer.json()['id']}"
    job = await ended(door, location, admin)
    assert job["status"] == "failed"
    assert job["error"]["code"] == "CONFIGURATION_INVALID"
    assert "lacks torch" in job["error"]["message"]
    log = await door.client.get(f"{location}/logs", headers=admin)
    assert log.json() == {"id": job["id"], "lines": [], "truncated": False}
    again = await door.client.delete(location, headers=admin)
    assert (again.status_code, again.json()["status"]) == (200, "failed")


async def test_only_administrators_train_and_see_what_is_trained(door: Door) -> None:
    admin, other = await door.new_key("acme", Scope.ADMIN), await door.new_key("globex", Scope.ADMIN)
    user = await door.new_key("acme", Scope.ASSESS, Scope.READ)
    created = await door.client.post(PATH, json=ASKED, headers=admin)
    location = created.headers["location"]
    for method, path in (
        ("POST", PATH),
        ("GET", PATH),
        ("GET", location),
        ("GET", f"{location}/logs"),
        ("DELETE", location),
    ):
        answer = await door.client.request(method, path, headers=user, json=ASKED if method == "POST" else None)
        assert answer.status_code == 403, (method, path)
        if path != PATH:
            assert (await door.client.request(method, path, headers=other)).status_code == 404, (method, path)
    assert (await door.client.get(PATH, headers=other)).json()["items"] == []
    assert [job["id"] for job in (await door.client.get(PATH, headers=admin)).json()["items"]] == [created.json()["id"]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_model": "other"}, "known are small"),
        ({"base_model": "../etc/passwd"}, "base_model"),
        ({"kind": "poet"}, "kind"),
        ({"hyperparameters": {"steps": 0}}, "steps"),
        ({"hyperparameters": {"target_modules": ["x"]}}, "target_modules"),
        ({"data": {"validation_share": 0.9}}, "validation_share"),
        ({"reviewed_labels": [{"vendor": "v", "label": "L", "canonical": "pii.nonsense"}]}, "reviewed_labels.0"),
    ],
)
async def test_what_cannot_be_trained_is_refused(door: Door, changes: dict[str, Any], said: str) -> None:
    admin = await door.new_key("acme", Scope.ADMIN)
    answer = await door.client.post(PATH, json={**ASKED, **changes}, headers=admin)
    assert answer.status_code == 400
    assert said in answer.text
    assert (await door.client.get(PATH, headers=admin)).json()["items"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001"])
async def test_a_page_is_bounded(door: Door, query: str) -> None:
    admin = await door.new_key("acme", Scope.ADMIN)
    assert (await door.client.get(f"{PATH}?{query}", headers=admin)).status_code == 400


async def test_the_same_request_sent_twice_is_one_job(door: Door) -> None:
    headers = {**await door.new_key("acme", Scope.ADMIN), "idempotency-key": "once"}
    first, second = [await door.client.post(PATH, json=ASKED, headers=headers) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
