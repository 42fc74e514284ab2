"""Releases and experiments through a real server, by its doors and by the command line."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner, Result

from llama_mapper.adapters.mapping.sql_releases import SqlReleases
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.domain.mapping.releases.tally import Tally
from llama_mapper.entrypoints.cli.main import app
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.settings import Settings
from tests.e2e.conftest import FEW_DETECTORS, issued_key
from tests.support.detector_servers import detector_server
from tests.support.servers import Server, serving

DIGEST = "sha256:" + "b" * 64
VERSIONS = {"model": ("v1", "v2"), "prompt": ("option", "id"), "strategy": ("cascade", "model-first")}
GOOD = {"digest": DIGEST, "figures": {"level2_accuracy": 0.9}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with detector_server() as models:
        models.behave("good", models=["m"])
        settings = {
            "LLAMA_MAPPER_DETECTORS": FEW_DETECTORS,
            "LLAMA_MAPPER_RELEASE_INTERVAL_S": "0.1",
            "LLAMA_MAPPER_GENERATION": json.dumps(
                [{"kind": "vllm", "url": models.url, "model": "m", "release": release} for release in VERSIONS["model"]]
            ),
        }
        with serving(tmp_path_factory.mktemp("served"), **settings) as running:
            yield running


def plan(kind: str, **changes: Any) -> dict[str, Any]:
    baseline, candidate = VERSIONS[kind]
    return {"kind": kind, "baseline": baseline, "candidate": candidate, "evaluation": GOOD} | changes


def experiment(kind: str, **changes: Any) -> dict[str, Any]:
    baseline, candidate = VERSIONS[kind]
    treatment = {"version": candidate, "percent": 20.0, "evaluation": GOOD}
    return {"kind": kind, "baseline": baseline, "treatments": [treatment]} | changes


def until(holds: Callable[[], bool], limit_s: float = 60.0) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < limit_s, "it never came about"
        time.sleep(0.05)


def done(answer: httpx2.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def command(served: Server, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--data-dir", str(served.data_dir)])


def told(served: Server, *arguments: object) -> Any:
    result = command(served, *arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def test_a_canary_goes_through_its_life_by_http(served: Server) -> None:
    with served.client() as client:
        made = done(client.post("/v1/releases", json=plan("model")), 201)
        one = f"/v1/releases/{made['id']}"
        assert (made["state"], made["percent"], made["stage"]) == ("running", 5.0, 0)
        assert done(client.post(f"{one}:hold", json={"note": "wait"}))["state"] == "held"
        assert done(client.post(f"{one}:resume", json={}))["state"] == "running"
        assert done(client.post(f"{one}:advance", json={"note": "enough seen"}))["percent"] == 25.0
        shown = done(client.get(one))
        assert [arm["arm"] for arm in shown["arms"]] == ["baseline", "candidate"]
        assert {gate["state"] for gate in shown["gates"]} == {"undecided"}
        assert any("requests in this stage" in each for each in shown["waiting_for"])
        assert done(client.post(f"{one}:rollback", json={"note": "no"}))["state"] == "rolled_back"
        again = client.post(f"{one}:rollback", json={})
        assert (again.status_code, again.json()["code"]) == (409, "RELEASE_STATE")
        history = done(client.get(f"{one}/history"))["items"]
        steps = [(each["step"], each["door"], each["keyless"]) for each in history]
        assert steps == [(s, "http", True) for s in ("started", "held", "resumed", "advanced", "rolled_back")]
        assert made["id"] in [each["id"] for each in done(client.get("/v1/releases"))["items"]]
        assert done(client.get(f"{one}/series"))["items"] == []


def count(served: Server, release_id: str, **tallies: Tally) -> None:
    """What another process would have counted."""

    async def write() -> None:
        async with open_database(database_for(Settings.load(data_dir=served.data_dir), "mapping")) as database:
            counted = {(release_id, arm): tally for arm, tally in tallies.items()}
            await SqlReleases(database).count("another process", time.time_ns(), counted)

    asyncio.run(write())


def test_the_server_advances_a_canary_by_itself_and_the_next_begins_from_there(served: Server) -> None:
    quick = plan("strategy", min_seconds=0.0, min_requests=5, stages=[50.0, 100.0])
    with served.client() as client:
        made = done(client.post("/v1/releases", json=quick), 201)
        one = f"/v1/releases/{made['id']}"
        count(served, made["id"], candidate=Tally(requests=5, labels=5))
        until(lambda: done(client.get(one))["stage"] == 1)
        assert done(client.get(one))["waiting_for"] == ["0 of 5 requests in this stage"]
        count(served, made["id"], candidate=Tally(requests=10, labels=10))
        until(lambda: done(client.get(one))["state"] == "completed")
        assert len(done(client.get(f"{one}/series"))["items"]) == 2
        doors = [each["door"] for each in done(client.get(f"{one}/history"))["items"]]
        assert doors == ["http", "controller", "controller"]
        settled = client.post("/v1/releases", json=plan("strategy", candidate="catalogue-only"))
        assert (settled.status_code, settled.json()["code"]) == (409, "RELEASE_STATE")
        assert "the strategy in force is model-first" in settled.json()["detail"]


def test_the_server_rolls_a_failing_canary_back_by_itself(served: Server) -> None:
    with served.client() as client:
        made = done(client.post("/v1/releases", json=plan("prompt", note="third try")), 201)
        stable, failing = Tally(requests=500, labels=500), Tally(requests=40, labels=40, errors=40)
        count(served, made["id"], baseline=stable, candidate=failing)
        until(lambda: done(client.get(f"/v1/releases/{made['id']}"))["state"] == "rolled_back")
        last = done(client.get(f"/v1/releases/{made['id']}/history"))["items"][-1]
        assert (last["door"], last["who"]) == ("controller", "release controller")
        assert any(reason.startswith("error_rise failing") for reason in last["reasons"])


@pytest.mark.parametrize(
    ("body", "status", "code", "named"),
    [
        (plan("prompt", evaluation=None), 422, "RELEASE_GATE_FAILED", "no evaluation"),
        (
            plan("prompt", evaluation={"digest": DIGEST, "figures": {"level2_accuracy": 0.1}}),
            422,
            "RELEASE_GATE_FAILED",
            "level2_accuracy must be at least 0.5 and is 0.1",
        ),
        (plan("prompt", stages=[50.0]), 400, "INVALID_REQUEST", ""),
        (plan("prompt", candidate="option"), 400, "INVALID_REQUEST", ""),
        (plan("prompt", mode="ab"), 400, "INVALID_REQUEST", ""),
        (plan("prompt") | {"kind": "weather"}, 400, "INVALID_REQUEST", ""),
    ],
)
def test_a_plan_that_must_not_begin_is_refused(
    served: Server, body: Mapping[str, Any], status: int, code: str, named: str
) -> None:
    with served.client() as client:
        answer = client.post("/v1/releases", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert named in answer.json()["detail"]
        listed = done(client.get("/v1/releases"))["items"]
        assert [each for each in listed if each["plan"]["kind"] == "prompt" and each["state"] == "running"] == []


def test_an_experiment_goes_through_its_life_by_http(served: Server) -> None:
    with served.client() as client:
        made = done(client.post("/v1/experiments", json=experiment("prompt")), 201)
        shadow = experiment("prompt", mode="shadow", metrics=[{"name": "latency_ms", "high": 500.0}])
        beside = done(client.post("/v1/experiments", json=shadow), 201)
        one = f"/v1/experiments/{made['id']}"
        assert [each["name"] for each in done(client.get(one))["effects"]] == ["abstained", "errors"]
        ended = done(client.post(f"{one}:conclude", json={"note": "seen enough"}))
        assert (ended["state"], len(ended["effects"])) == ("concluded", 2)
        assert {made["id"], beside["id"]} <= {each["id"] for each in done(client.get("/v1/experiments"))["items"]}
        wrong = client.post(f"/v1/releases/{made['id']}:hold", json={})
        assert (wrong.status_code, wrong.json()["code"]) == (404, "NOT_FOUND")


def test_the_command_line_takes_the_same_steps(served: Server, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(
        "mode: blue_green\nkind: prompt\nbaseline: option\ncandidate: id\n"
        f"evaluation:\n  digest: {DIGEST}\n  figures: {{level2_accuracy: 0.9}}\n"
    )
    made = told(served, "releases", "start", file, "--as", "anna")
    assert made["state"] == "staged"
    refused = command(served, "releases", "switch", made["id"])
    assert isinstance(refused.exception, ServiceError)
    assert command(served, "releases", "validate", made["id"]).exit_code == 1
    assert told(served, "releases", "rollback", made["id"], "--note", "not ready")["state"] == "rolled_back"
    history = told(served, "releases", "history", made["id"])["items"]
    assert history[0]["who"] == "anna"
    assert [each["step"] for each in history] == ["started", "validation_failed", "rolled_back"]
    assert {each["door"] for each in history} == {"command"}
    listed = command(served, "releases", "list")
    assert made["id"] in listed.output
    assert "blue_green" in listed.output


def test_the_examples_begin_on_embedded_defaults(tmp_path: Path) -> None:
    examples = Path(__file__).parents[2] / "examples" / "releases"
    for group, step, file in (("releases", "start", "strategy.yaml"), ("experiments", "create", "shadow.yaml")):
        made = CliRunner().invoke(app, [group, step, str(examples / file), "--data-dir", str(tmp_path), "--json"])
        assert made.exit_code == 0, (made.output, made.exception)
        assert json.loads(made.stdout)["state"] == "running"
    refused = CliRunner().invoke(
        app, ["releases", "start", str(examples / "canary.yaml"), "--data-dir", str(tmp_path), "--json"]
    )
    assert isinstance(refused.exception, ServiceError)
    assert "no model of the setting `generation`" in refused.exception.message


def test_a_page_shows_an_experiment_and_nothing_from_elsewhere(served: Server, tmp_path: Path) -> None:
    file, page = tmp_path / "plan.json", tmp_path / "page.html"
    file.write_text(json.dumps(experiment("prompt")))
    made = told(served, "experiments", "create", file)
    shown = command(served, "experiments", "show", made["id"], "--report", page)
    assert shown.exit_code == 0
    assert "treatment-1" in shown.output
    html = page.read_text("utf-8")
    assert made["id"] in html
    assert not any(word in html for word in ("<script", "http://", "src="))
    assert told(served, "experiments", "conclude", made["id"])["state"] == "concluded"
    assert made["id"] in command(served, "experiments", "list").output


def test_only_the_operators_administrators_change_releases(tmp_path: Path) -> None:
    data = tmp_path / "data"
    admin = issued_key(data, "local", Scope.ADMIN, Scope.READ)
    reader = issued_key(data, "local", Scope.READ)
    stranger = issued_key(data, "acme", Scope.ADMIN, Scope.READ)
    with serving(tmp_path, LLAMA_MAPPER_DETECTORS=FEW_DETECTORS) as server, server.client() as client:

        def status(key: str, method: str, path: str, body: Any = None) -> int:
            headers = {"authorization": f"Bearer {key}"}
            return client.request(method, path, json=body, headers=headers).status_code

        assert status(stranger, "POST", "/v1/releases", plan("strategy")) == 403
        assert status(reader, "POST", "/v1/releases", plan("strategy")) == 403
        assert status(admin, "POST", "/v1/releases", plan("strategy")) == 201
        for path in ("/v1/releases", "/v1/experiments"):
            assert (status(stranger, "GET", path), status(reader, "GET", path)) == (403, 200)
