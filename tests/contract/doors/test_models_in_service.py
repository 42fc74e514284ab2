"""Registered models that answer: what answers, health and metrics say of them, and that their files stay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from llama_mapper.domain.kernel.tenancy import Scope
from tests.contract.models.test_http_door import digest_header, manifest
from tests.support.doors import Door, open_door
from tests.support.registered_models import lora_folder
from tests.support.servers import free_port

NAME = "llama3_mapper"
USED, UNUSED = "1.0.0", "1.1.0"
MINE = "?owner=installation"


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Door, dict[str, str]]]:
    """A server whose model is the registered version `USED`, as the model's server tells it; it is away."""
    model = {"kind": "vllm", "url": f"http://127.0.0.1:{free_port()}", "version": f"{NAME}@{USED}"}
    async with open_door(folder / "data", [], generation=[model], mapping_strategy="model-first") as door:
        yield door, await door.new_key("local", Scope.READ, Scope.ADMIN, Scope.ASSESS)


async def registered(door: Door, key: dict[str, str], folder: Path, version: str) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        place = f"/v1/models/{NAME}/versions/{version}/artifacts/{path.name}{MINE}"
        put = await door.client.put(place, content=content, headers=key | digest_header(content))
        assert put.status_code == 201, put.text
    made = await door.client.post(f"/v1/models{MINE}", json=manifest(folder, version), headers=key)
    assert made.status_code == 201, made.text


async def step(door: Door, key: dict[str, str], version: str, verb: str, **body: Any) -> None:
    url = f"/v1/models/{NAME}/versions/{version}:{verb}{MINE}"
    taken = await door.client.post(url, json=body, headers=key)
    assert taken.status_code == 200, taken.text


async def test_answers_health_and_metrics_warn_of_a_model_and_no_restart_loses_its_files(
    tmp_path: Path,
) -> None:
    folder, said = lora_folder(tmp_path / "lora"), "is deprecated since"
    on = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    async with serving(tmp_path) as (door, key):
        for version in (USED, UNUSED):
            await registered(door, key, folder, version)
            for stage in ("staging", "production"):
                await step(door, key, version, "promote", stage=stage)
            await step(door, key, version, "deprecate", on=on)
        await step(door, key, USED, "archive")
        await step(door, key, UNUSED, "archive")
    # Archived models answer no more, but this one is still configured: it is told, and its files are not taken away.
    async with serving(tmp_path) as (door, key):
        notes = await first_look(door)
        assert notes[f"model.{NAME}@{USED}"] == f"the version {USED} of '{NAME}' is archived"
    none_kept = {"keep": dict.fromkeys(("candidate", "staging", "deprecated", "archived"), 0), "dry_run": False}
    async with open_door(tmp_path / "data", []) as door:  # another process, which knows nothing of the setting
        key = await door.new_key("local", Scope.READ, Scope.ADMIN, Scope.ASSESS)
        report = (await door.client.post(f"/v1/models:prune{MINE}", json=none_kept, headers=key)).json()
        assert [each["version"] for each in report["removed"]] == [UNUSED]
        check = await door.client.post(f"/v1/models/{NAME}/versions/{USED}:verify{MINE}", headers=key)
        assert check.json()["sound"]
        await registered(door, key, lora_folder(tmp_path / "more", 1), "2.0.0")
        for stage in ("staging", "production"):
            await step(door, key, "2.0.0", "promote", stage=stage)
        await step(door, key, "2.0.0", "deprecate", on=on)
    model = {"kind": "vllm", "url": f"http://127.0.0.1:{free_port()}", "version": f"{NAME}@2.0.0"}
    async with open_door(tmp_path / "data", [], generation=[model], mapping_strategy="model-first") as door:
        key = await door.new_key("local", Scope.READ, Scope.ASSESS)
        notes = await first_look(door)
        assert said in notes[f"model.{NAME}@2.0.0"]
        body = {"labels": [{"vendor": "nobody_knows", "label": "credit card number"}]}
        answer = (await door.client.post("/v1/map:batch", json=body, headers=key)).json()
        (entry,) = [each for each in answer["provenance"] if each["component"] == "model_stage"]
        assert f"the model {NAME}@2.0.0 {said}" in entry["detail"]
        assert "llama_mapper_models_deprecated 1.0" in (await door.client.get("/metrics")).text


async def first_look(door: Door) -> dict[str, str]:
    """What health says once the models in service were looked at."""
    async with asyncio.timeout(60):
        while not any(name.startswith(f"model.{NAME}@") for name in door.running.notes()):
            await asyncio.sleep(0.02)
    return dict(door.running.notes())
