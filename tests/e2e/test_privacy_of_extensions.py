"""Marked content through every door, with everything around it that belongs to others turned against it.

Remote detectors give the content back in labels, errors, headers and nonsense; a plugin raises and logs it; a webhook
is told; a policy is watched beside another; state is shared in a real Valkey; the log is at its most talkative.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis import Redis

from tests.e2e.test_policies import draft
from tests.e2e.test_privacy import CONTENT, MARK, in_background, kept
from tests.support.detector_servers import DetectorServer, detector_server
from tests.support.receivers import Receiver, receiving
from tests.support.servers import Server, free_port, serving
from tests.support.valkey import ValkeyServer

HARMLESS = f"A {MARK} is a rare bird that nobody minds."
PERSONAL = f"Please write to {MARK}@example.com about the {MARK} today."
NDJSON = {"content-type": "application/x-ndjson"}
ECHOES = {
    "lying": "labels",
    "wordy": "long",
    "nonsensical": "nonsense",
    "erring": "500",
    "refusing": "422",
    "busy": "429",
}

PLUGIN = """
import logging
from llama_mapper.domain.orchestration.hooks import OrchestrationHook
from llama_mapper.domain.orchestration.plugins import Plugin
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection


def words(request):
    return request.content or " ".join(message.content for message in request.messages)


def broken(text):
    logging.getLogger("talkative").warning("read %s", text)
    logging.getLogger("talkative").error(text)
    return RuntimeError(f"cannot read {text}")


class Early(OrchestrationHook):
    name = "early"

    async def before_detection(self, request):
        raise broken(words(request))

    async def after_detection(self, request, results):
        raise broken(words(request))

    def on_verdict(self, response):
        raise ValueError(EARLIER[-1])


class Breaking:
    descriptor = DetectorDescriptor("breaking", "marked", "1", ("content.violence",), (), (), 0.0)
    readiness = None

    async def inspect(self, inquiry):
        EARLIER.append(inquiry.text)
        if "rare bird" in inquiry.text:
            return Inspection()
        raise broken(inquiry.text)


EARLIER = [""]
plugin = Plugin(
    name="marked", version="1", api=(1, 0), detectors=lambda _: [Breaking()], hooks=lambda _: [Early()]
)
"""


@dataclass(frozen=True, slots=True)
class House:
    """A server with all that is around it."""

    server: Server
    valkey: str
    receiver: Receiver
    echo: DetectorServer
    folder: Path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("house")
    (site / "marked_plugin.py").write_text(PLUGIN)
    info = site / "marked_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: marked-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[llama_mapper.plugins]\nmarked = marked_plugin:plugin\n")
    path = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    with (
        ValkeyServer(tmp_path_factory.mktemp("valkey")) as valkey,
        detector_server() as echo,
        receiving([500, 200]) as at,
    ):
        echo.behave("echo", delay_s=0.02)
        settings = {
            "PYTHONPATH": os.pathsep.join(path),
            "LLAMA_MAPPER_LOG_LEVEL": "DEBUG",
            "LLAMA_MAPPER_DETECTORS": "violence,secret_phrases,presidio",
            "LLAMA_MAPPER_REDIS_URL": valkey.url,
            "LLAMA_MAPPER_REDIS_TIMEOUT_MS": "5000",
            "LLAMA_MAPPER_RATE_LIMIT_TENANT": "1000000",
            "LLAMA_MAPPER_RATE_LIMIT_ADDRESS": "1000000",
            "LLAMA_MAPPER_POLICY_FOUR_EYES": "false",
            "LLAMA_MAPPER_WEBHOOK_HOSTS": "127.0.0.1",
            "LLAMA_MAPPER_WEBHOOK_BACKOFF_S": "0.05",
        }
        with serving(folder, **settings) as server:
            yield House(server, valkey.url, at, echo, folder)


def registered(client: httpx2.Client, name: str, detector_id: str, url: str) -> None:
    definition = {
        "name": name,
        "vendor": "nobody",
        "vendor_version": "1",
        "url": url,
        "protocol": {"kind": "fms", "detector_id": detector_id},
        "categories": ["content.violence"],
        "resilience": {"breaker_failures": 1000, "probe_interval_ms": 3_600_000},
    }
    answer = client.post("/v1/detectors", json=definition, params={"probe": "false"})
    assert answer.status_code == 201, answer.text
    client.post(f"/v1/detectors/{name}:probe")


def lines(*texts: str, end: str = '{"type": "end"}', **start: Any) -> bytes:
    said = [{"type": "start", "hold_chars": 8} | start, *({"type": "delta", "text": text} for text in texts)]
    return "\n".join([*map(json.dumps, said), end]).encode()


def through_streams(server: Server, client: httpx2.Client) -> str:
    """Allowed, redacted, blocked, broken and left: the verdicts, as they came."""
    actions = []
    for text in (HARMLESS, PERSONAL, CONTENT):
        told = client.post("/v1/orchestrate:stream", content=lines(text), headers=NDJSON)
        actions.append(json.loads(told.text.splitlines()[-1])["response"]["verdict"]["action"])
    for end in (f'{{"type": "delta", "text": "{CONTENT}', json.dumps({"type": CONTENT}), json.dumps({CONTENT: 1})):
        client.post("/v1/orchestrate:stream", content=lines(CONTENT[:40], end=end), headers=NDJSON)
    for start in ({"policy_bundle": "nobody"}, {"tenant_id": "other"}, {MARK: CONTENT}, {"metadata": {"a": [CONTENT]}}):
        client.post("/v1/orchestrate:stream", content=lines(CONTENT, **start), headers=NDJSON)
    body = lines(CONTENT, end="")
    for cut in (len(body), len(body) - 20):
        with socket.create_connection(("127.0.0.1", server.port)) as gone:
            head = b"POST /v1/orchestrate:stream HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
            gone.sendall(head + b"%x\r\n" % len(body) + body[:cut])
            time.sleep(0.1)
    return " ".join(actions)


def through_texts(client: httpx2.Client, round: str) -> list[httpx2.Response]:
    """Through the doors for texts and conversations; the answers that have no redacted content in them."""
    answers = []
    said = [{"role": "user", "content": CONTENT}, {"role": "assistant", "content": HARMLESS}]
    texts: list[dict[str, Any]] = [{"content": CONTENT}, {"content": HARMLESS}, {"messages": said}]
    for number, text in enumerate(texts):
        asked = text | {"processing_mode": "low"}
        for path in ("/v1/orchestrate", "/v1/assessments"):
            for headers in ({"idempotency-key": f"{round}-{number}"},) * 2 + ({},):
                answers.append(client.post(path, json=asked, headers=headers))
                assert answers[-1].status_code in (200, 206), answers[-1].text
        assert answers[-2].headers["idempotency-replayed"] == "true"
    for _ in range(2):
        redacted = client.post("/v1/assessments", json={"content": PERSONAL}, headers={"idempotency-key": f"{round}-r"})
        assert redacted.json()["redacted"]["replaced"] == 1, redacted.text
    client.post("/v1/orchestrate", json={"content": PERSONAL})
    bad: list[dict[str, object]] = [
        {"content": CONTENT, MARK: 1},
        {"messages": [{"role": MARK, "content": CONTENT}]},
        {"messages": [{"role": "user", "content": CONTENT + "\x00"}]},
        {"content": CONTENT, "policy_bundle": MARK},
        {"content": CONTENT, "frameworks": [MARK.lower()]},
        {"content": CONTENT, "metadata": {MARK: [CONTENT]}},
        {"content": CONTENT, "messages": said},
    ]
    for number, wrong in enumerate(bad):  # names go back to the caller, and nowhere else
        refused = client.post("/v1/assessments", json=wrong, headers={"idempotency-key": f"{round}-b{number}"})
        assert refused.status_code in (400, 422), refused.text
    conflict = client.post("/v1/orchestrate", json={"content": f"{MARK}?"}, headers={"idempotency-key": f"{round}-0"})
    assert conflict.status_code == 409
    return [*answers, conflict]


def through_jobs(client: httpx2.Client, receiver: Receiver) -> list[httpx2.Response]:
    """A preference and a batch whose receiver is told, on the second attempt."""
    asked = {"content": CONTENT, "metadata": {"note": MARK}}
    single = client.post("/v1/assessments", json=asked, headers={"prefer": "respond-async", "idempotency-key": "job"})
    batch = {
        "items": [asked, {"content": HARMLESS}, asked | {"frameworks": ["nobody"]}],
        "webhook": {"url": receiver.url},
    }
    accepted = client.post("/v1/assessments:batch", json=batch)
    assert accepted.status_code == 202, accepted.text
    receiver.wait_for(2)
    ended = client.get(accepted.headers["location"])
    assert [item["error"] is None for item in ended.json()["items"]] == [True, True, False]
    return [in_background(client, single), ended, client.get("/v1/jobs")]


def through_fms(client: httpx2.Client) -> None:
    """By its contract it answers the caller's own words."""
    chat = {"messages": [{"role": "user", "content": CONTENT}]}
    doc = {"content": CONTENT, "context_type": "docs", "context": [CONTENT, HARMLESS]}
    bodies: dict[str, dict[str, Any]] = {
        "contents": {"contents": [CONTENT, HARMLESS]},
        "chat": chat,
        "context/doc": doc,
        "generation": {"prompt": CONTENT, "generated_text": CONTENT},
    }
    for path, body in bodies.items():
        for detector in ("violence", "presidio", "breaking", "lying", MARK):
            client.post(f"/api/v1/text/{path}", json=body, headers={"detector-id": detector})
        for wrong in (body | {"detector_params": {"threshold": CONTENT}}, {MARK: body}, [body], CONTENT):
            client.post(f"/api/v1/text/{path}", json=wrong, headers={"detector-id": "violence"})
        client.post(f"/api/v1/text/{path}", content=json.dumps(body)[:-5], headers={"detector-id": "violence"})


def watched(client: httpx2.Client) -> None:
    """A second policy runs beside the shipped one from now on."""
    path = "/v1/policies/default/versions/watched"
    steps = [
        ("/v1/policies:draft", draft("watched", 0.1, bundle="default")),
        (f"{path}:validate", None),
        (f"{path}:approve", {"single_operator": True, "note": "for a test"}),
        (f"{path}:activate", {"scope": {"enforcement": "monitor"}}),
    ]
    for step, body in steps:
        answer = client.post(step, json=body)
        assert answer.status_code == 200, answer.text


def everything_in(valkey: str) -> dict[bytes, bytes]:
    """Every key, and all that is under it."""
    with Redis.from_url(valkey) as redis:
        held = {}
        for key in redis.scan_iter(count=1000):
            match redis.type(key):
                case b"hash":
                    held[key] = b" ".join(part for pair in redis.hgetall(key).items() for part in pair)
                case _:
                    held[key] = redis.get(key) or b""
        return held


def test_nothing_of_the_content_is_kept_by_anybody_around_the_server(house: House) -> None:
    with house.server.client() as client:
        registered(client, "lying", "labels", house.echo.url)
        answers = through_texts(client, "first")
        watched(client)
        for name, detector_id in ECHOES.items():
            if name != "lying":
                registered(client, name, detector_id, house.echo.url)
        registered(client, "gone", "labels", f"http://127.0.0.1:{free_port()}")
        until = time.monotonic() + 30
        while not (seen := client.post("/v1/orchestrate", json={"content": f"{MARK} {time.monotonic()}"}).json()).get(
            "shadows"
        ):
            assert time.monotonic() < until, seen
            time.sleep(0.1)
        answers += through_texts(client, "second")
        actions = through_streams(house.server, client)
        through_fms(client)
        answers += through_jobs(client, house.receiver)
        version = "/v1/policies/default/versions/watched"
        answers += [
            client.post(f"{version}:simulate", json={"limit": 100}),
            *(client.get(path) for path in ("/metrics", "/readyz", "/v1/detectors", "/v1/reviews", "/v1/policies")),
            *(client.get(f"/v1/detectors/{name}") for name in (*ECHOES, "gone")),
            client.get("/v1/policies/default/history"),
        ]
        record = client.post("/v1/assessments", json={"content": CONTENT, "processing_mode": "low"}).json()
        answers += [client.get(f"/v1/assessments/{record['id']}{part}") for part in ("", "/evidence")]
    held = everything_in(house.valkey)

    # It all took place ...
    assert actions == "flag redact block"
    results = {each["detector"]: each for each in record["orchestration"]["detector_results"]}
    assert {name: results[name]["status"] for name in (*ECHOES, "gone", "breaking")} == {
        "lying": "success",
        "wordy": "failed",
        "nonsensical": "failed",
        "erring": "failed",
        "refusing": "failed",
        "busy": "unavailable",
        "gone": "unavailable",
        "breaking": "failed",
    }
    labels = [each["label"] for each in results["lying"]["findings"]]
    assert [each for each in labels if not each.startswith("unknown:hmac-sha256:")] == ["PERSON:is"]
    hooks = [each["detail"] for each in record["orchestration"]["provenance"] if each["component"] == "hook:early"]
    assert hooks == [
        f"{step} failed: {error}"
        for step, error in (
            ("before_detection", "RuntimeError"),
            ("after_detection", "RuntimeError"),
            ("on_verdict", "ValueError"),
        )
    ]
    assert "talkative" in house.server.output.read_text()
    kinds = {key.split(b":")[2] for key in held}
    assert kinds >= {b"idempotency", b"cache", b"generation", b"rate"}
    # ... and nobody has it.
    assert [answer.text for answer in answers if MARK.lower() in answer.text.lower()] == []
    assert [body for body in house.receiver.got if MARK.lower() in str(body).lower()] == []
    assert [key for key, value in held.items() if MARK.lower().encode() in (key + value).lower()] == []
    assert {key.split(b":")[1] for key in held} <= {b"local", b"_"}
    assert {key.split(b":")[2] for key in held if key.startswith(b"lm:_:")} <= {b"rate", b"breakers", b"alive"}
    assert kept(house.folder) == []
