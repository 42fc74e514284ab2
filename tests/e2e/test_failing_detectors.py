"""Detectors that fail are named through every door, the others are judged to the end, and the service goes on.

The same, word for word, whether the contexts are one process or three: detectors from files, a policy of the tenant's
own, redaction and jobs included.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.test_policies import draft
from tests.e2e.test_privacy import in_background
from tests.support.detector_servers import DetectorServer, detector_servers
from tests.support.servers import Server, serving, serving_split

BAD = {"hanging": "hang", "broken": "status", "garbage": "not_json", "gone": "refuse"}
NAMES = ("good", *BAD)
EXPECTED = {
    "good": ("success", None),
    "hanging": ("timeout", "DETECTOR_TIMEOUT"),
    "broken": ("failed", "DETECTOR_SERVER_ERROR"),
    "garbage": ("failed", "DETECTOR_MALFORMED_ANSWER"),
    "gone": ("unavailable", "DETECTOR_UNREACHABLE"),
}
TEXT = "Please feed the zebra. I will kill you."
ASKED: dict[str, Any] = {"content": TEXT, "policy_bundle": "five"}
CATEGORY = "pii.personal_identifiers"


@pytest.fixture(scope="module")
def remotes() -> Iterator[dict[str, DetectorServer]]:
    with detector_servers(*[{"zebra": "EMAIL_ADDRESS"}] * len(NAMES)) as started:
        yield dict(zip(NAMES, started, strict=True))


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory, remotes: dict[str, DetectorServer]) -> Path:
    folder = tmp_path_factory.mktemp("definitions")
    for name, remote in remotes.items():
        definition = {
            "name": name,
            "vendor": "presidio",
            "vendor_version": "2",
            "url": remote.url,
            "protocol": {"kind": "fms", "detector_id": "theirs"},
            "categories": [CATEGORY],
            "timeout_ms": 500 if name == "hanging" else 30_000,
            "resilience": {"breaker_failures": 1000, "probe_interval_ms": 200},
        }
        (folder / f"{name}.yaml").write_text(json.dumps(definition))
    return folder


def policy() -> dict[str, Any]:
    """All five are required, each as much as the others; the violence detector judges besides."""
    asked = draft("1", bundle="five")
    defaults = asked["data"]["defaults"]
    defaults["required_detectors"] = list(NAMES)
    defaults["content_types"]["text"] |= {"required_categories": [], "primary_detectors": []}
    defaults["timeouts_ms"] = dict.fromkeys(("normal", "critical", "low"), 30_000)
    defaults["detector_defaults"]["timeout_ms"] = 30_000
    defaults["coverage"] |= {"method": "required_set", "threshold": 0.8}
    defaults["actions"] = {"default": [{"action": "redact", "threshold": 0.5}], "categories": {}}
    return asked


def in_force(client: httpx2.Client) -> None:
    path = "/v1/policies/five/versions/1"
    steps = [
        ("/v1/policies:draft", policy()),
        (f"{path}:validate", None),
        (f"{path}:approve", {"single_operator": True, "note": "for a test"}),
        (f"{path}:activate", {}),
    ]
    for step, body in steps:
        answer = client.post(step, json=body)
        assert answer.status_code == 200, answer.text


def became(orchestration: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Status and code of the five; a detector that probes have found dead already is as good as unreachable."""
    told = {}
    for result in orchestration["detector_results"]:
        if result["detector"] in NAMES:
            code = result["fault"] and result["fault"]["code"]
            told[result["detector"]] = (result["status"], EXPECTED["gone"][1] if code == "DETECTOR_NOT_READY" else code)
    return told


def checked(status: int, orchestration: dict[str, Any]) -> dict[str, Any]:
    """What an answer says, after it was held to the promises."""
    assert status == 206
    assert became(orchestration) == EXPECTED
    coverage = orchestration["coverage"]
    assert (coverage["achieved"], coverage["sufficient"]) == (0.2, False)
    assert [gap["subject"] for gap in coverage["gaps"]] == sorted(BAD)
    findings = [
        [result["detector"], finding["label"], finding["span"]]
        for result in orchestration["detector_results"]
        for finding in result["findings"]
    ]
    assert ["good", "EMAIL_ADDRESS", {"start": 16, "end": 21}] in findings
    assert {"good", "violence"} == {finding[0] for finding in findings}
    assert orchestration["policy"]["policy_applied"] == "five@1"
    return {"findings": findings, "coverage": coverage, "verdict": orchestration["verdict"]}


def through_every_door(client: httpx2.Client) -> dict[str, Any]:
    """What each door said."""
    told: dict[str, Any] = {}
    answer = client.post("/v1/orchestrate", json=ASKED)
    told["orchestrate"] = checked(answer.status_code, answer.json())
    told["redacted"] = answer.json()["redacted"]
    assert "zebra" not in str(told["redacted"])

    answer = client.post("/v1/assessments", json=ASKED)
    record = answer.json()
    told["assessment"] = checked(answer.status_code, record["orchestration"])
    assert record.pop("redacted") == told["redacted"]
    assert client.get(answer.headers["location"]).json() == record
    told["chain"] = [record["mapping"]["taxonomy"], record["mapping"]["framework_mappings"], record["verdict"]]
    told["compliance"] = record["analysis"]["compliance_mappings"]

    said = [
        {"type": "start", "policy_bundle": "five", "max_hold_ms": 30_000},
        {"type": "delta", "text": TEXT},
        {"type": "end"},
    ]
    body = "\n".join(map(json.dumps, said)).encode()
    answer = client.post("/v1/orchestrate:stream", content=body, headers={"content-type": "application/x-ndjson"})
    events = [json.loads(line) for line in answer.text.splitlines()]
    assert {event["detector"] for event in events if event["type"] == "fault"} == set(BAD)
    told["stream"] = checked(206, events[-1]["response"])
    assert "".join(event["text"] for event in events if event["type"] == "release") == told["redacted"]["content"]

    accepted = client.post("/v1/assessments:batch", json={"items": [ASKED, ASKED]})
    jobs = [in_background(client, accepted)]
    jobs.append(in_background(client, client.post("/v1/assessments", json=ASKED, headers={"prefer": "respond-async"})))
    for job in jobs:
        for item in job.json()["items"]:
            kept = client.get(f"/v1/assessments/{item['assessment_id']}").json()
            assert checked(206, kept["orchestration"]) == told["assessment"]

    found = client.post("/api/v1/text/contents", json={"contents": [TEXT]}, headers={"detector-id": "violence"})
    told["fms"] = (found.status_code, found.json())
    assert (found.status_code, len(found.json())) == (200, 1), found.text
    for name in NAMES:  # detectors elsewhere are not served on
        other = client.post("/api/v1/text/contents", json={"contents": [TEXT]}, headers={"detector-id": name})
        assert other.status_code == 404
    return told


def healed(client: httpx2.Client) -> None:
    """Everybody answers again, and everything is covered."""
    until = time.monotonic() + 60
    achieved = 0.0
    while achieved < 1.0:
        answer = client.post("/v1/orchestrate", json=ASKED | {"content": f"{time.monotonic()}"})
        assert time.monotonic() < until, answer.text
        achieved = answer.json()["coverage"]["achieved"] if answer.status_code in (200, 206) else 0.0
    assert {status for status, _ in became(answer.json()).values()} == {"success"}
    assert answer.status_code == 200


def test_whoever_fails_is_named_through_every_door_in_one_process_and_in_three(
    tmp_path: Path, remotes: dict[str, DetectorServer], definitions: Path
) -> None:
    settings = {
        "LLAMA_MAPPER_DETECTORS": "violence",
        "LLAMA_MAPPER_DETECTOR_FILES": str(definitions),
        "LLAMA_MAPPER_POLICY_FOUR_EYES": "false",
        "LLAMA_MAPPER_JOB_DEADLINE_MS": "60000",
        "LLAMA_MAPPER_REQUEST_TIMEOUT_MS": "60000",
    }
    starts: dict[str, Callable[..., AbstractContextManager[Server]]] = {"one": serving, "three": serving_split}
    told = {}
    for name, start in starts.items():
        with start(tmp_path / name, **settings) as server, server.client() as client:
            in_force(client)
            healed(client)
            for detector, behaviour in BAD.items():
                remotes[detector].behave(behaviour, health="good")
            told[name] = through_every_door(client)
            ready = client.get("/readyz")
            assert ready.status_code == 200
            for remote in remotes.values():
                remote.behave("good")
            healed(client)
    assert told["one"] == told["three"]
