"""Remote detectors come and go while a real server runs, by its doors, by the command line, and by files."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner, Result

from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.entrypoints.cli.main import app
from tests.e2e.conftest import FEW_DETECTORS, issued_key
from tests.support.detector_servers import DetectorServer, detector_servers
from tests.support.servers import Server, free_port, run_cli, serving

CATEGORY = "pii.personal_identifiers"


@pytest.fixture(scope="module")
def remotes() -> Iterator[tuple[DetectorServer, ...]]:
    with detector_servers({"zebra": "EMAIL_ADDRESS"}, {"zebra": "PHONE_NUMBER"}) as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("definitions")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[Server]:
    settings = {"LLAMA_MAPPER_DETECTORS": FEW_DETECTORS, "LLAMA_MAPPER_DETECTOR_FILES": str(files)}
    with serving(tmp_path_factory.mktemp("served"), **settings) as running:
        yield running


def definition(remote: DetectorServer, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "vendor": "presidio",
        "vendor_version": "2",
        "url": remote.url,
        "protocol": {"kind": "fms", "detector_id": "theirs"},
        "categories": [CATEGORY],
    } | changes


def listed(client: httpx2.Client, headers: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    answer = client.get("/v1/detectors", headers=headers)
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["items"]}


def until(holds: Callable[[], bool], limit_s: float = 30.0) -> float:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < limit_s, "it never came about"
        time.sleep(0.02)
    return time.monotonic() - began


def findings(client: httpx2.Client, detector: str) -> list[str]:
    answer = client.post("/v1/orchestrate", json={"content": "a zebra"})
    assert answer.status_code in (200, 206), answer.text
    results = {each["detector"]: each for each in answer.json()["detector_results"]}
    return [each["label"] for each in results[detector]["findings"]] if detector in results else []


def test_a_detector_goes_through_its_life_by_http(served: Server, remotes: tuple[DetectorServer, ...]) -> None:
    here, moved = definition(remotes[0], "zebras"), definition(remotes[1], "zebras")
    with served.client() as client:
        made = client.post("/v1/detectors", json=here)
        assert made.status_code == 201, made.text
        assert made.json()["probe"]["passed"]
        assert listed(client)["zebras"] | {"health": None} == made.json()["detector"]["info"] | {
            "source": "registry",
            "revision": 1,
            "health": None,
        }
        assert findings(client, "zebras") == ["EMAIL_ADDRESS"]
        assert client.post("/v1/detectors", json=here).status_code == 409
        assert client.post("/v1/detectors", json=here | {"name": "violence"}).status_code == 409
        assert client.put("/v1/detectors/zebras", json=moved).json()["detector"]["revision"] == 2
        assert findings(client, "zebras") == ["PHONE_NUMBER"]
        assert client.post("/v1/detectors/zebras:probe").json()["passed"]
        assert client.post("/v1/detectors/zebras:disable").status_code == 200
        assert "zebras" not in listed(client)
        assert client.get("/v1/detectors/zebras").json()["definition"]["enabled"] is False
        assert client.post("/v1/detectors/zebras:enable").status_code == 200
        assert client.delete("/v1/detectors/zebras").status_code == 200
        assert client.get("/v1/detectors/zebras").status_code == 404
        history = client.get("/v1/detectors/zebras/revisions").json()["items"]
        changes = [each["change"] for each in history]
        assert changes == ["registered", "updated", "disabled", "enabled", "deleted"]
        assert {each["changed_by"] for each in history} == {"local"}


def test_a_detector_that_does_not_answer_is_refused_unless_that_is_waived(
    served: Server, remotes: tuple[DetectorServer, ...]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = definition(remotes[0], "dead", url=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with served.client() as client:
            refused = client.post("/v1/detectors", json=dead)
            assert (refused.status_code, refused.json()["code"]) == (422, "DETECTOR_PROBE_FAILED")
            assert client.post("/v1/detectors?probe=false", json=dead).status_code == 201
            assert client.post("/v1/detectors/dead:probe").json()["passed"] is False
            assert client.delete("/v1/detectors/dead").status_code == 200


def test_another_process_changes_a_running_server_within_two_seconds_and_no_request_fails(
    served: Server, remotes: tuple[DetectorServer, ...], tmp_path: Path
) -> None:
    file = tmp_path / "mine.json"
    answers: list[int] = []
    over = threading.Event()

    def keep_asking() -> None:
        with served.client() as asking:
            while not over.wait(0.05):
                answers.append(asking.post("/v1/orchestrate", json={"content": "a zebra"}).status_code)

    def run(command: str, *arguments: object) -> None:
        outcome = run_cli("detectors", command, *arguments, "--data-dir", served.data_dir)
        assert outcome.returncode == 0, outcome.stderr

    asking = threading.Thread(target=keep_asking)
    asking.start()
    took = []
    try:
        with served.client() as client:
            file.write_text(json.dumps(definition(remotes[0], "mine")))
            run("register", file)
            took.append(until(lambda: "mine" in listed(client)))
            file.write_text(json.dumps(definition(remotes[1], "mine")))
            run("update", file)
            took.append(until(lambda: listed(client)["mine"]["revision"] == 2))
            run("delete", "mine")
            took.append(until(lambda: "mine" not in listed(client)))
    finally:
        over.set()
        asking.join()
    # The server looks every second. One of three may fall into a moment at which the machine stands still.
    assert sorted(took)[1] < 2.0, took
    assert len(answers) > 5
    assert set(answers) <= {200, 206}, answers


class CommandLine:
    """The commands, run in this process, over a data directory of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *arguments: object) -> Result:
        """What one of them does."""
        return CliRunner().invoke(app, ["detectors", *map(str, arguments), "--data-dir", str(self._folder)])

    def refused(self, *arguments: object) -> ErrorCode:
        """The error of one that fails."""
        error = self(*arguments).exception
        assert isinstance(error, ServiceError), error
        return error.error_code


def test_the_command_line_does_all_that_the_registry_can(
    remotes: tuple[DetectorServer, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, file = CommandLine(tmp_path / "data"), tmp_path / "shown.yaml"
    file.write_text(json.dumps(definition(remotes[0], "shown", vendor="nobody_knows")))
    made = run("register", file)
    assert "shown revision 1 enabled sha256:" in made.stdout
    assert "alive in" in made.stdout
    assert "warning: the catalogue lists no labels of nobody_knows" in made.stderr
    assert run("list").stdout.split("\t")[:3] == ["shown", "registry", "1"]
    assert json.loads(run("list", "--json").stdout)[0]["definition"]["name"] == "shown"
    assert json.loads(run("show", "shown").stdout)["source"] == "registry"
    assert run("probe", "shown").exit_code == 0
    remotes[0].behave("not_json")
    try:
        assert json.loads(run("probe", "shown", "--json").stdout)["passed"] is False
        assert run("probe", "shown").exit_code == 1
        file.write_text(json.dumps(definition(remotes[0], "shown", timeout_ms=500)))
        assert run.refused("update", file) is ErrorCode.DETECTOR_PROBE_FAILED
        assert json.loads(run("update", file, "--no-probe", "--json").stdout)["detector"]["revision"] == 2
    finally:
        remotes[0].behave("good")
    for command, code in (("disable", 0), ("enable", 0), ("delete", 0)):
        assert run(command, "shown").exit_code == code
    history = [line.split("\t") for line in run("history", "shown").stdout.splitlines()]
    assert [(row[1], row[4]) for row in history] == [
        ("registered", "passed"),
        ("updated", "waived"),
        ("disabled", "not_needed"),
        ("enabled", "not_needed"),
        ("deleted", "not_needed"),
    ]
    assert run.refused("show", "shown") is ErrorCode.DETECTOR_NOT_FOUND
    file.write_text(json.dumps(definition(remotes[0], "violence")))
    assert run.refused("register", file) is ErrorCode.CONFLICT
    file.write_text("{")
    assert run.refused("register", file) is ErrorCode.CONFIGURATION_INVALID
    assert run.refused("register", tmp_path / "nowhere.yaml") is ErrorCode.CONFIGURATION_INVALID
    (tmp_path / "filed.json").write_text(json.dumps(definition(remotes[0], "filed")))
    monkeypatch.setenv("LLAMA_MAPPER_DETECTOR_FILES", str(tmp_path / "filed.json"))
    assert run("list").stdout.split("\t")[:2] == ["filed", "file"]
    assert run.refused("disable", "filed") is ErrorCode.CONFLICT


def test_a_file_is_in_service_without_a_restart_and_a_broken_one_is_told_and_breaks_nothing(
    served: Server, remotes: tuple[DetectorServer, ...], files: Path
) -> None:
    path = files / "filed.json"
    with served.client() as client:
        path.write_text(json.dumps(definition(remotes[0], "filed")))
        until(lambda: listed(client).get("filed", {}).get("source") == "file")
        assert findings(client, "filed") == ["EMAIL_ADDRESS"]
        assert client.post("/v1/detectors", json=definition(remotes[0], "filed")).status_code == 409
        assert client.delete("/v1/detectors/filed").status_code == 409
        path.write_text("{")
        until(lambda: "file.filed.json" in client.get("/readyz").json()["notes"])
        assert client.get("/readyz").status_code == 200
        assert findings(client, "filed") == ["EMAIL_ADDRESS"]
        assert "llama_mapper_detector_definitions_refused 1.0" in client.get("/metrics").text
        path.unlink()
        until(lambda: "filed" not in listed(client))
        until(lambda: client.get("/readyz").json()["notes"] == {})


def test_only_the_operator_may_touch_what_serves_all_tenants(
    tmp_path: Path, remotes: tuple[DetectorServer, ...]
) -> None:
    data_dir = tmp_path / "data"
    everything = (Scope.ASSESS, Scope.READ, Scope.ADMIN)
    keys = {
        "operator": issued_key(data_dir, "local", *everything),
        "operator without admin": issued_key(data_dir, "local", Scope.ASSESS, Scope.READ),
        "another tenant's admin": issued_key(data_dir, "acme", *everything),
    }
    body = definition(remotes[0], "guarded")
    with serving(tmp_path, LLAMA_MAPPER_DETECTORS=FEW_DETECTORS) as server, server.client() as client:
        headers = {who: {"authorization": f"Bearer {key}"} for who, key in keys.items()}
        assert client.post("/v1/detectors", json=body, headers=headers["operator"]).status_code == 201
        writes: list[tuple[str, str, Any]] = [
            ("POST", "/v1/detectors", definition(remotes[0], "theirs")),
            ("PUT", "/v1/detectors/guarded", body | {"url": remotes[1].url}),
            ("DELETE", "/v1/detectors/guarded", None),
            *(("POST", f"/v1/detectors/guarded:{verb}", None) for verb in ("disable", "enable", "probe")),
        ]
        for who in ("operator without admin", "another tenant's admin"):
            for method, path, sent in writes:
                refused = client.request(method, path, json=sent, headers=headers[who])
                assert (refused.status_code, refused.json()["code"]) == (403, "INSUFFICIENT_RBAC"), (who, path)
        for path in ("/v1/detectors/guarded", "/v1/detectors/guarded/revisions"):
            assert client.get(path, headers=headers["another tenant's admin"]).status_code == 403
            assert client.get(path, headers=headers["operator without admin"]).status_code == 200
        seen = listed(client, headers["another tenant's admin"])["guarded"]
        assert remotes[0].url not in json.dumps(seen), "where it is, is the operator's"
        history = client.get("/v1/detectors/guarded/revisions", headers=headers["operator"]).json()["items"]
        assert [(each["change"], each["changed_by"]) for each in history] == [("registered", "for a test")]


def test_health_tells_by_its_exit_status_whether_a_server_is_ready(
    served: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = run_cli("health", "--url", served.url)
    assert ready.returncode == 0, ready.stderr
    assert b"database.orchestration" in ready.stdout

    def health(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["health", *arguments])

    monkeypatch.setenv("LLAMA_MAPPER_PORT", str(served.port))
    as_json = health("--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["status"]) == (0, "ready")
    gone = health("--json", "--url", f"http://127.0.0.1:{free_port()}")
    assert (gone.exit_code, json.loads(gone.stdout)["status"]) == (1, "unreachable")
    for wrong in ("nonsense", "http://[", served.url + "/v1"):
        assert health("--url", wrong).exit_code == 1, wrong
