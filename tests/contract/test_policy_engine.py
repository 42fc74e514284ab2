"""What every `PolicyEngine` promises. Another engine joins by a line in `ENGINES`."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from llama_mapper.adapters.orchestration.policies.bounded_policy_engine import BoundedPolicyEngine
from llama_mapper.adapters.orchestration.policies.opa_policy_engine import OpaPolicyEngine, open_opa_client
from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import CAPACITY, RegorusPolicyEngine
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyEngine
from tests.support.opa import PolicyServer

OPA_CAPACITY = 4


@asynccontextmanager
async def in_process(_: pytest.FixtureRequest) -> AsyncIterator[PolicyEngine]:
    yield RegorusPolicyEngine()


@asynccontextmanager
async def in_a_child(_: pytest.FixtureRequest) -> AsyncIterator[PolicyEngine]:
    engine = BoundedPolicyEngine((), 30)
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def on_a_server(request: pytest.FixtureRequest) -> AsyncIterator[PolicyEngine]:
    server: PolicyServer = request.getfixturevalue("opa")
    engine = OpaPolicyEngine(open_opa_client(server.url, token=None, timeout_s=30), 30, capacity=OPA_CAPACITY)
    try:
        yield engine
    finally:
        await engine.close()


ENGINES: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[PolicyEngine]]] = {
    "regorus": in_process,
    "bounded": in_a_child,
    "opa": on_a_server,
}


@pytest.fixture(params=sorted(ENGINES))
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[PolicyEngine]:
    async with ENGINES[request.param](request) as made:
        yield made


def bundle(source: str, data: Mapping[str, Any] | None = None, **modules: str) -> PolicyBundle:
    main = f"package llama_mapper.policy\n\nimport rego.v1\n\n{source}\n"
    return make_bundle("b", "1", "", {"policy.rego": main} | modules, data or {})


async def test_the_plan_is_computed_from_facts_data_and_every_module(engine: PolicyEngine) -> None:
    lib = {"lib.rego": "package lib\n\nimport rego.v1\n\ndouble(x) := x * 2\n"}
    subject = bundle('plan := {"n": data.lib.double(data.base) + input.more, "s": {"b", "a"}}', {"base": 20}, **lib)
    assert await engine.evaluate(subject, {"more": 2}) == {"n": 42, "s": ["a", "b"]}


async def test_facts_of_one_evaluation_never_reach_the_next(engine: PolicyEngine) -> None:
    subject = bundle('plan := {"x": object.get(input, "x", "none")}')
    assert await engine.evaluate(subject, {"x": "one"}) == {"x": "one"}
    assert await engine.evaluate(subject, {}) == {"x": "none"}


async def test_bundles_never_see_each_others_data(engine: PolicyEngine) -> None:
    first, second = bundle('plan := {"v": data.v}', {"v": 1}), bundle('plan := {"v": data.v}', {"v": 2})
    for _ in range(2):
        assert await engine.evaluate(first, {}) == {"v": 1}
        assert await engine.evaluate(second, {}) == {"v": 2}


@pytest.mark.parametrize(
    "source",
    [
        "plan := {",
        "plan {",
        'plan := {"a": no_such_function(1)}',
        "plan := [1]",
        'plan := "text"',
        'plan := {"a": 1} if input.missing',
        "other := {}",
        'plan := {"a": 1}\nplan := {"a": 2}',
    ],
)
async def test_a_bundle_that_gives_no_object_is_invalid(engine: PolicyEngine, source: str) -> None:
    with pytest.raises(PolicyEnforcementError) as caught:
        await engine.evaluate(bundle(source), {})
    assert caught.value.error_code is ErrorCode.POLICY_INVALID
    assert not caught.value.retryable


async def test_a_syntax_error_is_told_with_its_place_and_without_the_engines_own_stack(engine: PolicyEngine) -> None:
    with pytest.raises(PolicyEnforcementError, match=r"policy\.rego:\d") as caught:
        await engine.evaluate(bundle("plan := {"), {})
    assert "backtrace" not in caught.value.message.lower()


async def test_an_invalid_bundle_stays_invalid_and_spoils_no_other(engine: PolicyEngine) -> None:
    bad, good = bundle("plan := {"), bundle('plan := {"ok": true}')
    for _ in range(2):
        with pytest.raises(PolicyEnforcementError):
            await engine.evaluate(bad, {})
        assert await engine.evaluate(good, {}) == {"ok": True}


async def test_more_bundles_than_are_remembered_are_all_answered(engine: PolicyEngine) -> None:
    count = OPA_CAPACITY + 2 if isinstance(engine, OpaPolicyEngine) else CAPACITY + 2
    bundles = [bundle(f'plan := {{"n": {number}}}') for number in range(count)]
    for _ in range(2):
        assert [(await engine.evaluate(one, {}))["n"] for one in bundles] == list(range(count))


@pytest.mark.parametrize("name", ["default", "strict"])
async def test_the_shipped_bundles_give_valid_plans(engine: PolicyEngine, name: str) -> None:
    [shipped] = [one for one in load_shipped_bundles() if one.name == name]
    facts = {
        "tenant_id": "t1",
        "content_type": "text",
        "processing_mode": "normal",
        "categories": [],
        "metadata": {},
        "detectors": [{"name": "d", "categories": ["pii.financial_data"], "languages": [], "ready": True}],
    }
    assert parse_plan(await engine.evaluate(shipped, facts)).selected == ("d",)


async def test_an_engine_in_process_may_be_used_from_many_threads() -> None:
    engine = RegorusPolicyEngine()
    subject = bundle('plan := {"x": input.x}')
    assert await engine.evaluate(subject, {"x": 0}) == {"x": 0}
    seen: list[Any] = []

    def elsewhere(number: int) -> None:
        async def twice() -> None:
            seen.extend([(await engine.evaluate(subject, {"x": number}))["x"] for _ in range(2)])

        asyncio.run(twice())

    threads = [threading.Thread(target=elsewhere, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert sorted(seen) == [1, 1, 2, 2, 3, 3]


def test_whoever_collects_an_engine_nothing_is_dropped_in_a_foreign_thread() -> None:
    faults: list[object] = []

    def use() -> None:
        held: list[object] = []
        engine = RegorusPolicyEngine()
        asyncio.run(engine.evaluate(bundle("plan := {}"), {}))
        for broken in ("plan := ", 'plan := {"a": 1} { false'):
            with pytest.raises(PolicyEnforcementError) as refusal:
                asyncio.run(engine.evaluate(bundle(broken), {}))
            held.append(refusal.value)
        held.append(engine)
        held.append(held)  # only the collector can free it now

    sys.unraisablehook, before = faults.append, sys.unraisablehook
    try:
        user = threading.Thread(target=use)
        user.start()
        user.join()
        gc.collect()
    finally:
        sys.unraisablehook = before
    assert faults == []
