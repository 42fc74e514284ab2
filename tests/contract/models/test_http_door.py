"""`/v1/models`, through the real application."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from llama_mapper.domain.kernel.tenancy import Scope
from tests.support.doors import Door, open_door
from tests.support.registered_models import GOOD, lora_folder

NAME = "llama3_mapper"
ONE = f"/v1/models/{NAME}/versions/1.0.0"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Door]:
    async with open_door(folder, [], artifact_limit=1_000_000, operator_tenant="operator") as door:
        yield door


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """One for all tests, which have tenants of their own and leave nothing to everyone."""
    async with opened(tmp_path_factory.mktemp("door")) as door:
        yield door


@pytest.fixture
async def acme(door: Door) -> dict[str, str]:
    """An administrator of a tenant that has nothing yet."""
    return await door.new_key(f"acme-{secrets.token_hex(8)}", Scope.READ, Scope.ADMIN)


def digest_header(content: bytes) -> dict[str, str]:
    return {"content-digest": f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"}


def manifest(folder: Path, version: str = "1.0.0", **changes: Any) -> dict[str, Any]:
    artifacts = [
        {"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size}
        for path in sorted(folder.iterdir())
    ]
    told = {"name": NAME, "version": version, "kind": "mapper", "base_model": "tiny", "metrics": GOOD}
    return {**told, "artifacts": artifacts, **changes}


async def uploaded(door: Door, key: dict[str, str], folder: Path, query: str = "") -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        answer = await door.client.put(
            f"{ONE}/artifacts/{path.name}{query}", content=content, headers=key | digest_header(content)
        )
        assert answer.status_code == 201, answer.text


async def test_a_model_goes_from_files_to_production_over_http(
    door: Door, acme: dict[str, str], tmp_path: Path
) -> None:
    folder = lora_folder(tmp_path / "lora")
    await uploaded(door, acme, folder)
    made = await door.client.post("/v1/models", json=manifest(folder), headers=acme)
    assert made.status_code == 201, made.text
    assert (made.json()["stage"], made.json()["owner"]) == ("candidate", "tenant")
    again = await door.client.post("/v1/models", json=manifest(folder), headers=acme)
    assert (again.status_code, again.json()) == (201, made.json())
    for stage in ("staging", "production"):
        moved = await door.client.post(f"{ONE}:promote", json={"stage": stage}, headers=acme)
        assert (moved.status_code, moved.json()["stage"]) == (200, stage)
    listed = (await door.client.get("/v1/models?kind=mapper&stage=production", headers=acme)).json()
    assert listed["items"][0]["in_production"] == ["1.0.0"]
    assert (await door.client.get("/v1/models?kind=analyst", headers=acme)).json()["items"] == []
    assert (await door.client.get(f"/v1/models/{NAME}", headers=acme)).json()["items"][0]["version"] == "1.0.0"
    shown = (await door.client.get(ONE, headers=acme)).json()
    assert shown["manifest"]["metrics"] == GOOD
    assert shown["envelope"]["payloadType"] == "application/vnd.llama-mapper.model+json"
    assert (await door.client.post(f"{ONE}:verify", headers=acme)).json() == {
        "name": NAME,
        "version": "1.0.0",
        "sound": True,
        "problems": [],
    }
    matrix = (await door.client.get("/v1/models:matrix?taxonomy=1.1.0&taxonomy=9.0.0", headers=acme)).json()
    assert [each["fits"] for each in matrix["items"]] == [True, True]
    told = await door.client.post(f"{ONE}:deprecate", json={"on": "2030-01-01T00:00:00Z"}, headers=acme)
    assert told.json()["deprecated_on"] == "2030-01-01T00:00:00Z"
    archived = await door.client.post(f"{ONE}:archive", json={"note": "over"}, headers=acme)
    assert archived.json()["stage"] == "archived"
    pruned = await door.client.post("/v1/models:prune", json={"keep": {"archived": 0}}, headers=acme)
    assert [each["version"] for each in pruned.json()["removed"]] == ["1.0.0"]
    history = (await door.client.get(f"/v1/models/{NAME}/history?limit=2", headers=acme)).json()
    assert [each["step"] for each in history["items"]] == ["archived", "deprecated"]
    assert history["before"] == 4
    assert history["items"][0]["who"] == "for a test"


async def test_other_tenants_see_and_touch_nothing_of_it(door: Door, acme: dict[str, str], tmp_path: Path) -> None:
    folder = lora_folder(tmp_path / "lora")
    await uploaded(door, acme, folder)
    await door.client.post("/v1/models", json=manifest(folder), headers=acme)
    globex = await door.new_key("globex", Scope.READ, Scope.ADMIN)
    assert (await door.client.get("/v1/models", headers=globex)).json()["items"] == []
    for method, path in (("GET", ONE), ("GET", f"/v1/models/{NAME}/history"), ("POST", f"{ONE}:verify")):
        assert (await door.client.request(method, path, headers=globex)).json()["code"] == "MODEL_NOT_FOUND"
    moved = await door.client.post(f"{ONE}:promote", json={"stage": "staging"}, headers=globex)
    assert moved.json()["code"] == "MODEL_NOT_FOUND"
    stolen = await door.client.post("/v1/models", json=manifest(folder), headers=globex)
    assert stolen.json()["code"] == "MODEL_INVALID"  # the files are another's: they are not there


async def test_the_installations_models_are_the_operators_to_change_and_everyones_to_read(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as door:
        await the_operators_to_change_and_everyones_to_read(door, tmp_path)


async def the_operators_to_change_and_everyones_to_read(door: Door, tmp_path: Path) -> None:
    acme, operator = [await door.new_key(each, Scope.READ, Scope.ADMIN) for each in ("acme", "operator")]
    folder = lora_folder(tmp_path / "lora")
    refused = await door.client.post("/v1/models?owner=installation", json=manifest(folder), headers=acme)
    assert (refused.status_code, refused.json()["code"]) == (403, "INSUFFICIENT_RBAC")
    await uploaded(door, operator, folder, "?owner=installation")
    made = await door.client.post("/v1/models?owner=installation", json=manifest(folder), headers=operator)
    assert made.json()["owner"] == "installation"
    assert (await door.client.get(ONE, headers=acme)).json()["owner"] == "installation"
    for verb, body in (("promote", {"stage": "staging"}), ("archive", {})):
        assert (await door.client.post(f"{ONE}:{verb}", json=body, headers=acme)).status_code == 404
        asked = await door.client.post(f"{ONE}:{verb}?owner=installation", json=body, headers=acme)
        assert asked.status_code == 403


async def test_reading_needs_read_and_changing_needs_admin(door: Door) -> None:
    reader = await door.new_key("acme", Scope.READ)
    assert (await door.client.get("/v1/models", headers=reader)).status_code == 200
    assert (await door.client.post("/v1/models:prune", json={}, headers=reader)).status_code == 403
    content = digest_header(b"")
    assert (await door.client.put(f"{ONE}/artifacts/a", content=b"", headers=reader | content)).status_code == 403
    nobody = await door.new_key("acme", Scope.ASSESS)
    assert (await door.client.get("/v1/models", headers=nobody)).status_code == 403


async def test_an_upload_may_have_folders_in_its_path(door: Door, acme: dict[str, str]) -> None:
    sent = acme | digest_header(b"{}")
    answer = await door.client.put(f"{ONE}/artifacts/1_Pooling/config.json", content=b"{}", headers=sent)
    assert (answer.status_code, answer.json()["path"]) == (201, "1_Pooling/config.json")


@pytest.mark.parametrize("path", ["../x", "a/../b", ".hidden", "a//b", "a b", "%00", "a/" * 8 + "b", ""])
async def test_a_path_that_could_lead_elsewhere_is_refused(door: Door, acme: dict[str, str], path: str) -> None:
    url = f"{ONE}/artifacts/{path.replace('..', '%2e%2e')}"
    answer = await door.client.put(url, content=b"x", headers=acme | digest_header(b"x"))
    assert answer.status_code in (400, 404), answer.text


async def test_an_upload_without_its_digest_or_with_another_is_refused(door: Door, acme: dict[str, str]) -> None:
    url = f"{ONE}/artifacts/a"
    for headers, code in (
        ({}, "INVALID_REQUEST"),
        ({"content-digest": "sha-256=:AAAA:"}, "INVALID_REQUEST"),
        ({"content-digest": "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:"}, "INVALID_REQUEST"),
        (digest_header(b"other"), "ARTIFACT_CORRUPTED"),
    ):
        answer = await door.client.put(url, content=b"content", headers=acme | headers)
        assert answer.json()["code"] == code
    both = {"content-digest": "sha-512=:AAAA:, " + digest_header(b"content")["content-digest"]}
    assert (await door.client.put(url, content=b"content", headers=acme | both)).status_code == 201


async def test_an_upload_beyond_the_limit_is_refused_before_it_is_read(door: Door, acme: dict[str, str]) -> None:
    large = b"x" * 1_000_001
    answer = await door.client.put(f"{ONE}/artifacts/a", content=large, headers=acme | digest_header(large))
    assert (answer.status_code, answer.json()["code"]) == (413, "CONTENT_TOO_LARGE")

    async def unsized() -> AsyncIterator[bytes]:
        yield b"content"

    unknown = await door.client.put(f"{ONE}/artifacts/a", content=unsized(), headers=acme | digest_header(b"content"))
    assert (unknown.status_code, unknown.json()["code"]) == (400, "INVALID_REQUEST")


async def test_a_model_below_the_gate_is_told_why(door: Door, acme: dict[str, str], tmp_path: Path) -> None:
    folder = lora_folder(tmp_path / "lora")
    await uploaded(door, acme, folder)
    poor = manifest(folder, metrics={"level2_accuracy": 0.2})
    assert (await door.client.post("/v1/models", json=poor, headers=acme)).status_code == 201
    await door.client.post(f"{ONE}:promote", json={"stage": "staging"}, headers=acme)
    answer = await door.client.post(f"{ONE}:promote", json={"stage": "production"}, headers=acme)
    assert (answer.status_code, answer.json()["code"]) == (409, "MODEL_BELOW_GATE")
    assert "level2_accuracy is 0.2, at least 0.5 is needed" in answer.json()["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        {"artifacts": []},
        {"version": "1.0"},
        {"name": "../x"},
        {"compatible": {"taxonomy": "^1"}},
        {"compatible": {"taxonomy": ">=1.0"}},
        {"metrics": {"a": "much"}},
        {"artifacts": [{"path": "model-manifest.json", "sha256": "0" * 64, "size": 1}]},
        {"artifacts": [{"path": path, "sha256": "0" * 64, "size": 1} for path in ("a", "a/b")]},
    ],
)
async def test_a_manifest_that_makes_no_sense_is_refused(
    door: Door, acme: dict[str, str], tmp_path: Path, changes: dict[str, Any]
) -> None:
    asked = manifest(lora_folder(tmp_path / "lora"), **changes)
    answer = await door.client.post("/v1/models", json=asked, headers=acme)
    assert answer.json()["code"] in ("INVALID_REQUEST", "MODEL_INVALID")
    assert (await door.client.get("/v1/models", headers=acme)).json()["items"] == []


async def test_queries_that_make_no_sense_are_refused(door: Door, acme: dict[str, str]) -> None:
    for path in (
        "/v1/models?kind=x",
        "/v1/models?stage=x",
        f"/v1/models/{NAME}/history?limit=0",
        "/v1/models:matrix?taxonomy=",
        "/v1/models/a%20b",
        f"/v1/models/{NAME}/versions/1.0",
    ):
        assert (await door.client.get(path, headers=acme)).status_code == 400, path
    asked = await door.client.post("/v1/models:prune?owner=acme", json={}, headers=acme)
    assert asked.status_code == 400
