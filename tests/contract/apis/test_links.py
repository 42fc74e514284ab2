"""What the links add: the models of both sides are equal, errors keep everything, the trace goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mapper.adapters.links.http_link import HttpLink, open_client
from llama_mapper.domain.contracts.analysis import AnalysisRequest
from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.mapping import (
    LabelMappingRequest,
    LabelQuery,
    MappingRequest,
    OutputFormat,
    ReviewPage,
    ReviewStatus,
)
from llama_mapper.domain.contracts.orchestration import ContentType, OrchestrationRequest, ProcessingMode
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, error_from_code
from llama_mapper.domain.kernel.trace import CURRENT_TRACE, TraceContext
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.http.problems import STATUS
from llama_mapper.entrypoints.settings import Settings
from tests.contract.apis.conftest import CannedLinks
from tests.support import records
from tests.support.apis import Apis, over_http

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)
CONTENTS = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters=[chr(each) for each in range(32) if each not in range(9, 14)]
    ),
    min_size=1,
    max_size=200,
)
SCORES = st.floats(0, 1)
FOUND = st.builds(
    records.Found,
    label=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    score=SCORES,
    span=st.none() | st.tuples(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1)),
    upheld=st.booleans(),
)
METADATA = st.none() | st.dictionaries(
    st.sampled_from(["route", "attempt", "share"]),
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.floats(-1e9, 1e9) | TEXTS,
    max_size=3,
)
REQUESTS = st.builds(
    OrchestrationRequest,
    content=CONTENTS,
    tenant_id=st.sampled_from(["acme", "globex"]),
    processing_mode=st.sampled_from(ProcessingMode),
    content_type=st.sampled_from(ContentType),
    categories=st.lists(st.sampled_from(["pii.personal_identifiers", "content.violence"]), max_size=2).map(tuple),
    metadata=METADATA,
)


@given(asked=REQUESTS, found=st.lists(FOUND, max_size=4))
@settings(max_examples=40, deadline=None)
async def test_orchestration_asks_and_answers_the_same_models(
    canned_links: CannedLinks, asked: OrchestrationRequest, found: list[records.Found]
) -> None:
    canned, links = canned_links.canned, canned_links.apis
    canned.outcome = answer = records.orchestration_response(*found)
    assert await links.orchestration.orchestrate(asked) == answer
    assert canned.asked == asked


@given(found=st.lists(FOUND, max_size=4))
@settings(max_examples=40, deadline=None)
async def test_analysis_asks_and_answers_the_same_models(canned_links: CannedLinks, found: list[records.Found]) -> None:
    canned, links = canned_links.canned, canned_links.apis
    orchestrated = records.orchestration_response(*found)
    asked = AnalysisRequest(orchestration_response=orchestrated, frameworks=("soc2",), tenant_id="acme")
    canned.outcome = answer = records.analysis_response(orchestrated, *found)
    assert await links.analysis.analyze(asked) == answer
    assert canned.asked == asked


@given(found=st.lists(FOUND, max_size=4), form=st.sampled_from(OutputFormat), key=st.none() | TEXTS)
@settings(max_examples=40, deadline=None)
async def test_mapping_asks_and_answers_the_same_models(
    canned_links: CannedLinks, found: list[records.Found], form: OutputFormat, key: str | None
) -> None:
    canned, links = canned_links.canned, canned_links.apis
    analysed = records.analysis_response(records.orchestration_response(*found), *found)
    asked = MappingRequest(analysis_response=analysed, output_format=form, tenant_id="acme", idempotency_key=key)
    canned.outcome = answer = records.mapping_response(analysed, *found)
    assert await links.mapping.map(asked) == answer
    assert canned.asked == asked


@given(
    cursor=st.none() | TEXTS,
    limit=st.integers(1, 1000),
    status=st.none() | st.sampled_from(ReviewStatus),
    vendor=st.none() | st.text(st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1, max_size=128),
)
@settings(max_examples=40, deadline=None)
async def test_cursor_and_filters_arrive_as_they_were_sent(
    canned_links: CannedLinks, cursor: str | None, limit: int, status: ReviewStatus | None, vendor: str | None
) -> None:
    canned_links.canned.outcome = ReviewPage(items=(), next_cursor=cursor)
    page = await canned_links.apis.mapping.reviews("acme", limit=limit, cursor=cursor, status=status, vendor=vendor)
    assert page.next_cursor == cursor
    assert canned_links.canned.asked == ("acme", limit, cursor, status, vendor)


async def test_what_only_an_assessment_knows_stays_on_this_side(canned_links: CannedLinks) -> None:
    canned_links.canned.outcome = records.orchestration_response()
    await canned_links.apis.orchestration.orchestrate(
        AssessmentRequest(
            content="x",
            tenant_id="acme",
            content_type=ContentType.CODE,
            metadata={"route": "a"},
            frameworks=("soc2",),
            output_format=OutputFormat.TAXONOMY_ONLY,
        )
    )
    assert type(canned_links.canned.asked) is OrchestrationRequest
    assert canned_links.canned.asked == OrchestrationRequest(
        content="x", tenant_id="acme", content_type=ContentType.CODE, metadata={"route": "a"}
    )


ANALYSED = records.analysis_response(records.orchestration_response())
CALLS: dict[str, Callable[[Apis], Awaitable[object]]] = {
    "orchestrate": lambda apis: apis.orchestration.orchestrate(OrchestrationRequest(content="x", tenant_id="acme")),
    "detectors": lambda apis: apis.orchestration.detectors(),
    "policies": lambda apis: apis.orchestration.policies("acme"),
    "analyze": lambda apis: apis.analysis.analyze(
        AnalysisRequest(orchestration_response=records.orchestration_response(), tenant_id="acme")
    ),
    "map": lambda apis: apis.mapping.map(MappingRequest(analysis_response=ANALYSED, tenant_id="acme")),
    "map_labels": lambda apis: apis.mapping.map_labels(
        LabelMappingRequest(labels=(LabelQuery(vendor="a", label="b"),), tenant_id="acme")
    ),
    "reviews": lambda apis: apis.mapping.reviews("acme"),
}
ABOUT_THE_LINK = {
    ErrorCode.UNAUTHORIZED,
    ErrorCode.INSUFFICIENT_RBAC,
    ErrorCode.NOT_FOUND,
    ErrorCode.METHOD_NOT_ALLOWED,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("code", sorted(set(ErrorCode) - ABOUT_THE_LINK))
async def test_an_error_arrives_as_it_was_raised(canned_links: CannedLinks, call: str, code: ErrorCode) -> None:
    for retryable, wait in ((True, 2.0), (False, None), (True, 0.25), (True, None)):
        raised = error_from_code(code, f"why {code}", retryable=retryable, retry_after_s=wait)
        canned_links.canned.outcome = raised
        with pytest.raises(ServiceError) as caught:
            await CALLS[call](canned_links.apis)
        arrived = caught.value
        assert type(arrived) is type(raised)
        assert (arrived.error_code, arrived.message) == (code, raised.message)
        assert (arrived.retryable, arrived.retry_after_s) == (retryable, wait)


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(ErrorCode)


@pytest.mark.parametrize("call", CALLS)
async def test_an_error_nobody_foresaw_says_nothing_of_itself(canned_links: CannedLinks, call: str) -> None:
    canned_links.canned.outcome = RuntimeError("quotes the content")
    with pytest.raises(ServiceError) as caught:
        await CALLS[call](canned_links.apis)
    assert (caught.value.error_code, caught.value.retryable) == (ErrorCode.INTERNAL_ERROR, False)
    assert "quotes" not in caught.value.message


@pytest.mark.parametrize("secret", [None, "another secret than theirs", "lm_0123456789abcdef_" + "x" * 43])
async def test_a_link_that_the_service_does_not_know_is_a_fault_of_the_installation(
    running: Running, settings: Settings, secret: str | None
) -> None:
    async with over_http(running, settings, secret) as links:
        with pytest.raises(ServiceError) as caught:
            await links.orchestration.detectors()
    assert (caught.value.error_code, caught.value.retryable) == (ErrorCode.CONFIGURATION_INVALID, False)
    assert "link secret" in caught.value.message


async def test_a_link_to_a_service_without_the_route_is_a_fault_of_the_installation(
    running: Running, settings: Settings
) -> None:
    async with over_http(replace(running, mapping=None), settings) as links:
        with pytest.raises(ServiceError) as caught:
            await CALLS["map"](links)
    assert caught.value.error_code is ErrorCode.CONFIGURATION_INVALID


async def test_the_trace_goes_on_with_a_span_of_its_own() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={"items": []})

    client = open_client("http://service", secret="s" * 16, timeout_s=1.0, transport=httpx2.MockTransport(answer))
    link = HttpLink(client, "mapping", 1.0)
    await link.get("/v1/reviews", ReviewPage)
    assert "traceparent" not in asked[0].headers
    trace = TraceContext("1" * 32, "2" * 16, "01")
    token = CURRENT_TRACE.set(trace)
    try:
        await link.get("/v1/reviews", ReviewPage)
    finally:
        CURRENT_TRACE.reset(token)
    assert asked[1].headers["traceparent"] == trace.traceparent
    assert asked[1].headers["authorization"] == f"Bearer {'s' * 16}"
    await link.close()
