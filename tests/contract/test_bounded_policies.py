"""Policies nobody vouches for: none holds the event loop, none runs on, and none keeps the others waiting."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from llama_mapper.adapters.orchestration.policies.bounded_policy_engine import BoundedPolicyEngine
from llama_mapper.adapters.orchestration.policies.process_bundle_exercise import ProcessBundleExercise
from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.ports import PolicyBundle

HEAD = "package llama_mapper.policy\n\nimport rego.v1\n\n"
ENDLESS = "count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i * j > 3])"


def bundle(source: str, tests: str = "") -> PolicyBundle:
    modules = {"policy.rego": f"{HEAD}{source}\n"}
    if tests:
        modules["policy_test.rego"] = f"package policy_test\n\nimport rego.v1\n\n{tests}\n"
    return make_bundle("b", "1", "", modules, {})


async def test_a_looping_policy_is_ended_while_everything_else_goes_on() -> None:
    engine = BoundedPolicyEngine((), 0.5)
    ticks = 0
    try:
        running = asyncio.create_task(engine.evaluate(bundle(f'plan := {{"n": {ENDLESS}}}'), {}))
        while not running.done():
            await asyncio.sleep(0.01)
            ticks += 1
        with pytest.raises(PolicyEnforcementError, match="longer than") as caught:
            await running
        assert await engine.evaluate(bundle('plan := {"n": 1}'), {}) == {"n": 1}
    finally:
        await engine.close()
    assert (caught.value.error_code, caught.value.retryable) == (ErrorCode.POLICY_INVALID, False)
    assert ticks > 5


async def test_a_looping_policy_is_not_tried_again_for_a_minute() -> None:
    now = 0.0
    engine = BoundedPolicyEngine((), 0.3, monotonic=lambda: now)
    looping = bundle(f'plan := {{"n": {ENDLESS}}}')

    async def seconds() -> float:
        began = time.monotonic()
        with pytest.raises(PolicyEnforcementError, match="longer than"):
            await engine.evaluate(looping, {})
        return time.monotonic() - began

    try:
        assert await seconds() >= 0.3
        assert await seconds() < 0.3
        now = 61.0
        assert await seconds() >= 0.3
    finally:
        await engine.close()


async def test_a_greedy_policy_ends_its_process_and_not_this_one() -> None:
    engine = BoundedPolicyEngine((), 30, memory_bytes=200 << 20)
    greedy = bundle('plan := {"n": [x | some i in numbers.range(1, 3000); x := numbers.range(1, 3000)]}')
    try:
        with pytest.raises(PolicyEnforcementError, match="memory"):
            await engine.evaluate(greedy, {})
        assert await engine.evaluate(bundle('plan := {"n": 1}'), {}) == {"n": 1}
    finally:
        await engine.close()


async def test_trusted_bundles_need_no_process() -> None:
    trusted = bundle('plan := {"pid": 1}')
    engine = BoundedPolicyEngine([trusted.digest], 0.5)
    assert await engine.evaluate(trusted, {}) == {"pid": 1}
    assert engine.pid is None
    await engine.close()


async def test_a_process_does_not_outlive_its_engine() -> None:
    engine = BoundedPolicyEngine((), 5)
    await engine.evaluate(bundle('plan := {"n": 1}'), {})
    pid = engine.pid
    assert pid is not None
    await engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


TESTS = """\
test_good if { 1 == 1 }

test_defined := 3

test_false := false

test_undefined if { 1 == 2 }

test_broken if { data.llama_mapper.policy.plan.n == 2; to_number("x") == 1 }

test_cases[name] := ok if some name, ok in {"one": true, "two": false}

todo_test_later if { false }

helper if { false }
"""


async def test_every_test_of_a_bundle_is_run_as_opa_test_would() -> None:
    done = await ProcessBundleExercise(30).run(bundle('plan := {"n": 2}', TESTS), [])
    assert {test.name.removeprefix("data.policy_test."): test.passed for test in done.tests} == {
        "test_good": True,
        "test_defined": True,
        "test_false": False,
        "test_undefined": False,
        "test_broken": False,
        "test_cases": False,
    }
    assert [test.line for test in done.tests][:2] == [5, 7]
    assert all(test.message for test in done.tests if not test.passed)


async def test_lines_that_nothing_reaches_are_told_rule_by_rule() -> None:
    source = 'plan := {"n": n}\n\nn := 1 if input.x\n\nn := 2 if {\n\tnot input.x\n\tinput.y\n}\n\nunused(x) := x + 1'
    facts = {"content_type": "text", "processing_mode": "normal", "x": True}
    done = await ProcessBundleExercise(30).run(bundle(source), [facts])
    assert done.plans == ({"n": 1},)
    assert [(part.rule, part.whole) for part in done.unreached] == [("n", False), ("unused", True)]
    both = await ProcessBundleExercise(30).run(bundle(source), [facts, facts | {"x": False, "y": 1}])
    assert [part.rule for part in both.unreached] == ["unused"]


async def test_a_hostile_bundle_is_told_by_what_overran() -> None:
    done = await ProcessBundleExercise(0.5).run(bundle('plan := {"n": 1}', f"test_long if {{ {ENDLESS} > 1 }}"), [])
    assert done.overrun == "the test data.policy_test.test_long"
    facts = {"content_type": "code", "processing_mode": "low"}
    slow = await ProcessBundleExercise(0.5).run(bundle(f'plan := {{"n": {ENDLESS}}}'), [facts])
    assert (slow.overrun, slow.plans) == ("the plan for code content in mode low", ())
    broken = await ProcessBundleExercise(30).run(bundle("plan := {"), [facts])
    assert broken.fault is not None
