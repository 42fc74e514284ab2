"""Whatever a model on the real tritonserver does, the next stage answers, and the record says why the model did not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from tests.models.test_triton_faults import ODD_MODELS
from tests.models.test_triton_servers import ENOUGH_S, until
from tests.support.doors import Door, open_door
from tests.support.triton import TritonServer

IN_TIME_S = 30.0
CARD = "pii.financial_data"
# Those that are the server's own come between others: three in a row, and the model is passed over for a while.
BEHAVIOURS = [
    ("oom", "overloaded"),
    ("truncated-json", "invalid_answer"),
    ("full", "overloaded"),
    ("numbers", "invalid_answer"),
    ("failed", "unavailable"),
    ("not-utf8", "invalid_answer"),
    ("slow", "timeout"),
    ("two-texts", "invalid_answer"),
    ("no-text", "invalid_answer"),
    ("off-schema", "invalid_answer"),
    ("long", "refused"),
    ("lora", "adapter_not_found"),
]


@pytest.fixture(scope="module")
def odd(models_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    folder = tmp_path_factory.mktemp("odd-answers")
    with TritonServer(models_python, folder, "--models", "own", "--repository", ODD_MODELS) as server:
        yield server


def settings(odd: TritonServer, **model: Any) -> dict[str, Any]:
    asked = {"kind": "triton", "server": "cpu", "model": "odd", "adapter": "x", **model}
    return {
        "model_servers": [{"name": "cpu", "url": odd.address.target}],
        "generation": [asked],
        "mapping_strategy": "model-first",
        "mapping_threshold": 0.2,
        "mapping_stage_timeout_ms": 3_000,
    }


async def mapped(door: Door, behaviour: str) -> dict[str, Any]:
    """The answer about a label that nobody has seen and that tells the model what to do."""
    key = await door.new_key("local", Scope.READ, Scope.ASSESS)
    body = {"labels": [{"vendor": "nobody_knows", "label": f"credit card number do:{behaviour}"}]}
    answer = await door.client.post("/v1/map:batch", json=body, headers=key)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["mappings"][0]
    return found


def answered_by_words(found: dict[str, Any], fault: str) -> None:
    assert (found["stage"], found["canonical"].startswith(CARD)) == ("lexical", True), found
    (told,) = found["faults"]
    assert told.startswith("model: ")
    assert told.endswith(f"_{fault}"), found["faults"]
    assert "credit" not in told


async def test_the_next_stage_answers_and_the_record_says_why(odd: TritonServer, tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", [], **settings(odd)) as door:
        for behaviour, fault in BEHAVIOURS:
            began = monotonic()
            answered_by_words(await mapped(door, behaviour), fault)
            assert monotonic() - began < IN_TIME_S, behaviour


async def test_a_model_that_is_not_loaded_is_named_so(odd: TritonServer, tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", [], **settings(odd, model="nobody")) as door:
        answered_by_words(await mapped(door, "good"), "model_not_loaded")
        await until(lambda: "not in the repository" in door.running.notes().get("model_server.cpu.nobody", ""))


async def test_a_model_or_a_server_that_dies_in_mid_request_is_named_and_comes_back(
    odd: TritonServer, tmp_path: Path
) -> None:
    async with open_door(tmp_path / "data", [], **settings(odd)) as door:
        operator = await door.new_key("local", Scope.READ, Scope.ADMIN)
        answered_by_words(await mapped(door, "die"), "unavailable")
        loaded = await door.client.post("/v1/model-servers/cpu/models/odd:load", json={}, headers=operator)
        assert loaded.status_code == 200, loaded.text
        answered_by_words(await mapped(door, "off-schema"), "invalid_answer")  # it answers again, if wrongly
        under_way = asyncio.create_task(mapped(door, "slow"))
        await asyncio.sleep(1.0)
        odd.kill()
        answered_by_words(await under_way, "unavailable")
        await until(lambda: door.running.notes().get("model_server.cpu") == "degraded: unavailable")
        await asyncio.to_thread(odd.start)
        await until(lambda: "model_server.cpu" not in door.running.notes())
        async with asyncio.timeout(ENOUGH_S):
            while not (await mapped(door, "off-schema"))["faults"][0].endswith("_invalid_answer"):
                await asyncio.sleep(0.2)
