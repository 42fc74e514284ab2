"""Traces as a collector gets them: one for a request, wherever it goes, and never a word of its content."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llama_mapper import LlamaMapper
from llama_mapper.domain.contracts.mapping import LabelQuery
from llama_mapper.domain.kernel.errors import ServiceError
from tests.e2e.conftest import FEW_DETECTORS, LINK_SECRET
from tests.e2e.test_observability import lines_with
from tests.e2e.test_privacy import MARK, exported, kept, labels_found, through_http
from tests.support.detector_servers import detector_server
from tests.support.receivers import HANG
from tests.support.servers import Server, free_port, serving, serving_split
from tests.support.traces import Collector, Recorded, collecting, tree_of

pytest.importorskip("opentelemetry.sdk", reason="the extra `tracing` is not installed")

TEXT = {"content": "I will kill you tonight."}
SPAN = "00f067aa0ba902b7"
STATE = "vendor=opaque-1,other@tenant=2"
FEW = {"LLAMA_MAPPER_DETECTORS": FEW_DETECTORS}
CHAIN = {
    "assess",
    "assess/orchestrate",
    "assess/orchestrate/policy",
    "assess/orchestrate/detect secret_phrases",
    "assess/orchestrate/detect violence",
    "assess/sign",
    "assess/insert assessments",
}


@dataclass(frozen=True, slots=True)
class Traced:
    """A server, and where its traces go."""

    server: Server
    collector: Collector

    def asked(self, trace_id: str, sampled: bool = True, body: dict[str, Any] = TEXT) -> Any:
        """The answer to an assessment within a caller's trace."""
        headers = {"traceparent": f"00-{trace_id}-{SPAN}-0{int(sampled)}", "tracestate": STATE}
        with self.server.client(headers=headers) as client:
            return client.post("/v1/assessments", json=body)


def ended(*services: str) -> Any:
    """Whether the requests to these services have ended: a service's own span is the last to be exported."""

    def enough(spans: list[Recorded]) -> bool:
        return set(services) <= {span.service for span in spans if span.kind == "SERVER"}

    return enough


def named(spans: list[Recorded], name: str) -> Recorded:
    [span] = [span for span in spans if span.name == name]
    return span


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """The monolith."""
    folder = tmp_path_factory.mktemp("traced")
    secret = folder / "headers"
    secret.write_text("# who we are\nauthorization=Bearer t0ken\nx-scope-orgid = ops\n")
    with collecting() as collector:
        settings = {
            "LLAMA_MAPPER_TRACING_ENDPOINT": collector.url,
            "LLAMA_MAPPER_TRACING_HEADERS_FILE": str(secret),
            "LLAMA_MAPPER_TRACING_RATIO": "0",
            "LLAMA_MAPPER_LOG_LEVEL": "DEBUG",
        }
        with serving(folder, **FEW, **settings) as server:
            yield Traced(server, collector)


def test_a_request_to_the_monolith_is_one_trace_from_the_caller_to_the_store(traced: Traced) -> None:
    trace_id = "1" * 32
    answer = traced.asked(trace_id)
    assert answer.status_code == 206, answer.text
    spans = traced.collector.until(ended("llama-mapper"), trace_id)
    root = "POST /v1/assessments"
    assert tree_of(spans) == sorted(
        {root}
        | {f"{root}/{name}" for name in CHAIN}
        | {f"{root}/assess/{name}" for name in ("analyze", "map", "map/mapping stage catalogue")}
    )
    first = named(spans, root)
    assert (first.parent, first.kind, first.error) == (SPAN, "SERVER", False)
    assert first.told == {
        "http.request.method": "POST",
        "http.route": "/v1/assessments",
        "http.response.status_code": 206,
        "url.scheme": "http",
    }
    assert first.span_id == answer.headers["traceparent"].split("-")[2]
    assert {span.state for span in spans} == {STATE}
    [line] = lines_with(traced.server, trace_id, 1)
    assert line["event"] == "request"
    detector = named(spans, "detect violence")
    assert detector.told == {"llama_mapper.detector.id": "violence", "llama_mapper.detector.status": "success"}
    assert named(spans, "policy").told == {
        "llama_mapper.policy.version": answer.json()["version_info"]["policy_version"]
    }
    judged = named(spans, "orchestrate").told
    assert judged["llama_mapper.verdict"] == answer.json()["verdict"]["action"]
    assert judged["llama_mapper.detectors.succeeded"] == 2
    stage = named(spans, "mapping stage catalogue").told
    assert stage["llama_mapper.labels.asked"] == stage["llama_mapper.labels.answered"] == 1
    assert named(spans, "assess").told == {"llama_mapper.assessment.id": answer.json()["id"]}
    stored = named(spans, "insert assessments")
    assert (stored.kind, stored.told["db.system.name"], stored.told["db.namespace"]) == (
        "CLIENT",
        "sqlite",
        "assessment",
    )


def test_what_goes_wrong_is_an_error_by_its_code_and_a_callers_mistake_is_not_the_servers(traced: Traced) -> None:
    trace_id = "2" * 32
    refused = traced.asked(trace_id, body=TEXT | {"policy_bundle": "nobody"})
    spans = traced.collector.until(ended("llama-mapper"), trace_id)
    assert (refused.status_code, refused.json()["trace_id"]) == (400, trace_id)
    for name in ("assess", "orchestrate", "policy"):
        assert (named(spans, name).error, named(spans, name).told["error.type"]) == (True, "POLICY_NOT_FOUND")
    first = named(spans, "POST /v1/assessments")
    assert first.error is False
    assert first.told["llama_mapper.error.code"] == "POLICY_NOT_FOUND"
    assert len(spans) == 4


def test_the_caller_decides_whether_its_trace_is_recorded_and_the_ratio_whether_ours_is(traced: Traced) -> None:
    unsampled, last = "3" * 32, "4" * 32
    answer = traced.asked(unsampled, sampled=False)
    assert answer.headers["traceparent"].split("-")[1::2] == [unsampled, "00"]
    with traced.server.client() as client:
        own = client.post("/v1/assessments", json=TEXT).headers["traceparent"].split("-")
        for path in ("/healthz", "/readyz", "/metrics"):
            client.get(path, headers={"traceparent": f"00-{unsampled[:31]}e-{SPAN}-01"})
    assert int(own[3], 16) & 1 == 0
    traced.asked(last)
    traced.collector.until(ended("llama-mapper"), last)
    assert not {unsampled, own[1], unsampled[:31] + "e"} & {span.trace_id for span in traced.collector.spans()}
    assert len(lines_with(traced.server, own[1], 1)) == 1, "the log has it all the same"


def test_a_path_that_nobody_serves_and_a_method_that_nobody_knows_are_not_repeated(traced: Traced) -> None:
    trace_id = "5" * 32
    with traced.server.client(headers={"traceparent": f"00-{trace_id}-{SPAN}-01"}) as client:
        client.get("/v1/no-such-path", params={"key": "in-a-query"})
        client.request("PROPFIND", "/v1/assessments")
    spans = traced.collector.until(lambda spans: len(spans) == 2, trace_id)
    assert sorted(span.name for span in spans) == ["GET", "HTTP /v1/assessments"]
    assert {span.told["http.request.method"] for span in spans} == {"GET", "_OTHER"}


def test_a_job_goes_on_with_the_trace_of_the_request_that_it_came_by(traced: Traced) -> None:
    trace_id = "7" * 32
    with traced.server.client(headers={"traceparent": f"00-{trace_id}-{SPAN}-01"}) as client:
        assert client.post("/v1/assessments:batch", json={"items": [TEXT, TEXT]}).status_code == 202
    spans = traced.collector.until(
        lambda spans: ended("llama-mapper")(spans) and sum(span.name == "assess" for span in spans) == 2, trace_id
    )
    root = named(spans, "POST /v1/assessments:batch")
    assert {span.parent for span in spans if span.name == "assess"} == {root.span_id}


def test_a_text_that_is_judged_while_it_is_written_is_one_trace(traced: Traced) -> None:
    trace_id = "8" * 32
    lines = [{"type": "start"}, {"type": "delta", "text": TEXT["content"]}, {"type": "end"}]
    headers = {"traceparent": f"00-{trace_id}-{SPAN}-01", "content-type": "application/x-ndjson"}
    with traced.server.client(headers=headers) as client:
        client.post("/v1/orchestrate:stream", content="\n".join(map(json.dumps, lines)))
    spans = traced.collector.until(ended("llama-mapper"), trace_id)
    root = "POST /v1/orchestrate:stream"
    assert set(tree_of(spans)) == {
        root,
        *(f"{root}/{name}" for name in ("policy", "detect secret_phrases", "detect violence")),
    }


def test_headers_of_the_file_go_to_the_collector_and_the_figures_count_what_it_took(traced: Traced) -> None:
    traced.asked("6" * 32)
    traced.collector.until(ended("llama-mapper"), "6" * 32)
    for path, headers, _ in traced.collector.receiver.got:
        assert (path, headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
        assert (headers["authorization"], headers["x-scope-orgid"]) == ("Bearer t0ken", "ops")
    with traced.server.client() as client:
        figures = dict(
            line.split() for line in client.get("/metrics").text.splitlines() if line.startswith("llama_mapper_trace_")
        )
    assert float(figures["llama_mapper_trace_spans_taken"]) > 0
    assert float(figures["llama_mapper_trace_spans_refused"]) == 0


@pytest.fixture(scope="module")
def traced_split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """The three services, each with all that it has."""
    with collecting() as collector:
        settings = {
            "LLAMA_MAPPER_TRACING_ENDPOINT": collector.url,
            "LLAMA_MAPPER_LINK_SECRET": LINK_SECRET,
            "LLAMA_MAPPER_LOG_LEVEL": "DEBUG",
        }
        with serving_split(tmp_path_factory.mktemp("traced_split"), **settings) as server:
            yield Traced(server, collector)


def test_the_three_services_of_a_split_installation_give_one_trace(traced_split: Traced) -> None:
    trace_id = "a" * 32
    assert traced_split.asked(trace_id).status_code == 200
    services = ("llama-mapper-orchestration", "llama-mapper-analysis", "llama-mapper-mapping")
    spans = traced_split.collector.until(ended(*services), trace_id)
    root = "POST /v1/assessments"
    tree = tree_of(spans)
    assert {
        f"{root}/assess/POST/POST /v1/analyze/analyze",
        f"{root}/assess/POST/POST /v1/map/map/mapping stage catalogue",
        f"{root}/assess/insert assessments",
    } <= set(tree)
    assert {span.state for span in spans} == {STATE}
    peers = {span.told["peer.service"]: span for span in spans if span.name == "POST"}
    assert peers.keys() == {"analysis", "mapping"}
    assert all(span.kind == "CLIENT" and span.told["http.response.status_code"] == 200 for span in peers.values())
    assert named(spans, "analyze").service == "llama-mapper-analysis"


def test_nothing_of_the_content_is_kept_traced_or_answered_by_the_split_services(traced_split: Traced) -> None:
    server, collector = traced_split.server, traced_split.collector
    assert MARK not in through_http(server)
    labels = labels_found(server)
    traced_split.asked("b" * 32)
    collector.until(ended("llama-mapper-orchestration", "llama-mapper-analysis", "llama-mapper-mapping"), "b" * 32)
    exported(collector, labels)
    assert kept(server.output.parent) == []


def test_a_collector_that_hangs_hurts_no_request_and_holds_up_no_stop(tmp_path: Path) -> None:
    with collecting([HANG]) as collector:
        settings = {"LLAMA_MAPPER_TRACING_ENDPOINT": collector.url, "LLAMA_MAPPER_TRACING_TIMEOUT_S": "0.5"}
        with serving(tmp_path, **FEW, **settings) as server:
            with server.client() as client:
                for _ in range(250):  # of more spans than may wait
                    assert client.post("/v1/assessments", json=TEXT).status_code == 206
                until = time.monotonic() + 30
                while "llama_mapper_trace_spans_refused 0.0" in client.get("/metrics").text:
                    assert time.monotonic() < until
                    time.sleep(0.05)
            server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            server.process.wait(timeout=30)
            assert time.monotonic() - began < 15, "half a second, one more, and what stopping takes in any case"
        assert server.process.returncode in (0, -signal.SIGTERM)
    assert collector.receiver.got


async def test_a_collector_that_is_not_there_hurts_no_call_and_holds_up_no_end(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with LlamaMapper.open(
        data_dir=tmp_path, detector_workers=0, tracing_endpoint=url, tracing_timeout_s=1.0
    ) as mapper:
        for number in range(800):  # of more spans than may wait
            answer = await mapper.map_labels([LabelQuery(vendor="llama_guard", vendor_version="3", label=f"S{number}")])
            assert len(answer.mappings) == 1
        closing = time.monotonic()
    assert time.monotonic() - closing < 2 + 15


async def test_the_library_gives_a_trace_from_its_call_to_remote_detectors_and_models(tmp_path: Path) -> None:
    completion = {
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '"A"'}}],
        "usage": {"prompt_tokens": 50, "completion_tokens": 2},
    }
    with collecting() as collector, detector_server({"secret": "NEVER_SEEN"}) as words, detector_server() as model:
        model.behave("status", status=200, body=completion)
        (tmp_path / "words.yaml").write_text(
            f"name: words\nvendor: acme_words\nvendor_version: '1'\nurl: {words.url}\n"
            "protocol: {kind: fms, detector_id: theirs}\ncategories: [pii.personal_identifiers]\n"
        )
        options: dict[str, Any] = {
            "data_dir": tmp_path / "data",
            "detector_workers": 0,
            "detector_files": (tmp_path / "words.yaml",),
            "generation": ({"kind": "vllm", "url": model.url, "model": "llama3_mapper"},),
            "tracing_endpoint": collector.url,
            "tracing_service_name": "my application",
        }
        async with LlamaMapper.open(**options) as mapper:
            assessment = await mapper.assess("the secret of somebody")
            with pytest.raises(ServiceError):
                await mapper.get("asm_none")
            words.behave("status", status=500)
            with pytest.raises(ServiceError):
                await mapper.assess("again")
            await mapper.map_labels([LabelQuery(vendor="acme_words", label="OTHER_LABEL")])
        detector_saw, model_saw = words.counted()["last"]["headers"], model.counted()["last"]["headers"]
    traces: dict[str, list[Recorded]] = {}
    for span in collector.spans():
        traces.setdefault(span.trace_id, []).append(span)
        assert span.service == "my application"
    good, missing, bad, labels = sorted(traces.values(), key=lambda spans: collector.spans().index(spans[0]))
    root = "llama_mapper.assess"
    assert {
        f"{root}/assess/orchestrate/detect words/POST",
        f"{root}/assess/map/mapping stage lexical",
        f"{root}/assess/map/mapping stage model/chat llama3_mapper/POST",
        f"{root}/assess/map/write mapping",
    } <= set(tree_of(good))
    assert named(good, "assess").told == {"llama_mapper.assessment.id": assessment.id}
    chat = named(good, "chat llama3_mapper")
    assert chat.kind == "CLIENT"
    assert {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "llama3_mapper",
        "gen_ai.usage.input_tokens": 50,
        "gen_ai.usage.output_tokens": 2,
        "llama_mapper.prompts": 1,
    }.items() <= chat.told.items()
    stage = named(good, "mapping stage model").told
    assert (stage["gen_ai.response.model"], stage["gen_ai.usage.input_tokens"]) == ("vllm/llama3_mapper", 50)
    assert (stage["llama_mapper.labels.asked"], stage["llama_mapper.labels.answered"]) == (1, 1)
    assert stage["llama_mapper.mapping.stage.version"].startswith("models/vllm:llama3_mapper@")
    assert "NEVER_SEEN" not in json.dumps([span.told for spans in traces.values() for span in spans])
    assert [(span.name, span.told["error.type"]) for span in missing] == [("llama_mapper.get", "NOT_FOUND")]
    failed = named(bad, "detect words")
    assert failed.error
    assert failed.told["llama_mapper.detector.status"] == "failed"
    assert failed.told["error.type"] == "DETECTOR_SERVER_ERROR"
    call = next(span for span in bad if span.name == "POST" and span.parent == failed.span_id)
    assert call.told["http.response.status_code"] == 500
    assert call.told["server.port"] == int(words.url.rpartition(":")[2])
    assert detector_saw["traceparent"].split("-")[1:3] == [call.trace_id, call.span_id]
    asked = {(span.trace_id, span.span_id) for span in labels if span.name == "POST"}
    assert tuple(model_saw["traceparent"].split("-")[1:3]) in asked


def test_switched_off_nothing_of_opentelemetry_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from llama_mapper import LlamaMapper\n"
        "from llama_mapper.domain.contracts.mapping import LabelQuery\n"
        f"with LlamaMapper.open_sync(data_dir={str(tmp_path)!r}, detector_workers=0) as mapper:\n"
        "    mapper.map_labels([LabelQuery(vendor='llama_guard', vendor_version='3', label='S1')])\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
