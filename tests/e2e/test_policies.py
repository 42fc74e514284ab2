"""The life of policy bundles through the doors, and changes that reach running servers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from tests.e2e.conftest import FEW_DETECTORS, created_key, issued_key
from tests.e2e.test_privacy import in_background
from tests.support.postgres import APPLICATION, PostgresDatabase
from tests.support.servers import ROOT, Server, run_cli, serving, starting, wait_until_loaded

SHIPPED = Path(ROOT, "domain", "orchestration", "bundles")
TEXT = "I will kill you tonight."
REACHES_WITHIN_S = 2.0


def draft(version: str, threshold: float = 0.5, bundle: str = "acme", **changes: Any) -> dict[str, Any]:
    """The shipped rules with other data, as a draft."""
    data = json.loads((SHIPPED / "default" / "data.json").read_text())
    data["defaults"]["actions"]["default"] = [{"action": "block", "threshold": threshold}]
    data["defaults"]["actions"]["categories"] = {}
    modules = {"policy.rego": (SHIPPED / "policy.rego").read_text()}
    return {"bundle": bundle, "version": version, "modules": modules, "data": data} | changes


class Person:
    """Somebody with an API key; refusals are told by their code."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def post(self, path: str, **body: Any) -> Any:
        return self._told(self.client.post(f"/v1/policies{path}", json=body))

    def get(self, path: str, **query: Any) -> Any:
        return self._told(self.client.get(f"/v1/policies{path}", params=query))

    def judged(self, **request: Any) -> Any:
        answer = self.client.post("/v1/orchestrate", json={"content": TEXT} | request)
        assert answer.status_code in (200, 206), answer.text
        return answer.json()["policy"]

    def applied(self, **request: Any) -> str:
        return str(self.judged(**request)["policy_applied"])

    def applied_or_code(self, **request: Any) -> str:
        told = self.client.post("/v1/orchestrate", json={"content": TEXT} | request).json()
        return str(told["policy"]["policy_applied"] if "policy" in told else told["code"])

    def applied_later(self, **request: Any) -> str:
        """The same of a job."""
        accepted = self.client.post(
            "/v1/assessments", json={"content": TEXT} | request, headers={"prefer": "respond-async"}
        )
        [item] = in_background(self.client, accepted).json()["items"]
        record = self.client.get(f"/v1/assessments/{item['assessment_id']}").json()
        return str(record["orchestration"]["policy"]["policy_applied"])

    @staticmethod
    def _told(answer: httpx2.Response) -> Any:
        told = answer.json()
        return told if answer.status_code == 200 else told["code"]


def person(stack: ExitStack, server: Server, key: str) -> Person:
    return Person(stack.enter_context(server.client(headers={"authorization": f"Bearer {key}"})))


@dataclass(frozen=True, slots=True)
class Office:
    """Two administrators and a caller of one tenant, and an administrator of another."""

    anna: Person
    ben: Person
    gateway: Person
    stranger: Person

    def approved(self, version: str, threshold: float = 0.5, bundle: str = "acme") -> str:
        """The path of a version that is ready to be activated."""
        return _approved(self.anna, self.ben, version, threshold, bundle)


def _approved(author: Person, other: Person, version: str, threshold: float = 0.5, bundle: str = "acme") -> str:
    path = f"/{bundle}/versions/{version}"
    assert author.post(":draft", **draft(version, threshold, bundle))["state"] == "draft"
    assert author.post(f"{path}:validate")["valid"]
    assert other.post(f"{path}:approve")["state"] == "approved"
    return path


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    data_dir = folder / "data"
    working = (Scope.ASSESS, Scope.READ)
    keys = {
        "anna": created_key(
            data_dir, "acme", "--name", "anna", "--scope", "admin", "--scope", "assess", "--scope", "read"
        ),
        "ben": issued_key(data_dir, "acme", Scope.ADMIN, *working, name="ben"),
        "gateway": issued_key(data_dir, "acme", *working, name="gateway"),
        "stranger": issued_key(data_dir, "globex", Scope.ADMIN, *working, name="anna"),
    }
    with serving(folder, LLAMA_MAPPER_DETECTORS=FEW_DETECTORS) as server, ExitStack() as stack:
        yield Office(**{name: person(stack, server, key) for name, key in keys.items()})


def soon(expected: Any, ask: Callable[[], Any]) -> None:
    """Wait until the answer is as expected; the machine may be slow, so that the bound is generous."""
    until = time.monotonic() + 20
    while (told := ask()) != expected:
        assert time.monotonic() < until, told
        time.sleep(0.05)


def test_two_persons_bring_a_version_into_force_and_one_step_takes_it_back(office: Office) -> None:
    anna, ben = office.anna, office.ben
    first = office.approved("1")
    assert ben.post(f"{first}:activate", note="go")["items"][0]["version"] == "1"
    soon("acme@1", lambda: anna.applied_or_code(policy_bundle="acme"))
    second = office.approved("2", 0.9)
    anna.post(f"{second}:activate")
    soon("acme@2", lambda: anna.applied(policy_bundle="acme"))
    assert [one["state"] for one in anna.get("/acme/versions")["items"]] == ["active", "retired"]
    anna.post("/acme:rollback", note="too strict")
    soon("acme@1", lambda: anna.applied(policy_bundle="acme"))
    told = anna.get("/acme/history")["items"]
    assert [(one["step"], one["version"], one["who"], one["note"]) for one in told[:2]] == [
        ("rolled_back", "1", "anna", "too strict"),
        ("activated", "2", "anna", ""),
    ]
    assert {one["keyless"] for one in told} == {False}
    anna.post("/acme:rollback")
    assert anna.post("/acme:rollback") == "POLICY_STATE"
    assert anna.get("/acme/activations")["items"] == []


def test_the_author_cannot_approve(office: Office) -> None:
    path = "/four-eyes/versions/1"
    office.anna.post(":draft", **draft("1", bundle="four-eyes"))
    assert office.anna.post(f"{path}:approve") == "POLICY_STATE"
    office.anna.post(f"{path}:validate")
    for body in ({}, {"single_operator": True}):
        assert office.anna.post(f"{path}:approve", **body) == "FOUR_EYES"
    assert office.ben.post(f"{path}:approve")["state"] == "approved"


def test_a_version_never_changes(office: Office) -> None:
    office.anna.post(":draft", **draft("1", bundle="fixed"))
    assert office.ben.post(":draft", **draft("1", bundle="fixed"))["author"] == "anna"
    assert office.ben.post(":draft", **draft("1", 0.7, "fixed")) == "CONFLICT"
    detail = office.ben.get("/fixed/versions/1")
    assert (detail["modules"], detail["data"]) == (draft("1")["modules"], draft("1")["data"])


def test_a_broken_draft_is_told_what_is_wrong_and_goes_no_further(office: Office) -> None:
    broken = draft("1", bundle="broken", modules={"p.rego": "package llama_mapper.policy\nplan := "})
    assert office.anna.post(":draft", **broken)["state"] == "draft"
    found = office.anna.post("/broken/versions/1:validate")
    assert (found["valid"], found["problems"][0]["severity"], found["version"]["state"]) == (False, "error", "draft")
    assert office.ben.post("/broken/versions/1:approve") == "POLICY_STATE"
    assert office.ben.post("/broken/versions/1:reject", reason="does not compile")["state"] == "rejected"


def test_only_administrators_change_and_no_tenant_sees_anothers(office: Office) -> None:
    office.anna.post(":draft", **draft("1", bundle="ours"))
    assert office.gateway.post(":draft", **draft("2", bundle="ours")) == "INSUFFICIENT_RBAC"
    assert office.gateway.post("/ours:rollback") == "INSUFFICIENT_RBAC"
    assert office.gateway.get("/ours/versions/1")["author"] == "anna"
    assert office.stranger.get("/ours/versions/1") == "NOT_FOUND"
    assert office.stranger.get("/ours/history") == "NOT_FOUND"
    assert office.stranger.post("/ours/versions/1:validate") == "NOT_FOUND"


def test_the_nearest_level_decides_and_the_answer_says_why(office: Office) -> None:
    for version in "1234":
        office.approved(version, bundle="levels")
    path = "/levels/versions"
    office.anna.post(f"{path}/1:activate")
    office.anna.post(f"{path}/2:activate", scope={"content_type": "clinical"})
    office.anna.post(f"{path}/3:activate", scope={"key": "gateway"})
    office.anna.post(f"{path}/4:activate", scope={"enforcement": "monitor"})
    asked = {"policy_bundle": "levels"}
    soon("levels@3", lambda: office.gateway.applied_or_code(**asked))
    soon("levels@2", lambda: office.anna.applied(content_type="clinical", **asked))
    assert office.anna.applied(**asked) == "levels@1"
    assert [office.gateway.applied_later(**asked), office.anna.applied_later(**asked)] == ["levels@3", "levels@1"]
    trace = office.gateway.judged(content_type="clinical", **asked)["policy_trace"]
    assert [(one["level"], one["version"], one["chosen"]) for one in trace] == [
        ("key", "3", True),
        ("tenant", "2", False),
        ("tenant", "1", False),
        ("tenant", "4", False),
    ]
    assert "monitored only" in trace[-1]["reason"]
    # Nobody becomes the gateway by saying so.
    claims = {"metadata": {"principal": "gateway", "key": "gateway"}}
    assert office.anna.applied(**asked, **claims) == "levels@1"
    refused = office.anna.client.post("/v1/orchestrate", json={"content": TEXT, "principal": "gateway"})
    assert refused.status_code == 400
    assessed = office.gateway.client.post("/v1/assessments", json={"content": TEXT} | asked)
    assert assessed.json()["verdict"]["policy_applied"] == "levels@3"


def test_a_share_of_the_sessions_gets_the_new_version_and_keeps_it_as_the_share_grows(office: Office) -> None:
    for version in "12":
        office.approved(version, bundle="share")
    office.anna.post("/share/versions/1:activate")
    seen: list[set[int]] = []
    for percent in (30, 60):
        number = office.anna.post("/share/versions/2:activate", percent=percent)["items"][0]["number"]
        soon(number, lambda: office.anna.get("/share/activations")["items"][0]["number"])
        time.sleep(REACHES_WITHIN_S)
        got = {
            session: office.anna.applied(policy_bundle="share", metadata={"session": f"s{session}"})
            for session in range(60)
        }
        seen.append({session for session, applied in got.items() if applied == "share@2"})
    assert seen[0] < seen[1]
    assert 0 < len(seen[0]) < len(seen[1]) < 60


def test_a_difference_names_lines_data_and_the_plans_that_change(office: Office) -> None:
    office.anna.post(":draft", **draft("1", bundle="told"))
    office.anna.post(":draft", **draft("2", 0.9, bundle="told"))
    found = office.anna.get("/told/diff", **{"from": "1", "to": "2"})
    change = {"path": "/defaults/actions/default/0/threshold", "change": "changed", "before": 0.5, "after": 0.9}
    assert (found["modules"], found["data"]) == ([], [change])
    assert found["decisions_compared"] == len(found["decisions"]) == 18
    assert found["decisions"][0]["differences"][0]["path"] == "/actions/default/0/threshold"
    assert office.anna.get("/told/diff", **{"from": "1", "to": "1"})["decisions"] == []
    assert office.anna.get("/told/diff", **{"from": "1"}) == "INVALID_REQUEST"
    office.anna.post(":draft", **draft("9", bundle="default"))
    assert office.anna.get("/default/diff", **{"from": _shipped_version(), "to": "9"})["data"]


def test_a_single_operator_without_keys_approves_alone_only_by_saying_so(server: Server) -> None:
    with server.client() as client:
        path = "/v1/policies/alone/versions/1"
        assert client.post("/v1/policies:draft", json=draft("1", bundle="alone")).status_code == 200
        assert client.post(f"{path}:validate").json()["valid"]
        assert client.post(f"{path}:approve", json={}).json()["code"] == "FOUR_EYES"
        assert client.post(f"{path}:approve", json={"single_operator": True}).json()["state"] == "approved"
        approval = client.get("/v1/policies/alone/history").json()["items"][0]
    assert (approval["waiver"], approval["keyless"], approval["who"]) == ("keyless", True, "local")


def test_a_change_reaches_every_process_while_requests_run_and_none_fails(
    postgres: PostgresDatabase, tmp_path: Path
) -> None:
    settings = {
        "LLAMA_MAPPER_DETECTORS": FEW_DETECTORS,
        "LLAMA_MAPPER_DATABASE_URL": postgres.url,
        "LLAMA_MAPPER_RATE_LIMIT_KEY": "0",
    }
    owner = {"LLAMA_MAPPER_DATABASE_OWNER_URL": postgres.owner_url}
    assert run_cli("db", "migrate", "--app-role", APPLICATION, environment=owner).returncode == 0
    keys = {name: _key(tmp_path, settings, name) for name in ("anna", "ben")}
    with ExitStack() as stack:
        servers = [stack.enter_context(starting(tmp_path, (), settings)) for _ in range(2)]
        for server in servers:
            wait_until_loaded(server)
        office = [person(stack, server, keys[name]) for server, name in zip(servers, keys, strict=True)]
        paths = [_approved(office[0], office[1], version) for version in "12"]
        office[0].post(f"{paths[0]}:activate")
        for each in office:
            soon("acme@1", partial(each.applied_or_code, policy_bundle="acme"))
        _change_under_load(servers, office, keys["anna"], paths, tmp_path, settings)


def _change_under_load(
    servers: list[Server],
    office: list[Person],
    key: str,
    paths: list[str],
    folder: Path,
    settings: dict[str, str],
) -> None:
    stop = threading.Event()
    answers: list[list[tuple[float, float, str]]] = [[], []]

    def ask(at: int) -> None:
        with servers[at].client(headers={"authorization": f"Bearer {key}"}) as client:
            while not stop.is_set():
                began = time.monotonic()
                answer = client.post("/v1/orchestrate", json={"content": TEXT, "policy_bundle": "acme"})
                told = answer.json()["policy"]["policy_applied"] if answer.status_code in (200, 206) else answer.text
                answers[at].append((began, time.monotonic(), told))

    threads = [threading.Thread(target=ask, args=(at,)) for at in (0, 1)]
    for thread in threads:
        thread.start()
    changes = []
    try:
        for change in (
            lambda: office[0].post(f"{paths[1]}:activate"),
            lambda: run_cli(
                *("policies", "rollback", "acme", "--tenant", "two", "--data-dir", folder / "data"),
                environment=settings,
            ),
            lambda: office[1].post(f"{paths[1]}:activate"),
        ):
            change()
            changes.append(time.monotonic())
            time.sleep(REACHES_WITHIN_S + 0.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for seen in answers:
        assert {told for _, _, told in seen} == {"acme@1", "acme@2"}, "no request failed"
        for changed, expected in zip(changes, ("acme@2", "acme@1", "acme@2"), strict=True):
            until = changed + REACHES_WITHIN_S
            late = [told for began, _, told in seen if until < began < until + 0.5]
            assert set(late) <= {expected}


def _key(folder: Path, settings: dict[str, str], name: str) -> str:
    scopes = ("--scope", "admin", "--scope", "assess", "--scope", "read")
    run = run_cli(
        *("keys", "create", "--tenant", "two", "--name", name, *scopes, "--data-dir", folder / "data"),
        environment=settings,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.decode().strip()


def _shipped_version() -> str:
    version: str = json.loads((SHIPPED / "default" / "bundle.json").read_text())["version"]
    return version
