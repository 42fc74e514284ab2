"""What the engine on an OPA server promises besides: it shares the server, survives its restart, names its faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.policies.opa_policy_engine import OpaPolicyEngine, open_opa_client
from llama_mapper.adapters.orchestration.policies.rego_relocation import relocated
from llama_mapper.domain.contracts.orchestration import DetectorStatus, OrchestrationRequest
from llama_mapper.domain.kernel.errors import (
    ConfigurationError,
    ErrorCode,
    OrchestrationError,
    PolicyEnforcementError,
    ServiceError,
)
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.ports import PolicyBundle
from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.settings import Settings
from tests.support.apis import word_detectors
from tests.support.opa import PolicyServer
from tests.support.servers import free_port


def bundle(
    source: str, data: Mapping[str, Any] | None = None, modules: Mapping[str, str] | None = None
) -> PolicyBundle:
    main = f"package llama_mapper.policy\n\nimport rego.v1\n\n{source}\n"
    return make_bundle("b", "1", "", {"policy.rego": main, **(modules or {})}, data or {})


@asynccontextmanager
async def engine_at(url: str, timeout_s: float = 30.0, **options: Any) -> AsyncIterator[OpaPolicyEngine]:
    engine = OpaPolicyEngine(open_opa_client(url, token="t", timeout_s=timeout_s), timeout_s, **options)
    try:
        yield engine
    finally:
        await engine.close()


async def test_two_versions_of_one_bundle_with_different_modules_are_answered_side_by_side(opa: PolicyServer) -> None:
    def version(factor: int) -> PolicyBundle:
        lib = f"package lib\n\nimport rego.v1\n\ntimes(x) := x * {factor}\n\nfactors contains {factor}\n"
        return bundle('plan := {"n": data.lib.times(input.n), "f": data.lib.factors}', modules={"lib.rego": lib})

    first, second = version(2), version(3)
    async with engine_at(opa.url) as one, engine_at(opa.url) as other:
        for engine in (one, other, one):
            assert await engine.evaluate(first, {"n": 5}) == {"n": 10, "f": [2]}
            assert await engine.evaluate(second, {"n": 5}) == {"n": 15, "f": [3]}


async def test_no_bundle_reaches_out_of_its_own_package(opa: PolicyServer) -> None:
    secret = bundle('plan := {"secret": data.secret}', {"secret": "s3cret"})
    nosy = bundle(
        "default reached := false\n\nreached if data.secret\n\nreached if data.llama_mapper_engines\n\n"
        'plan := {"reached": reached}'
    )
    async with engine_at(opa.url) as engine:
        assert await engine.evaluate(secret, {}) == {"secret": "s3cret"}
        assert await engine.evaluate(nosy, {}) == {"reached": False}


async def test_modules_are_accepted_in_any_order_of_their_names(opa: PolicyServer) -> None:
    chain = {
        "a.rego": "package a\n\nimport rego.v1\n\nf(x) := data.m.f(x) + 1\n",
        "m.rego": "package m\n\nimport rego.v1\n\nf(x) := data.z.f(x) + 1\n",
        "z.rego": "package z\n\nimport rego.v1\n\nf(x) := x + 1\n",
    }
    async with engine_at(opa.url, capacity=1) as engine:
        for added in (0, 1):  # the second one makes the engine take the first one off, dependants first
            assert await engine.evaluate(bundle(f'plan := {{"n": data.a.f({added})}}', modules=chain), {}) == {
                "n": 3 + added
            }


async def test_a_server_that_was_restarted_gets_the_policies_again(opa: PolicyServer) -> None:
    if opa.command is None:
        pytest.skip("the server that LLAMA_MAPPER_TEST_OPA_URL names is not ours to restart")
    subject = bundle('plan := {"v": data.v}', {"v": 1})
    async with engine_at(opa.url) as engine:
        assert await engine.evaluate(subject, {}) == {"v": 1}
        opa.stop()
        try:
            with pytest.raises(OrchestrationError) as caught:
                await engine.evaluate(subject, {})
        finally:
            opa.start()
        assert (caught.value.error_code, caught.value.retryable) == (ErrorCode.SERVICE_UNAVAILABLE, True)
        assert await engine.evaluate(subject, {}) == {"v": 1}


async def test_an_engine_leaves_nothing_behind(opa: PolicyServer) -> None:
    async with httpx2.AsyncClient(base_url=opa.url, trust_env=False) as client:

        async def mine() -> object:
            answer = await client.post("/v1/data/llama_mapper_engines/tidy", json={"input": {}})
            return answer.json().get("result", {})

        async with engine_at(opa.url, capacity=2, name="tidy") as engine:
            for number in range(4):
                await engine.evaluate(bundle(f'plan := {{"n": {number}}}', {"v": number}), {})
            with pytest.raises(PolicyEnforcementError):
                await engine.evaluate(bundle("plan := {"), {})
            left = await mine()
            assert isinstance(left, dict)
            assert len(left["doors"]) == 2
            assert len(left) == 3
        assert await mine() in ({}, {"doors": {}})


async def test_concurrent_first_requests_push_a_bundle_once(opa: PolicyServer) -> None:
    puts: list[str] = []

    class Counting(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.method == "PUT":
                puts.append(request.url.path)
            return await super().handle_async_request(request)

    client = open_opa_client(opa.url, token=None, timeout_s=30, transport=Counting())
    engine = OpaPolicyEngine(client, 30)
    subject = bundle('plan := {"n": input.n}')
    try:
        answers = await asyncio.gather(*(engine.evaluate(subject, {"n": number}) for number in range(20)))
    finally:
        await engine.close()
    assert [answer["n"] for answer in answers] == list(range(20))
    assert len(puts) == 3


def canned(status: int, body: bytes, delay_s: float = 0.0) -> httpx2.AsyncBaseTransport:
    async def answer(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(delay_s)
        return httpx2.Response(status, content=body, headers={"content-type": "application/json"})

    return httpx2.MockTransport(answer)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "retryable"),
    [
        (401, b'{"code":"unauthorized"}', ConfigurationError, ErrorCode.CONFIGURATION_INVALID, False),
        (404, b"<html>", ConfigurationError, ErrorCode.CONFIGURATION_INVALID, False),
        (200, b"<html>", OrchestrationError, ErrorCode.UPSTREAM_INVALID_RESPONSE, False),
        (200, b"[]", OrchestrationError, ErrorCode.UPSTREAM_INVALID_RESPONSE, False),
        (503, b"", OrchestrationError, ErrorCode.SERVICE_UNAVAILABLE, True),
        (500, b'{"code":"internal_error"}', OrchestrationError, ErrorCode.SERVICE_UNAVAILABLE, True),
        (
            500,
            b'{"code":"internal_error","errors":[{"code":"eval_cancel_error","message":"cancelled"}]}',
            OrchestrationError,
            ErrorCode.REQUEST_TIMEOUT,
            True,
        ),
        (
            500,
            b'{"code":"internal_error","errors":[{"code":"eval_conflict_error","message":"two values"}]}',
            PolicyEnforcementError,
            ErrorCode.POLICY_INVALID,
            False,
        ),
    ],
)
async def test_every_refusal_of_the_server_has_a_code_of_ours(
    status: int, body: bytes, kind: type[ServiceError], code: ErrorCode, retryable: bool
) -> None:
    client = open_opa_client("http://opa.invalid", token=None, timeout_s=5, transport=canned(status, body))
    engine = OpaPolicyEngine(client, 5)
    with pytest.raises(ServiceError) as caught:
        await engine.evaluate(bundle("plan := {}"), {})
    await engine.close()
    assert (type(caught.value), caught.value.error_code, caught.value.retryable) == (kind, code, retryable)


async def test_a_server_that_is_not_there_or_slow_is_retryable() -> None:
    async with engine_at(f"http://127.0.0.1:{free_port()}") as engine:
        with pytest.raises(OrchestrationError) as caught:
            await engine.evaluate(bundle("plan := {}"), {})
    assert (caught.value.error_code, caught.value.retryable) == (ErrorCode.SERVICE_UNAVAILABLE, True)
    client = open_opa_client("http://opa.invalid", token=None, timeout_s=60, transport=canned(200, b"{}", 60))
    engine = OpaPolicyEngine(client, 0.05)
    with pytest.raises(OrchestrationError) as late:
        await engine.evaluate(bundle("plan := {}"), {})
    await engine.close()
    assert (late.value.error_code, late.value.retryable) == (ErrorCode.REQUEST_TIMEOUT, True)


async def test_the_settings_choose_the_server_and_a_request_is_judged_by_it(opa: PolicyServer, tmp_path: Path) -> None:
    settings = Settings.load(
        data_dir=tmp_path, detector_workers=0, policy_engine="opa", opa_url=opa.url, policy_timeout_ms=30_000
    )
    async with running_monolith(settings, word_detectors()) as running:
        assert running.orchestration is not None
        answer = await running.orchestration.orchestrate(OrchestrationRequest(content="hello", tenant_id="local"))
        assert answer.policy.policy_applied.startswith("default@")
        succeeded = {each.detector for each in answer.detector_results if each.status is DetectorStatus.SUCCESS}
        assert succeeded == {detector.descriptor.name for detector in word_detectors()}


async def test_a_server_that_is_down_is_a_retryable_error_of_the_request(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    settings = Settings.load(data_dir=tmp_path, detector_workers=0, policy_engine="opa", opa_url=url)
    async with running_monolith(settings, word_detectors()) as running:
        assert running.orchestration is not None
        with pytest.raises(ServiceError) as caught:
            await running.orchestration.orchestrate(OrchestrationRequest(content="hello", tenant_id="local"))
    assert (caught.value.error_code, caught.value.retryable) == (ErrorCode.SERVICE_UNAVAILABLE, True)


def test_choosing_the_server_without_its_url_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="opa_url"):
        Settings.load(policy_engine="opa")


SOURCE = """\
package a["b-c"].d # data.comment

import rego.v1
import data.lib.tools as t

# data.nothing
x := "data.text" if data.plain["data"] == input.data
y := r if r := t.f(data) with data.mock as [1 | data.é_no; false]
"""


def test_only_references_are_moved_and_lines_stay_where_they_are() -> None:
    moved = relocated("a.rego", SOURCE.replace("data.é_no", 'data["é"]'), "R.b1")
    assert moved == (
        'package R.b1.a["b-c"].d # data.comment\n\nimport rego.v1\nimport data.R.b1.lib.tools as t\n\n# data.nothing\n'
        'x := "data.text" if data.R.b1.plain["data"] == input.data\n'
        'y := r if r := t.f(data.R.b1) with data.R.b1.mock as [1 | data.R.b1["é"]; false]\n'
    )


@given(st.lists(st.sampled_from(["é", "data", '"', "\\", "`", "\n", "#", "data.x", "𝄞", " "]), max_size=12))
def test_text_is_never_moved_whatever_is_in_it(parts: list[str]) -> None:
    literal = json.dumps("".join(parts), ensure_ascii=False)
    source = f"package p\n\nx := [{literal}, data.y]\n"
    assert relocated("p.rego", source, "R") == f"package R.p\n\nx := [{literal}, data.R.y]\n"
