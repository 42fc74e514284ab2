"""The front door of a split installation answers every operation as the monolith does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.http.forwarding import context_of
from llama_mapper.entrypoints.http.services import application_of, monolith_operations, operations_of
from llama_mapper.entrypoints.settings import Settings
from tests.support.schemas import TOLD, link, profile, serving_schemas, two_versions
from tests.support.split_doors import SplitDoor, open_split

HERE = {"assessments", "drop-in", "jobs", "orchestration", "detectors", "policies"}
"""Tags of what the front door does itself; of schemas it does what needs no store."""

HERE_TOO = {"listSchemas", "getSchema", "listControlsOfLabel", "renderReport"}


@pytest.fixture(scope="module")
async def split(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SplitDoor]:
    async with open_split(tmp_path_factory.mktemp("split")) as door:
        yield door


@pytest.fixture(scope="module")
async def monolith(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings.load(data_dir=tmp_path_factory.mktemp("monolith"), detector_workers=0)
    async with running_monolith(settings, jobs=True) as running:
        transport = httpx2.ASGITransport(application_of(running, settings, front=True))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60.0) as client:
            yield client


def operations(document: Any) -> dict[str, tuple[str, str, Any]]:
    return {
        one["operationId"]: (method.upper(), path, one)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    }


async def sent(client: httpx2.AsyncClient, method: str, path: str, operation: Any) -> httpx2.Response:
    filled = re.sub(r"{(\w+)}", lambda name: {"version": "1.0.0", "major": "1"}.get(name[1], "nobody"), path)
    body = operation.get("requestBody", {}).get("content", {})
    more: dict[str, Any] = {}
    for media_type, described in body.items():
        if media_type == "application/json":
            more["json"] = described.get("example", {})
        else:
            more |= {"content": b"abc\n", "headers": {"content-type": media_type}}
    wanted = {"from": "1", "to": "2", "framework": "gdpr", "canonical": "pii.financial_data"}
    named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query" and each["required"]}
    return await client.request(method, filled, params={name: wanted[name] for name in named}, **more)


def kind(answer: httpx2.Response) -> tuple[Any, ...]:
    """What of an answer does not depend on when and where it was given."""
    media_type = answer.headers["content-type"]
    document = answer.json() if media_type.endswith(("/json", "+json")) else {}
    keys = sorted(document) if isinstance(document, dict) else len(document)
    return (
        answer.status_code,
        media_type,
        answer.headers.get("link"),
        document.get("code"),
        document.get("detail"),
        keys,
    )


async def test_the_front_door_has_every_operation_of_the_monolith_and_each_reaches_its_context(
    split: SplitDoor, monolith: httpx2.AsyncClient
) -> None:
    of_one, of_three = [operations((await client.get("/openapi.json")).json()) for client in (monolith, split.client)]
    assert {name: found[:2] for name, found in of_one.items()} == {name: found[:2] for name, found in of_three.items()}
    assert {name: found[2].get("requestBody") for name, found in of_one.items()} == {
        name: found[2].get("requestBody") for name, found in of_three.items()
    }
    owners = {each.id: context_of(each) for each in monolith_operations()}
    differ, strayed = {}, {}
    for name, (method, path, operation) in of_one.items():
        own = operation["tags"][0] in HERE or name in HERE_TOO
        before = {context: len(seen) for context, seen in split.reached.items()}
        expected, got = [await sent(client, method, path, operation) for client in (monolith, split.client)]
        if kind(got) != kind(expected):
            differ[name] = (kind(got), kind(expected))
        passed_on = {
            context
            for context, seen in split.reached.items()
            if any(
                told == method and "llama-mapper-acting-for" in headers for told, _, headers in seen[before[context] :]
            )
        }
        if passed_on != (set() if own else {owners[name]}):
            strayed[name] = passed_on
    assert differ == {}
    assert strayed == {}


async def test_no_operation_of_the_contexts_is_known_to_links_alone(split: SplitDoor) -> None:
    at_front = {each.id for each in monolith_operations()}
    served = {each.id for each in operations_of(split.running, split.running.platform.catalogue(), _settings(split))}
    assert served == at_front


def passed_on(split: SplitDoor) -> list[tuple[str, str, dict[str, str]]]:
    return [one for one in split.reached["mapping"] if "llama-mapper-acting-for" in one[2]]


def _settings(split: SplitDoor) -> Settings:
    settings: Settings = split.running.platform.settings()
    return settings


async def test_what_is_done_at_the_front_is_done_for_the_credentials_tenant_and_by_its_name(tmp_path: Path) -> None:
    async with open_split(tmp_path) as split:
        every = (Scope.ASSESS, Scope.READ, Scope.ADMIN)
        acme, globex = await split.new_key("acme", *every), await split.new_key("globex", *every)
        reader = await split.new_key("acme", Scope.READ)
        body = {
            "source": "our own list",
            "basis": "knowledge",
            "versions": {"1": {"labels": {"pii.personal_identifiers.email": ["OUR_MAIL"]}}},
        }
        put = await split.client.put("/v1/vocabularies/ours", json=body, headers=acme)
        assert put.status_code == 200, put.text
        history = (await split.client.get("/v1/vocabularies/ours/versions", headers=acme)).json()["items"]
        assert [(step["who"], step["door"], step["keyless"]) for step in history] == [("for a test", "http", False)]
        assert (await split.client.get("/v1/vocabularies/ours", headers=globex)).status_code == 404
        assert (await split.client.get("/v1/vocabularies", headers=globex)).json()["items"] == []
        refused = await split.client.put("/v1/vocabularies/ours", json=body, headers=reader)
        assert (refused.status_code, refused.json()["code"]) == (403, "INSUFFICIENT_RBAC")
        nobody = await split.client.get("/v1/vocabularies")
        assert (nobody.status_code, nobody.json()["code"]) == (401, "UNAUTHORIZED")
        claimed = await split.client.get(
            "/v1/vocabularies", headers=globex | {"llama-mapper-acting-for": "eyJ0ZW5hbnRfaWQiOiJhY21lIn0="}
        )
        assert claimed.json()["items"] == []
        other = await split.client.get("/v1/reviews", params={"tenant_id": "acme"}, headers=globex)
        assert (other.status_code, other.json()["code"]) == (403, "TENANT_MISMATCH")
        again = [
            await split.client.post(
                "/v1/map", json={"vendor": "ours", "label": "OUR_MAIL"}, headers=acme | {"idempotency-key": "one"}
            )
            for _ in range(2)
        ]
        assert [one.headers.get("idempotency-replayed") for one in again] == [None, "true"]
        assert again[0].content == again[1].content
        assert again[0].json()["canonical"] == "pii.personal_identifiers.email"
        assert sum(path == "/v1/map" for _, path, _ in split.reached["mapping"]) == 1


async def test_files_go_through_in_pieces_and_problems_come_back_as_they_are(split: SplitDoor) -> None:
    content = bytes(range(256)) * 4096
    digest = {"content-digest": f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"}
    pieces_sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal pieces_sent
        for at in range(0, len(content), 65_536):
            pieces_sent += 1
            yield content[at : at + 65_536]

    headers = {"content-length": str(len(content)), "content-type": "application/octet-stream"}
    place = "/v1/models/mine/versions/1.0.0/artifacts/deep/folder/weights.bin"
    stored = await split.client.put(place, content=pieces(), headers=headers | digest)
    assert stored.status_code == 201, stored.text
    assert (stored.json()["path"], stored.json()["size"]) == ("deep/folder/weights.bin", len(content))
    assert pieces_sent == 16
    wrong = await split.client.put(place + "2", content=b"other", headers=digest)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "ARTIFACT_CORRUPTED")
    undeclared = await split.client.put(place + "3", content=b"x")
    assert undeclared.headers["content-type"] == "application/problem+json"
    assert "Content-Digest" in undeclared.json()["detail"]


@pytest.mark.parametrize("target", ["/v1/vocabularies/%2e%2e", "/v1/reviews/a%20b?x=%C3%A4", "/v1/reviews/%C3%A4"])
async def test_paths_go_on_as_they_were_sent(split: SplitDoor, target: str) -> None:
    await split.client.get(target)
    assert passed_on(split)[-1][1] == target.partition("?")[0]


async def test_a_trace_goes_through(split: SplitDoor) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await split.client.get("/v1/costs", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.headers.get_list("traceparent")[0].split("-")[1] == trace
    assert len(answer.headers.get_list("traceparent")) == 1
    assert passed_on(split)[-1][2]["traceparent"].split("-")[1] == trace


async def test_callers_of_the_front_get_the_version_that_a_release_gives_them(tmp_path: Path) -> None:
    with serving_schemas(two_versions(with_others=True)):
        async with open_split(tmp_path, schema_defaults={TOLD: 1}, release_interval_s=0.05) as split:
            body = {"labels": [{"vendor": "presidio", "label": "CREDIT_CARD"}]}

            async def mapped(**headers: str) -> httpx2.Response:
                return await split.client.post("/v1/map:batch", json=body, headers=headers)

            old = await mapped()
            assert (old.headers["link"], old.json()["mappings"][0]["source"]) == (link(TOLD, 1), "presidio")
            named = await mapped(accept=profile(TOLD, 2))
            assert (named.headers["content-type"], named.headers["link"]) == (profile(TOLD, 2), link(TOLD, 2))
            how = {"stages": [50.0, 100.0], "min_seconds": 0.0, "min_requests": 3, "unit": "request"}
            begun = await split.client.post(f"/v1/schemas/{TOLD}/versions/2:deploy", json=how)
            assert begun.status_code == 201, begun.text
            release = f"/v1/releases/{begun.json()['id']}"
            seen = set()
            async with asyncio.timeout(120):
                while (found := (await split.client.get(release)).json())["state"] == "running":
                    seen |= {(await mapped()).headers["link"] for _ in range(10)}
                    await asyncio.sleep(0.05)
            assert found["state"] == "completed"
            assert {arm["arm"]: arm["labels"] > 0 for arm in found["arms"]} == {"baseline": True, "candidate": True}
            assert seen == {link(TOLD, 1), link(TOLD, 2)}


async def test_a_context_that_is_away_or_wrong_is_told_as_such(tmp_path: Path) -> None:
    async with open_split(tmp_path, front={"mapping_url": "http://127.0.0.1:1"}) as split:
        away = await split.client.get("/v1/vocabularies")
        assert (away.status_code, away.json()["code"], away.json()["retryable"]) == (503, "SERVICE_UNAVAILABLE", True)
