"""Policies that are activated for watching, beside the one that decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_mapper.domain.contracts.orchestration import OrchestrationResponse, VerdictAction
from llama_mapper.domain.contracts.policies import Enforcement
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.lifecycle.events import Slot
from llama_mapper.domain.orchestration.ports import PolicyBundle
from tests.unit.orchestration.support import (
    EMAIL,
    TOXIC,
    FixedEngine,
    NoBundles,
    ScriptedDetector,
    raw_plan,
    request,
    says,
    service,
)

BLOCKS = {"default": [{"threshold": 0.5, "action": "block"}], "categories": {}}


class PlanOfItsOwn(FixedEngine):
    """Keeps `PolicyEngine`: a bundle's data hold its plan, and one without is broken."""

    async def evaluate(self, bundle: PolicyBundle, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        if "plan" not in bundle.data:
            raise PolicyEnforcementError("it gives no plan")
        plan: Mapping[str, Any] = bundle.data["plan"]
        return plan


async def judged(
    detectors: Sequence[ScriptedDetector], shadows: Sequence[Mapping[str, Any]], decides: Sequence[str] = ("a",)
) -> OrchestrationResponse:
    bundles = NoBundles()
    plan = raw_plan(list(decides))
    for number, data in enumerate(shadows):
        shadow = make_bundle("default", f"2.{number}", "", {}, data)
        await bundles.put("t1", shadow, Slot(enforcement=Enforcement.MONITOR))
    subject = service(detectors, plan, engine=PlanOfItsOwn({}), bundles=bundles, data={"plan": plan})
    return await subject.orchestrate(request())


async def test_a_watched_policy_is_reported_and_decides_nothing() -> None:
    detector = ScriptedDetector("a", (EMAIL,), says(("EMAIL", 0.9)))
    answer = await judged([detector], [{"plan": raw_plan(["a"], actions=BLOCKS)}])
    assert answer.verdict.action is VerdictAction.FLAG
    [shadow] = answer.shadows
    assert (shadow.policy_applied, shadow.verdict.action) == ("default@2.0", VerdictAction.BLOCK)
    assert detector.asked == 1


async def test_a_detector_that_only_the_watched_policy_wants_is_asked_and_is_no_result() -> None:
    first, second = ScriptedDetector("a"), ScriptedDetector("b", (TOXIC,), says((TOXIC, 0.9)))
    answer = await judged([first, second], [{"plan": raw_plan(["b"])}])
    assert [result.detector for result in answer.detector_results] == ["a"]
    assert (first.asked, second.asked) == (1, 1)
    [shadow] = answer.shadows
    assert [reason.subject for reason in shadow.verdict.reasons] == [TOXIC]
    assert answer.verdict.action is VerdictAction.ALLOW


async def test_a_broken_watched_policy_is_a_step_of_the_record_and_costs_the_request_nothing() -> None:
    answer = await judged([ScriptedDetector("a")], [{}])
    assert answer.shadows == ()
    [step] = [step for step in answer.provenance if step.component == "shadow:default@2.0"]
    assert "it gives no plan" in step.detail


async def test_thresholds_of_the_watched_policy_are_its_own() -> None:
    strict = {"plan": raw_plan(["a"], own={"a": {"thresholds": {"EMAIL": 0.95}}})}
    answer = await judged([ScriptedDetector("a", (EMAIL,), says(("EMAIL", 0.9)))], [strict])
    assert answer.verdict.action is VerdictAction.FLAG
    assert answer.shadows[0].verdict.action is VerdictAction.ALLOW
