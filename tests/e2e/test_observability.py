"""What operators see: logs, traces, metrics, health; and what happens when a part goes away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import FEW_DETECTORS, LINK_SECRET, Guarded
from tests.support.servers import Server, free_port, starting, wait_until_loaded

TEXT = {"content": "I will kill you tonight."}
SPAN = "00f067aa0ba902b7"


def lines_of(server: Server) -> list[dict[str, Any]]:
    """Every log line; each must be a JSON object."""
    lines = [json.loads(line) for line in server.output.read_bytes().splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def lines_with(server: Server, trace_id: str, enough: int) -> list[dict[str, Any]]:
    """The log lines of a trace, once there are enough: a request is logged after it is answered."""
    found: list[dict[str, Any]] = []
    until = time.monotonic() + 5
    while len(found) < enough and time.monotonic() < until:
        found = [line for line in lines_of(server) if line.get("trace_id") == trace_id]
        time.sleep(0.02)
    return found


def trace_of(answer: httpx2.Response) -> tuple[str, str]:
    version, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
    assert (version, len(trace_id), len(span_id), len(flags)) == ("00", 32, 16, 2)
    return trace_id, span_id


def test_every_log_line_is_an_object_with_level_time_and_event(server: Server) -> None:
    with server.client() as client:
        client.post("/v1/assessments", json=TEXT)
        client.get("/v1/nothing")
        refused = client.post("/v1/assessments", json={"content": "x", "policy_bundle": "nobody"})
    [line] = lines_with(server, refused.json()["trace_id"], 1)
    assert (line["event"], line["route"], line["status"]) == ("request", "/v1/assessments", 400)
    for line in lines_of(server):
        assert {"event", "level", "at"} <= line.keys()
        if line["event"] == "request":
            assert {"trace_id", "method", "route", "status", "ms"} <= line.keys()


def test_a_trace_is_taken_up_and_its_span_is_ours(server: Server) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    with server.client(headers={"traceparent": f"00-{trace_id}-{SPAN}-01"}) as client:
        good, bad = client.post("/v1/assessments", json=TEXT), client.post("/v1/assessments", json={})
    for answer in (good, bad):
        assert trace_of(answer)[0] == trace_id
        assert trace_of(answer)[1] != SPAN
        assert answer.headers["traceparent"].endswith("-01"), "whether it is sampled is the caller's to say"
    assert bad.json()["trace_id"] == trace_id
    assert len(lines_with(server, trace_id, 2)) == 2


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        f"00-{'A' * 32}-{SPAN}-01",
        f"00-{'a' * 31}-{SPAN}-01",
        f"ff-{'a' * 32}-{SPAN}-01",
        f"00-{'a' * 32}-{SPAN}-01-more",
        f"00-{'a' * 32}-{SPAN}",
    ],
)
def test_a_malformed_trace_starts_a_new_one(server: Server, header: str | None) -> None:
    with server.client(headers={} if header is None else {"traceparent": header}) as client:
        first, second = client.get("/healthz"), client.get("/healthz")
    assert trace_of(first)[0] != trace_of(second)[0]
    assert trace_of(first)[0] not in {"a" * 32, "0" * 32}


def test_one_trace_runs_through_all_three_services(split: Server) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    with split.client(headers={"traceparent": f"00-{trace_id}-{SPAN}-01"}) as client:
        assert client.post("/v1/assessments", json=TEXT).status_code == 200
    routes = {line["route"] for line in lines_with(split, trace_id, 4)}
    assert routes == {"/v1/assessments", "/v1/analyze", "/v1/map", "/v1/overlay/mark"}


def test_metrics_are_prometheus_text_and_name_what_matters(guarded: Guarded) -> None:
    headers = {"x-api-key": guarded.alpha}
    with guarded.server.client(headers=headers) as client:
        client.post("/v1/assessments", json=TEXT)
        client.post("/v1/assessments", json={})
        client.get("/v1/assessments/asm_none")
        client.get("/v1/no-such-path-anywhere")
        scraped = client.get("/metrics")
    assert scraped.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(scraped.text)}
    assert all(name.startswith("llama_mapper_") for name in families)
    assert {
        "llama_mapper_assessments",
        "llama_mapper_detector_results",
        "llama_mapper_detector_seconds",
        "llama_mapper_stage_seconds",
        "llama_mapper_categories_flagged",
        "llama_mapper_http_requests",
        "llama_mapper_http_request_seconds",
        "llama_mapper_partial_coverage",
        "llama_mapper_mapping_abstentions",
        "llama_mapper_detectors_ready",
    } <= families.keys()
    stages = {sample.labels["stage"] for sample in families["llama_mapper_stage_seconds"].samples}
    assert stages == {"orchestration", "analysis", "mapping", "evidence"}
    results = families["llama_mapper_detector_results"].samples
    assert any(
        (sample.labels["detector"], sample.labels["status"]) == ("violence", "success") and sample.value >= 1
        for sample in results
    )
    flagged = {sample.labels["category"] for sample in families["llama_mapper_categories_flagged"].samples}
    assert "content.violence" in flagged
    counted = {
        (sample.labels["route"], sample.labels["status"])
        for sample in families["llama_mapper_http_requests"].samples
        if sample.name.endswith("_total")
    }
    assert {("/v1/assessments", "400"), ("/v1/assessments/{assessment_id}", "404"), ("unmatched", "404")} <= counted


def test_metrics_name_no_tenant_no_vendor_label_and_nothing_that_a_caller_wrote(guarded: Guarded) -> None:
    with guarded.server.client(headers={"x-api-key": guarded.alpha}) as client:
        findings = client.post("/v1/assessments", json=TEXT).json()["analysis"]["findings"]
        client.post("/v1/map:batch", json={"labels": [{"vendor": "acme_codes", "label": "SEEN_ONCE"}]})
        client.get("/v1/no-such-path-anywhere")
        client.request("BREW", "/v1/assessments")
        metrics = client.get("/metrics").text
    labels = {f'"{finding["label"]}"' for finding in findings}
    assert labels
    for hidden in (*labels, "tenant-", "SEEN_ONCE", "acme_codes", "no-such-path", "BREW", "tonight", "asm_none"):
        assert hidden not in metrics


def test_health_says_that_the_process_serves_and_readiness_names_every_dependency(server: Server) -> None:
    with server.client() as client:
        health, readiness = client.get("/healthz"), client.get("/readyz")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert readiness.status_code == 200
    assert readiness.json() == {
        "status": "ready",
        "dependencies": {
            f"database.{context}": "ready"
            for context in ("platform", "orchestration", "analysis", "mapping", "assessment")
        },
        "notes": {},
    }


def test_the_front_door_is_ready_only_with_its_links(split: Server) -> None:
    with split.client() as client:
        dependencies = client.get("/readyz").json()["dependencies"]
    assert {"link.analysis", "link.mapping", "database.assessment"} <= dependencies.keys()
    for port, own in ((split.port + 1, "database.analysis"), (split.port + 2, "database.mapping")):
        answer = httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
        assert answer.json()["dependencies"].keys() == {"database.platform", own}


def until_so(what: Callable[[], bool], limit_s: float = 5.0) -> None:
    until = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.05)


def test_a_service_that_goes_away_is_named_and_one_that_comes_back_is_used(tmp_path: Path) -> None:
    ports = {"analysis": free_port(), "mapping": free_port()}
    settings = {"LLAMA_MAPPER_LINK_SECRET": LINK_SECRET, "LLAMA_MAPPER_DETECTORS": FEW_DETECTORS} | {
        f"LLAMA_MAPPER_{context.upper()}_URL": f"http://127.0.0.1:{port}" for context, port in ports.items()
    }

    def start(context: str) -> AbstractContextManager[Server]:
        return starting(tmp_path / context, ("--context", context), settings, ports.get(context))

    with start("orchestration") as front, start("analysis"), front.client() as client:
        with start("mapping"):
            wait_until_loaded(front)
        until_so(lambda: client.get("/readyz").status_code == 503)
        readiness = client.get("/readyz").json()
        assert readiness["status"] == "not_ready"
        assert [name for name, state in readiness["dependencies"].items() if state != "ready"] == ["link.mapping"]
        assert client.get("/healthz").status_code == 200
        answer = client.post("/v1/assessments", json=TEXT)
        assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["retryable"] is True
        assert "mapping" in answer.json()["detail"]
        with start("mapping"):
            wait_until_loaded(front)
            assert client.post("/v1/assessments", json=TEXT).status_code in (200, 206)
