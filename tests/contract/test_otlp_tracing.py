"""What is recorded, through OpenTelemetry's SDK and a collector on loopback that reads what it was sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llama_mapper.adapters.links.http_link import HttpLink, open_client
from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress, TritonConnection
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.group_writer import GroupWriter
from llama_mapper.adapters.platform.http_steps import heed_status, http_step
from llama_mapper.adapters.platform.otlp_tracing import OtlpCollector, OtlpTracing, collector_headers
from llama_mapper.domain.contracts.mapping import ReviewPage
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, LinkError, NotFoundError, ServiceError
from llama_mapper.domain.kernel.trace import CURRENT_TRACE, SpanKind, TraceContext, caller_from
from llama_mapper.domain.kernel.tracing import NO_STEP, first_step, step
from llama_mapper.domain.orchestration.fanout import Call, FanOut
from llama_mapper.domain.orchestration.ports import DetectorFailed, DetectorUnavailable
from llama_mapper.entrypoints.containers.tracing import tracing_of
from llama_mapper.entrypoints.http.telemetry import TelemetryMiddleware
from llama_mapper.entrypoints.settings import Settings
from tests.support.servers import free_port
from tests.support.traces import Collector, Recorded, collecting
from tests.unit.orchestration.support import ScriptedDetector, raises, sleeps

MARK = "Xq7Zk2Vw"
CALLER = TraceContext("a" * 32, "b" * 16, "01", "vendor=1")


def tracing_to(collector: Collector, ratio: float = 1.0, timeout_s: float = 5.0) -> OtlpTracing:
    place = OtlpCollector(endpoint=collector.url, timeout_s=timeout_s)
    return OtlpTracing(place, service="tested", version="1", ratio=ratio)


class Recording:
    """A trace that is recorded; its spans are there after the block."""

    def __init__(self, tracing: OtlpTracing) -> None:
        self.tracing = tracing
        self.spans: list[Recorded] = []

    def named(self, name: str) -> Recorded:
        """The only span of this name."""
        [span] = [span for span in self.spans if span.name == name]
        return span


@contextmanager
def recording() -> Iterator[Recording]:
    """Within it the current trace is one of CALLER's, and recorded."""
    with collecting() as collector:
        recorded = Recording(tracing_to(collector))
        trace = recorded.tracing.take_up("root", SpanKind.SERVER, CALLER)
        assert trace.span is not None
        token = CURRENT_TRACE.set(trace)
        try:
            yield recorded
        finally:
            CURRENT_TRACE.reset(token)
            trace.span.end()
            recorded.tracing.close()
        recorded.spans = collector.spans()


def test_steps_within_steps_and_beside_each_other_have_the_parents_that_they_have() -> None:
    async def side(name: str) -> None:
        with step(name):
            await asyncio.sleep(0.01)
            with step("inner", name):
                await asyncio.sleep(0.01)

    async def both() -> None:
        with step("outer") as at:
            at.set({"llama_mapper.labels": 3})
            await asyncio.gather(side("a"), side("b"))

    with recording() as recorded:
        before = CURRENT_TRACE.get()
        asyncio.run(both())
        assert CURRENT_TRACE.get() is before
    outer = recorded.named("outer")
    assert outer.told == {"llama_mapper.labels": 3}
    assert outer.parent == recorded.named("root").span_id
    for name in "ab":
        assert recorded.named(name).parent == outer.span_id
        assert recorded.named(f"inner {name}").parent == recorded.named(name).span_id
    assert recorded.named("root").parent == CALLER.span_id
    assert {(span.trace_id, span.state) for span in recorded.spans} == {(CALLER.trace_id, "vendor=1")}


@pytest.mark.parametrize(
    ("raised", "named"),
    [
        (NotFoundError(MARK, ErrorCode.DETECTOR_NOT_FOUND), "DETECTOR_NOT_FOUND"),
        (ValueError(MARK), "ValueError"),
        (asyncio.CancelledError(MARK), "cancelled"),
    ],
)
def test_an_exception_makes_an_error_of_its_code_or_class_and_its_text_is_told_to_nobody(
    raised: BaseException, named: str
) -> None:
    with recording() as recorded:
        with pytest.raises(type(raised)), step("one"):
            raise raised
        with step("two") as at:
            at.fail("SOME_CODE")
    one, two = recorded.named("one"), recorded.named("two")
    assert (one.error, one.told) == (True, {"error.type": named})
    assert (two.error, two.told) == (True, {"error.type": "SOME_CODE"})
    assert not recorded.named("root").error


async def test_each_detector_that_is_asked_has_a_span_with_the_outcome_that_its_result_has() -> None:
    release = asyncio.Event()

    async def deaf(_: object) -> Any:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return ()

    behaviours: dict[str, tuple[Any, str, str | None]] = {
        "good": (None, "success", None),
        "failing": (raises(DetectorFailed(MARK, "DETECTOR_REJECTED")), "failed", "DETECTOR_REJECTED"),
        "away": (raises(DetectorUnavailable(MARK)), "unavailable", DetectorUnavailable.default_code),
        "broken": (raises(RuntimeError(MARK)), "failed", "RuntimeError"),
        "slow": (sleeps(30), "timeout", "DETECTOR_TIMEOUT"),
        "deaf": (deaf, "timeout", "DETECTOR_TIMEOUT"),
    }
    with recording() as recorded:
        calls = [
            Call(name, ScriptedDetector(name, behave=behave) if behave else ScriptedDetector(name), 0.5)
            for name, (behave, _, _) in behaviours.items()
        ]
        skipped = Call("skipped", ScriptedDetector("skipped"), 0.0)
        await FanOut().run([*calls, skipped], MARK, (), monotonic(), 0.5)
        release.set()
        await asyncio.sleep(0.01)
    for call, (_, status, code) in zip(calls, behaviours.values(), strict=True):
        span = recorded.named(f"detect {call.name}")
        told = {"llama_mapper.detector.id": call.name, "llama_mapper.detector.status": status}
        assert span.told == (told if code is None else told | {"error.type": code})
        assert span.error is (code is not None)
        assert call.status.value == status
    assert len(recorded.spans) == len(calls) + 1, "one that was not asked has no span"


async def test_a_call_over_a_link_is_a_span_that_the_other_side_goes_on_from() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if len(asked) == 1:
            return httpx2.Response(200, json={"items": []})
        problem = {"code": "STORE_UNAVAILABLE", "detail": MARK, "retryable": True}
        return httpx2.Response(503, json=problem, headers={"content-type": "application/problem+json"})

    transport = httpx2.MockTransport(answer)
    with recording() as recorded:
        link = HttpLink(
            open_client("http://127.0.0.1:81", secret=None, timeout_s=5.0, transport=transport), "mapping", 5.0
        )
        await link.get("/v1/reviews", ReviewPage, {"vendor": MARK})
        with pytest.raises(ServiceError):
            await link.get("/v1/reviews", ReviewPage)
        await link.close()
        away = HttpLink(open_client(f"http://127.0.0.1:{free_port()}", secret=None, timeout_s=5.0), "analysis", 5.0)
        with pytest.raises(LinkError):
            await away.get("/v1/reviews", ReviewPage)
        await away.close()
    good, bad, unreachable = (span for span in recorded.spans if span.name == "GET")
    assert good.kind == "CLIENT"
    assert good.told == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "peer.service": "mapping",
        "server.address": "127.0.0.1",
        "server.port": 81,
    }
    assert asked[0].headers["traceparent"] == f"00-{CALLER.trace_id}-{good.span_id}-01"
    assert asked[0].headers["tracestate"] == "vendor=1"
    assert (bad.told["http.response.status_code"], bad.told["error.type"]) == (503, "STORE_UNAVAILABLE")
    assert (unreachable.error, unreachable.told["error.type"]) == (True, "SERVICE_UNAVAILABLE")


def test_of_an_address_host_and_port_are_told_and_a_status_from_400_on_is_an_error() -> None:
    with recording() as recorded:
        for status in (302, 404):
            with http_step("POST", f"https://user:{MARK}@detector.example/{MARK}?key={MARK}") as at:
                heed_status(at, status)
    good, bad = (span.told for span in recorded.spans if span.name == "POST")
    called = {"http.request.method": "POST", "server.address": "detector.example", "server.port": 443}
    assert good == called | {"http.response.status_code": 302}
    assert bad == called | {"http.response.status_code": 404, "error.type": "404"}


def test_calls_to_triton_carry_the_trace_in_their_metadata() -> None:
    token = CURRENT_TRACE.set(CALLER)
    try:
        headers = TritonConnection(TritonAddress("127.0.0.1:9", headers={"x-team": "red"})).headers()
    finally:
        CURRENT_TRACE.reset(token)
    assert headers == {"x-team": "red", "traceparent": CALLER.traceparent, "tracestate": "vendor=1"}


async def test_a_write_that_is_undone_is_an_error_and_what_others_write_is_not_ours(tmp_path: Path) -> None:
    seen: list[TraceContext | None] = []

    async def write(items: list[int]) -> list[int]:
        seen.append(CURRENT_TRACE.get())
        return items

    database = Database(tmp_path, "mapping")
    await database.open()
    with recording() as recorded:
        with pytest.raises(KeyError):
            async with database.writing("tenant"):
                raise KeyError(MARK)
        async with database.writing("tenant"), database.reading("tenant"):
            pass
        assert await GroupWriter(write).submit("", 1) == 1
    await database.close()
    undone, done = (span for span in recorded.spans if span.name == "write mapping")
    assert (undone.error, undone.told["error.type"]) == (True, "KeyError")
    assert done.told == {"db.system.name": "sqlite", "db.namespace": "mapping", "db.operation.name": "write"}
    assert seen == [None]


@pytest.mark.parametrize(("status", "error"), [(204, None), (404, None), (503, "503")])
async def test_only_what_the_server_is_to_blame_for_is_an_error_of_its_span(status: int, error: str | None) -> None:
    async def serve(_: Request) -> Response:
        return Response(status_code=status)

    with collecting() as collector:
        tracing = tracing_to(collector)
        middleware = [Middleware(TelemetryMiddleware, on_request=lambda *_: None, tracing=tracing)]
        app = Starlette(routes=[Route("/things/{name}", serve)], middleware=middleware)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://door") as client:
            headers = [("traceparent", CALLER.traceparent), ("tracestate", "a=1"), ("tracestate", "b=2")]
            await client.get(f"/things/{MARK}", params={"q": MARK}, headers=headers)
        await asyncio.to_thread(tracing.close)
        [span] = collector.spans()
    assert (span.name, span.kind, span.state) == ("GET /things/{name}", "SERVER", "a=1,b=2")
    assert (span.error, span.told.get("error.type")) == (error is not None, error)
    assert span.told["http.route"] == "/things/{name}"
    assert MARK not in str(span)


def test_the_parent_decides_and_without_one_the_ratio() -> None:
    with collecting() as collector:
        for ratio in (0.0, 1.0):
            tracing = tracing_to(collector, ratio)
            own = tracing.take_up("own", SpanKind.SERVER, None)
            assert (own.span is not None, int(own.flags, 16) & 1) == (ratio == 1.0, int(ratio))
            for flags in ("00", "01", "03", "fe", "ff"):
                told = caller_from(f"00-{CALLER.trace_id}-{CALLER.span_id}-{flags}", "a=b")
                taken = tracing.take_up("theirs", SpanKind.SERVER, told)
                assert (taken.trace_id, taken.state) == (CALLER.trace_id, "a=b")
                assert taken.span_id != CALLER.span_id
                assert (taken.span is not None) is bool(int(flags, 16) & 1) is bool(int(taken.flags, 16) & 1)
            assert (first_step(tracing, "mine") is NO_STEP) is (ratio == 0.0)
            tracing.close()


def test_the_librarys_trace_is_part_of_the_applications_own() -> None:
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("application")
    with collecting() as collector:
        tracing = tracing_to(collector, ratio=0.0)
        with tracer.start_as_current_span("theirs") as span, first_step(tracing, "ours"):
            pass
        tracing.close()
        [ours] = collector.spans()
    place = span.get_span_context()
    assert (ours.trace_id, ours.parent) == (f"{place.trace_id:032x}", f"{place.span_id:016x}")


def test_where_the_sdk_is_switched_off_by_its_own_variable_ids_are_passed_on_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with collecting() as collector:
        tracing = tracing_to(collector)
        own, theirs = (tracing.take_up("x", SpanKind.SERVER, caller) for caller in (None, CALLER))
        tracing.close()
    assert int(own.trace_id, 16) > 0
    assert int(own.span_id, 16) > 0
    assert (theirs.trace_id, theirs.flags, theirs.state, theirs.span) == (CALLER.trace_id, "01", "vendor=1", None)


def test_closing_hands_over_what_waits_and_closing_again_is_harmless() -> None:
    with collecting() as collector:
        tracing = tracing_to(collector)
        for _ in range(300):
            trace = tracing.take_up("x", SpanKind.INTERNAL, None)
            assert trace.span is not None
            trace.span.end()
        tracing.close()
        tracing.close()
        assert len(collector.spans()) == tracing.ended == tracing.counted.taken == 300


def test_what_a_collector_refuses_is_counted() -> None:
    with collecting([400]) as collector:
        tracing = tracing_to(collector)
        with first_step(tracing, "x"):
            pass
        tracing.close()
        assert (tracing.counted.taken, tracing.counted.refused) == (0, 1)


@pytest.mark.parametrize("endpoint", ["", "/", "/v1/traces", "/behind/a/proxy", "/behind/v1/traces/"])
def test_the_endpoint_is_a_base_or_the_whole_address(endpoint: str) -> None:
    url = OtlpCollector(endpoint=f"https://collector:4318{endpoint}").url
    assert url == "https://collector:4318" + endpoint.rstrip("/").removesuffix("/v1/traces") + "/v1/traces"


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", {}),
        ("authorization=Bearer abc=", {"authorization": "Bearer abc="}),
        (" a = 1 , b=2,", {"a": "1", "b": "2"}),
        ("# remark\na=1, with a comma\n\nb=\n", {"a": "1, with a comma", "b": ""}),
    ],
)
def test_headers_are_read_from_a_line_or_from_lines(text: str, headers: dict[str, str]) -> None:
    assert collector_headers(text, "x") == headers


@pytest.mark.parametrize("bad", ["s3cret", "na me=s3cret", "=s3cret", "a=s3cr\u00e9t", "a: s3cret", "a=1\ts3cret"])
def test_headers_that_cannot_be_are_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^tracing_headers must have") as refused:
        tracing_of(Settings.load(tracing_endpoint="http://127.0.0.1:9", tracing_headers=bad), "")
    assert "cr" not in refused.value.message


def test_settings_that_cannot_work_are_refused_and_none_is_no_tracing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"tracing_endpoint": "http://127.0.0.1:9"}
    assert tracing_of(Settings.load(), "") is None
    with pytest.raises(ConfigurationError, match="tracing_headers_file cannot be read"):
        tracing_of(Settings.load(**here, tracing_headers_file=tmp_path / "none"), "")
    with pytest.raises(ConfigurationError, match="tracing_ca_file: there is no file"):
        tracing_of(Settings.load(**here, tracing_ca_file=tmp_path / "none"), "")
    with pytest.raises(ConfigurationError, match="not set together"):
        Settings.load(**here, tracing_headers="a=s3cret", tracing_headers_file=tmp_path)
    assert "s3cret" not in repr(Settings.load(**here, tracing_headers="a=s3cret"))
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"install 'llama-mapper\[tracing\]'"):
        tracing_of(Settings.load(**here), "")
