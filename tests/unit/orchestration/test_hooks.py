"""Code of others that takes part in a request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_mapper.domain.contracts.orchestration import (
    ContentType,
    DetectorResult,
    OrchestrationRequest,
    OrchestrationResponse,
    VerdictAction,
)
from llama_mapper.domain.orchestration.hooks import Hooks, OrchestrationHook
from tests.unit.orchestration.support import ScriptedDetector, raw_plan, request, says, service


class Named(OrchestrationHook):
    name = "tidy"
    version = "1.2"


async def answered(hook: OrchestrationHook, *, timeout_s: float = 5.0) -> OrchestrationResponse:
    detector = ScriptedDetector("a", behave=says(("EMAIL", 0.9)))
    return await service([detector], raw_plan(["a"]), hooks=Hooks([hook], timeout_s)).orchestrate(request())


def steps(response: OrchestrationResponse) -> list[str]:
    return [entry.detail for entry in response.provenance if entry.component == "hook:tidy"]


async def test_a_hook_may_change_what_the_policy_decides_on() -> None:
    class Clinical(Named):
        async def before_detection(self, request: OrchestrationRequest) -> OrchestrationRequest:
            return request.model_copy(update={"content_type": ContentType.CLINICAL})

    answer = await answered(Clinical())
    assert answer.content_type is ContentType.CLINICAL
    assert steps(answer) == ["before_detection done", "after_detection done", "on_verdict done"]


async def test_a_hook_may_take_findings_back() -> None:
    class Lenient(Named):
        async def after_detection(
            self, request: OrchestrationRequest, results: tuple[DetectorResult, ...]
        ) -> Sequence[DetectorResult]:
            return [result.model_copy(update={"findings": (), "metadata": {"forgiven": 1}}) for result in results]

    answer = await answered(Lenient())
    assert answer.verdict.action is VerdictAction.ALLOW
    assert answer.detector_results[0].metadata == {"forgiven": 1}
    assert answer.detector_results[0].output == "clean"


async def test_a_hook_is_told_of_the_verdict() -> None:
    seen: list[VerdictAction] = []

    class Watching(Named):
        async def on_verdict(self, response: OrchestrationResponse) -> None:
            seen.append(response.verdict.action)

    await answered(Watching())
    assert seen == [VerdictAction.FLAG]


async def test_a_broken_hook_is_named_without_its_words_and_breaks_nothing() -> None:
    class Broken(Named):
        async def before_detection(self, request: OrchestrationRequest) -> OrchestrationRequest:
            raise RuntimeError(f"cannot read {request.content}")

        async def on_verdict(self, response: OrchestrationResponse) -> None:
            raise KeyError("jo@example.org")

    answer = await answered(Broken())
    assert steps(answer) == [
        "before_detection failed: RuntimeError",
        "after_detection done",
        "on_verdict failed: KeyError",
    ]
    assert answer.verdict.action is VerdictAction.FLAG
    assert "jo@example.org" not in answer.model_dump_json()


async def test_a_hook_that_takes_too_long_is_left_behind() -> None:
    class Slow(Named):
        async def after_detection(
            self, request: OrchestrationRequest, results: tuple[DetectorResult, ...]
        ) -> Sequence[DetectorResult]:
            await asyncio.sleep(60)
            return ()

    answer = await answered(Slow(), timeout_s=0.01)
    assert steps(answer)[1] == "after_detection no answer within 10 ms"
    assert answer.detector_results[0].findings


async def test_what_a_hook_must_not_change_is_refused() -> None:
    class Greedy(Named):
        async def before_detection(self, request: OrchestrationRequest) -> OrchestrationRequest:
            return request.model_copy(update={"content": "something else"})

        async def after_detection(
            self, request: OrchestrationRequest, results: tuple[DetectorResult, ...]
        ) -> Sequence[DetectorResult]:
            return ()

    class Thief(Named):
        async def before_detection(self, request: OrchestrationRequest) -> OrchestrationRequest:
            return request.model_copy(update={"tenant_id": "other"})

    answer = await answered(Greedy())
    assert steps(answer)[:2] == [
        "before_detection refused: it changed the content",
        "after_detection refused: it changed which detectors answered",
    ]
    assert answer.detector_results[0].findings
    assert (await answered(Thief())).tenant_id == "t1"


async def test_a_hook_that_breaks_before_it_is_awaited_costs_the_request_nothing() -> None:
    class Careless(Named):
        def before_detection(self, request: OrchestrationRequest) -> Any:  # not async, by mistake
            raise RuntimeError(f"cannot read {request.content}")

    answer = await answered(Careless())
    assert steps(answer)[0] == "before_detection failed: RuntimeError"
    assert "jo@example.org" not in answer.model_dump_json()
