"""Our detectors under the FMS detector API, called by a client that knows only the published contract, and by our own
adapter for that API."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx2
import jsonschema
import pytest
import pytest_asyncio
import uvicorn

from llama_mapper.adapters.orchestration.remote.factory import remote_detector
from llama_mapper.adapters.orchestration.remote.http_detector import open_detector_client
from llama_mapper.domain.contracts.detectors import FmsEndpoint
from llama_mapper.domain.contracts.orchestration import Role
from llama_mapper.domain.kernel.credentials import issue_key
from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.domain.orchestration.ports import (
    DetectorDescriptor,
    DetectorFailed,
    DetectorTimeout,
    Inquiry,
    Inspection,
    RawFinding,
    Turn,
)
from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.http.services import application_of
from llama_mapper.entrypoints.settings import Settings
from tests.support.definitions import a_definition

# What the published document says of a detection, in JSON Schema.
EVIDENCE = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
DETECTION: dict[str, Any] = {
    "type": "object",
    "required": ["detection", "detection_type", "score"],
    "properties": {
        "detection": {"type": "string"},
        "detection_type": {"type": "string"},
        "score": {"type": "number"},
        "evidence": {"type": "array", "items": EVIDENCE},
    },
}
SPAN = DETECTION | {
    "required": ["start", "end", "text", *DETECTION["required"]],
    "properties": DETECTION["properties"]
    | {"start": {"type": "integer"}, "end": {"type": "integer"}, "text": {"type": "string"}},
}
ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
    "additionalProperties": False,
}


class Marks:
    """Finds every `<WORD>` with the score 0.8, and `loud` without a place with 0.4; breaks and dawdles when told."""

    readiness: str | None = None

    def __init__(self, name: str = "marks", *, remote: bool = False) -> None:
        self.descriptor = DetectorDescriptor(
            name, "presidio", "1", ("pii.personal_identifiers",), (), (), 0.01, {"LOUD": "content.toxic_language"}
        )
        if remote:
            self.descriptor = DetectorDescriptor(name, "x", "1", (), (), (), 0.0, remote=True)

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """See `Detector.inspect`."""
        if "break" in inquiry.text:
            raise DetectorFailed("broken as told")
        if "dawdle" in inquiry.text:
            raise DetectorTimeout("dawdled as told")
        if "lie" in inquiry.text:
            return Inspection((RawFinding("X", 7.0),))
        found = re.finditer(r"<([A-Z_]+)>", inquiry.text)
        # An unknown label that stood in the text would be withheld.
        marks = [RawFinding(m[1].replace("NOBODY_KNOWS", "QQQ"), 0.8, m.start(), m.end()) for m in found]
        loud = [RawFinding("LOUD", 0.4)] if "loud" in inquiry.text else []
        return Inspection((*marks, *loud))


class NotReady(Marks):
    """Never ready."""

    readiness = "still loading"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    settings = Settings.load(data_dir=tmp_path_factory.mktemp("fms"), detector_workers=0, content_limit=1000)
    detectors = [Marks(), NotReady("loading"), Marks("elsewhere", remote=True)]
    async with running_monolith(settings, detectors) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(running: Running) -> AsyncIterator[httpx2.AsyncClient]:
    app = application_of(running, running.platform.settings(), front=True)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address(running: Running) -> AsyncIterator[str]:
    """Where the door answers over a socket."""
    app = application_of(running, running.platform.settings(), front=True)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest_asyncio.fixture(loop_scope="session")
async def outside() -> AsyncIterator[aiohttp.ClientSession]:
    opened = open_detector_client()
    yield opened
    await opened.close()


async def ask(client: httpx2.AsyncClient, endpoint: str, detector: str = "marks", **body: Any) -> Any:
    answer = await client.post(f"/api/v1/text/{endpoint}", json=body, headers={"detector-id": detector})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    jsonschema.validate(
        found,
        {"type": "array", "items": {"type": "array", "items": SPAN} if endpoint == "contents" else DETECTION},
    )
    return found


async def test_each_text_has_its_own_findings_in_order(client: httpx2.AsyncClient) -> None:
    found = await ask(client, "contents", contents=["é𝄞 <EMAIL_ADDRESS>!", "", "quiet", "loud <NOBODY_KNOWS>"])
    email = {
        "start": 3,
        "end": 18,
        "text": "<EMAIL_ADDRESS>",
        "detection": "EMAIL_ADDRESS",
        "detection_type": "pii.personal_identifiers",
        "score": 0.8,
    }
    unknown = {"start": 5, "end": 19, "text": "<NOBODY_KNOWS>", "detection": "QQQ", "score": 0.8}
    whole = {"start": 0, "end": 19, "text": "loud <NOBODY_KNOWS>", "detection": "LOUD", "score": 0.4}
    assert found == [
        [email],
        [],
        [],
        [unknown | {"detection_type": "unmapped"}, whole | {"detection_type": "content.toxic_language"}],
    ]


async def test_the_threshold_is_honoured(client: httpx2.AsyncClient) -> None:
    for threshold, labels in ((0.4, ["A", "LOUD"]), (0.41, ["A"]), (0.8, ["A"]), (1, []), (None, ["A", "LOUD"])):
        params = {"threshold": threshold, "of_another_detector": {"x": [1]}}
        found = await ask(client, "contents", contents=["loud <A>"], detector_params=params)
        assert [each["detection"] for each in found[0]] == labels, threshold


async def test_a_conversation_is_judged_as_a_whole_and_told_by_label(client: httpx2.AsyncClient) -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "name": "x", "content": [{"type": "text", "text": "loud"}, {"type": "text", "text": "<A>"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"arguments": '{"x": "<B>"}'}}]},
        {"role": "tool", "content": "<A>", "tool_call_id": "1"},
    ]
    assert await ask(client, "chat", messages=messages) == [
        {
            "detection": "A",
            "detection_type": "unmapped",
            "score": 0.8,
            "evidence": [{"name": "messages[1]", "score": 0.8}, {"name": "messages[3]", "score": 0.8}],
        },
        {
            "detection": "B",
            "detection_type": "unmapped",
            "score": 0.8,
            "evidence": [{"name": "messages[2]", "score": 0.8}],
        },
        {"detection": "LOUD", "detection_type": "content.toxic_language", "score": 0.4, "evidence": []},
    ]
    assert await ask(client, "chat", messages=[{"role": "user", "content": ""}]) == []


async def test_documents_and_generations_say_where(client: httpx2.AsyncClient) -> None:
    found = await ask(client, "context/doc", content="<A>", context_type="docs", context=["x", "<B>"])
    assert {each["detection"]: each["evidence"][0]["name"] for each in found} == {"A": "content", "B": "context[1]"}
    found = await ask(client, "generation", prompt="<A>", generated_text="<A> <B>")
    assert {each["detection"]: [e["name"] for e in each["evidence"]] for each in found} == {
        "A": ["prompt", "generated_text"],
        "B": ["generated_text"],
    }


@pytest.mark.parametrize(
    ("status", "detector", "body"),
    [
        (404, "nobody", {"contents": ["x"]}),
        (404, "elsewhere", {"contents": ["x"]}),
        (503, "loading", {"contents": ["x"]}),
        (502, "marks", {"contents": ["x", "break"]}),
        (502, "marks", {"contents": ["lie"]}),
        (504, "marks", {"contents": ["dawdle"]}),
        (413, "marks", {"contents": ["x" * 600, "x" * 600]}),
        (422, "marks", {"contents": []}),
        (422, "marks", {"contents": "x"}),
        (422, "marks", {"contents": ["\x01"]}),
        (422, "marks", {}),
        (422, "marks", {"contents": ["x"], "detector_params": {"threshold": 2}}),
        (422, "marks", {"contents": ["x"], "detector_params": {"threshold": True}}),
        (422, "", {"contents": ["x"]}),
    ],
)
async def test_errors_have_the_published_form_and_quote_nothing(
    client: httpx2.AsyncClient, status: int, detector: str, body: dict[str, Any]
) -> None:
    headers = {"detector-id": detector} if detector else {}
    answer = await client.post("/api/v1/text/contents", json=body, headers=headers)
    jsonschema.validate(answer.json(), ERROR)
    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert answer.headers["content-type"] == "application/json"
    assert "xxxx" not in answer.text


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("chat", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
        ("chat", {"messages": [{"role": "nobody", "content": "x"}]}),
        ("context/doc", {"content": "x", "context_type": "url", "context": ["http://127.0.0.1:9/"]}),
        ("generation", {"prompt": "x"}),
    ],
)
async def test_what_cannot_be_judged_is_refused(client: httpx2.AsyncClient, endpoint: str, body: Any) -> None:
    answer = await client.post(f"/api/v1/text/{endpoint}", json=body, headers={"detector-id": "marks"})
    jsonschema.validate(answer.json(), ERROR)
    assert answer.status_code == 422


async def test_health_is_told_without_a_credential(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/health")).status_code == 200


async def test_a_key_is_asked_for_as_everywhere(running: Running, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings.load(data_dir=tmp_path_factory.mktemp("keyed"), detector_workers=0)
    async with running_monolith(settings, [Marks()]) as keyed:
        key, record = issue_key(
            keyed.platform.pepper(),
            name="reads",
            tenant_id="acme",
            scopes=frozenset({Scope.READ}),
            created_at=keyed.platform.clock()(),
        )
        await keyed.platform.api_keys().add(record)
        app = application_of(keyed, settings, front=True)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
            for headers, status in (({}, 401), ({"authorization": f"Bearer {key}"}, 403)):
                answer = await client.post(
                    "/api/v1/text/contents", json={"contents": ["x"]}, headers={"detector-id": "marks", **headers}
                )
                jsonschema.validate(answer.json(), ERROR)
                assert answer.status_code == answer.json()["code"] == status


TEXT = "Dear é𝄞 <EMAIL_ADDRESS>,\n\nit is <NOBODY_KNOWS>."


@pytest.mark.parametrize("endpoint", list(FmsEndpoint))
async def test_our_own_adapter_finds_through_our_own_door_what_the_detector_finds_in_process(
    outside: aiohttp.ClientSession, address: str, endpoint: FmsEndpoint
) -> None:
    said = [(Role.DOCUMENT, "<IBAN_CODE>"), (Role.USER, "loud"), (Role.ASSISTANT, TEXT)]
    turns, at = [], 0
    for role, part in said:
        turns.append(Turn(role, at, at + len(part)))
        at += len(part) + 2
    inquiry = Inquiry("\n\n".join(part for _, part in said), tuple(turns))
    definition = a_definition(url=address, protocol={"kind": "fms", "detector_id": "marks", "endpoint": endpoint.value})
    through = await remote_detector(definition, outside).inspect(inquiry)
    inside = await Marks().inspect(inquiry)
    if endpoint is FmsEndpoint.CONTENTS:
        placed = [(0, len(inquiry.text)) if each.start is None else (each.start, each.end) for each in inside.findings]
        expected = [(each.label, each.score, *place) for each, place in zip(inside.findings, placed, strict=True)]
        assert [(each.label, each.score, each.start, each.end) for each in through.findings] == expected
    else:
        # What of the conversation is sent depends on the endpoint; what is found in that is the same.
        sent = {FmsEndpoint.CHAT: 0, FmsEndpoint.CONTEXT_DOC: 0, FmsEndpoint.GENERATION: 1}[endpoint]
        kept = said[sent:] if endpoint is not FmsEndpoint.CONTEXT_DOC else [said[0], said[2]]
        alone = await Marks().inspect(Inquiry("\n\n".join(part for _, part in kept)))
        assert {(each.label, each.score) for each in through.findings} == {
            (each.label, each.score) for each in alone.findings
        }


async def test_our_own_door_shows_a_sign_of_life_to_our_own_adapter(
    outside: aiohttp.ClientSession, address: str
) -> None:
    await remote_detector(a_definition(url=address), outside).probe()
