"""The product over the real tritonserver: its models as an operator sees them, and meanings compared by one of them."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.domain.mapping.neighbours.embedding import METHOD
from tests.models.test_triton_faults import ODD_MODELS
from tests.support.doors import Door, open_door
from tests.support.servers import run_cli
from tests.support.triton import TritonServer

ENOUGH_S = 120.0
STAGES = {
    "mapping_stages": ["lexical", "embedding"],
    "mapping_embeddings": "triton",
    "mapping_embeddings_server": "cpu",
    "mapping_embeddings_served": "letters",
    "mapping_stage_timeout_ms": 20_000,
}
LABEL = {"labels": [{"vendor": "nobody_knows", "label": "PaymentCardNumbr"}]}


@pytest.fixture(scope="module")
def server(models_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    folder = tmp_path_factory.mktemp("servers")
    with TritonServer(models_python, folder, "--models", "own", "--repository", ODD_MODELS) as started:
        yield started


def at(server: TritonServer, **more: Any) -> dict[str, Any]:
    return {"name": "cpu", "url": server.address.target, "models": ["odd"], **more}


@pytest.fixture
async def door(server: TritonServer, tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path / "data", [], model_servers=[at(server)], **STAGES) as opened:
        yield opened


@pytest.fixture
async def operator(door: Door) -> dict[str, str]:
    return await door.new_key("local", Scope.READ, Scope.ADMIN, Scope.ASSESS)


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(ENOUGH_S):
        while True:
            found = holds()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)


async def mapped(door: Door, key: dict[str, str]) -> dict[str, Any]:
    answer = await door.client.post("/v1/map:batch", json=LABEL, headers=key)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_operator_sees_loads_unloads_and_counts_models_and_every_step_is_kept(
    door: Door, operator: dict[str, str], server: TritonServer
) -> None:
    url = "/v1/model-servers/cpu"
    listed = (await door.client.get("/v1/model-servers", headers=operator)).json()
    (cpu,) = listed["items"]
    assert (cpu["ready"], cpu["fault"], cpu["missing"]) == (True, None, [])
    assert {each["name"]: each["ready"] for each in cpu["models"]} == {"odd": True, "plain": True, "letters": True}
    assert {each["name"] for each in cpu["models"] if each["expected"]} == {"odd", "letters"}

    gone = await door.client.post(f"{url}/models/odd:unload", json={"note": "to see"}, headers=operator)
    assert gone.status_code == 200, gone.text
    await until(lambda: door.running.notes().get("model_server.cpu.odd") == "degraded: unavailable")
    shown = (await door.client.get(url, headers=operator)).json()
    assert shown["missing"] == ["odd"]

    back = await door.client.post(f"{url}/models/odd:load", json={"parameters": {"release": "r1"}}, headers=operator)
    assert (back.status_code, back.json()["missing"]) == (200, [])
    await until(lambda: "model_server.cpu.odd" not in door.running.notes())
    counts = (await door.client.get(f"{url}/models/letters/statistics", headers=operator)).json()
    assert counts["items"][0]["requests"] >= 1

    missing = await door.client.post(f"{url}/models/nobody:load", json={}, headers=operator)
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
    config = server.repository / "plain" / "config.pbtxt"
    before = config.read_text()
    config.write_text("this is no configuration")
    try:
        broken = await door.client.post(f"{url}/models/plain:load", json={}, headers=operator)
        assert (broken.status_code, broken.json()["code"]) == (502, "UPSTREAM_INVALID_RESPONSE")
    finally:
        config.write_text(before)
    steps = (await door.client.get(f"{url}/history", headers=operator)).json()["items"]
    told = [(each["action"], each["model"], each["state"], each["code"]) for each in reversed(steps)]
    assert told == [
        ("unload", "odd", "begun", ""),
        ("unload", "odd", "done", ""),
        ("load", "odd", "begun", ""),
        ("load", "odd", "done", ""),
        ("load", "nobody", "begun", ""),
        ("load", "nobody", "failed", "NOT_FOUND"),
        ("load", "plain", "begun", ""),
        ("load", "plain", "failed", "UPSTREAM_INVALID_RESPONSE"),
    ]
    assert {(each["who"], each["door"]) for each in steps} == {("for a test", "http")}
    assert steps[-1]["note"] == "to see"


def test_the_same_from_the_command_line(server: TritonServer, tmp_path: Path) -> None:
    environment = {"LLAMA_MAPPER_MODEL_SERVERS": json.dumps([at(server)]), "LLAMA_MAPPER_DATA_DIR": str(tmp_path)}

    def run(*arguments: str) -> tuple[int, str, str]:
        done = run_cli("models", *arguments, environment=environment)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    status, listed, errors = run("servers", "--json")
    assert status == 0, errors
    assert json.loads(listed)["items"][0]["ready"]
    status, printed, errors = run("load", "plain", "--server", "cpu", "--parameter", "release=r2", "--json")
    assert status == 0, errors
    assert {each["name"] for each in json.loads(printed)["models"] if each["ready"]} >= {"plain"}
    status, printed, errors = run("statistics", "plain")
    assert status == 0, errors
    status, printed, errors = run("servers", "--history", "cpu", "--json")
    assert [each["state"] for each in json.loads(printed)["items"]] == ["done", "begun"]
    assert {each["door"] for each in json.loads(printed)["items"]} == {"command"}
    status, _, errors = run("load", "nobody")
    assert status != 0
    assert "no model nobody" in errors


async def test_meanings_are_compared_by_the_served_model_and_words_answer_when_it_is_away(
    door: Door, operator: dict[str, str], server: TritonServer
) -> None:
    await until(lambda: "mapping.embedding" not in door.running.notes())
    found = await mapped(door, operator)
    assert {entry["component"] for entry in found["provenance"]} == {"lexical_stage", "embedding_stage"}
    (version,) = [each["version"] for each in found["provenance"] if each["component"] == "embedding_stage"]
    assert version.startswith(f"{METHOD}-triton/letters:1-")
    assert found["mappings"][0]["faults"] == []

    await door.client.post("/v1/model-servers/cpu/models/letters:unload", json={}, headers=operator)
    try:
        other = {"labels": [{"vendor": "nobody_knows", "label": "credit card number"}]}
        answer = (await door.client.post("/v1/map:batch", json=other, headers=operator)).json()["mappings"][0]
        assert answer["stage"] == "lexical"
        assert answer["canonical"].startswith("pii.financial_data")
        assert answer["faults"] == ["embedding: service_unavailable"]
        await until(lambda: "model_not_loaded" in door.running.notes().get("mapping.embedding", ""))
    finally:
        await door.client.post("/v1/model-servers/cpu/models/letters:load", json={}, headers=operator)
    await until(lambda: "mapping.embedding" not in door.running.notes())

    # Another version of the model: its vectors are made anew, by the server's own word for it.
    repository = server.repository / "letters"
    shutil.copytree(repository / "1", repository / "2")
    try:
        loaded = await door.client.post("/v1/model-servers/cpu/models/letters:load", json={}, headers=operator)
        assert loaded.status_code == 200, loaded.text

        async def is_new() -> bool:
            told = (await mapped(door, operator))["provenance"]
            return any(each["version"].startswith(f"{METHOD}-triton/letters:2-") for each in told)

        await until(is_new)
    finally:
        shutil.rmtree(repository / "2")
        await door.client.post("/v1/model-servers/cpu/models/letters:load", json={}, headers=operator)


async def test_a_server_that_is_away_at_the_start_stops_nothing(tmp_path: Path, server: TritonServer) -> None:
    nowhere = at(server, url="127.0.0.1:9", models=[])
    async with open_door(tmp_path / "data", [], model_servers=[nowhere], **STAGES) as door:
        key = await door.new_key("local", Scope.READ, Scope.ASSESS)
        answer = (await mapped(door, key))["mappings"][0]
        assert answer["faults"] == ["embedding: not_ready"]
        await until(lambda: "unavailable" in door.running.notes().get("mapping.embedding", ""))
        await until(lambda: door.running.notes().get("model_server.cpu") == "degraded: unavailable")
        (cpu,) = (await door.client.get("/v1/model-servers", headers=key)).json()["items"]
        assert (cpu["ready"], cpu["fault"], cpu["missing"]) == (False, "unavailable", ["letters"])
        assert (await door.client.get("/readyz")).status_code == 200


async def test_offline_no_server_is_asked(tmp_path: Path, server: TritonServer) -> None:
    options = {**STAGES, "mapping_offline": True}
    async with open_door(tmp_path / "data", [], model_servers=[at(server)], **options) as door:
        key = await door.new_key("local", Scope.READ, Scope.ASSESS)
        assert {each["component"] for each in (await mapped(door, key))["provenance"]} == {"lexical_stage"}
        assert [name for name in door.running.notes() if "model_server" in name] == []
