"""What a policy's terms do: monitoring, substitutes, thresholds by label."""

from __future__ import annotations

from typing import Any

import pytest

from llama_mapper.domain.contracts.orchestration import (
    DetectorMode,
    DetectorStatus,
    OrchestrationResponse,
    VerdictAction,
)
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import DetectorFailed, DetectorTimeout, DetectorUnavailable, Inspection
from tests.unit.orchestration.support import (
    EMAIL,
    SECRET,
    TOXIC,
    ScriptedDetector,
    gives,
    raises,
    raw_plan,
    request,
    says,
    service,
)

MONITORED = {"mode": "monitor"}


async def run(detectors: list[ScriptedDetector], plan: dict[str, Any]) -> OrchestrationResponse:
    return await service(detectors, plan).orchestrate(request())


# --- monitoring ------------------------------------------------------------------------------------------------------


async def test_a_monitored_detector_is_reported_and_its_findings_decide_nothing() -> None:
    detectors = [ScriptedDetector("new", (TOXIC,), says((TOXIC, 0.9))), ScriptedDetector("old", (EMAIL,))]
    answer = await run(detectors, raw_plan(["new", "old"], own={"new": MONITORED}))
    new = answer.detector_results[0]
    assert (new.mode, new.status, new.output) == (DetectorMode.MONITOR, DetectorStatus.SUCCESS, TOXIC)
    assert answer.verdict.action is VerdictAction.ALLOW
    assert answer.verdict.would is VerdictAction.FLAG
    [reason] = answer.verdict.reasons
    assert (reason.subject, reason.enforced) == (TOXIC, False)
    assert not any(outcome.category == TOXIC for outcome in answer.aggregation_summary.categories)
    assert answer.policy.plan.monitored_detectors == ("new",)


async def test_a_monitored_detector_does_not_vote_against_an_enforced_one() -> None:
    detectors = [ScriptedDetector("new", (TOXIC,)), ScriptedDetector("old", (TOXIC,), says((TOXIC, 0.6)))]
    plan = raw_plan(
        ["new", "old"],
        own={"new": MONITORED | {"clean_confidence": 1.0}},
        conflicts={"default": "highest_confidence", "categories": {}},
    )
    assert (await run(detectors, plan)).verdict.action is VerdictAction.FLAG


async def test_a_monitored_detectors_failure_neither_blocks_nor_lowers_coverage() -> None:
    detectors = [ScriptedDetector("new", (TOXIC,), raises(DetectorFailed("broken"))), ScriptedDetector("old")]
    plan = raw_plan(["new", "old"], own={"new": MONITORED | {"failure_mode": "fail_closed"}})
    answer = await run(detectors, plan)
    assert answer.detector_results[0].status is DetectorStatus.FAILED
    assert (answer.coverage.achieved, answer.coverage.gaps) == (1.0, ())
    assert answer.verdict.action is VerdictAction.ALLOW
    assert answer.verdict.would is VerdictAction.BLOCK


async def test_a_monitored_policy_allows_and_says_what_it_would_do() -> None:
    detectors = [ScriptedDetector("a", (TOXIC,), says((TOXIC, 0.9)))]
    answer = await run(detectors, raw_plan(["a"], enforcement="monitor"))
    assert (answer.verdict.action, answer.verdict.would) == (VerdictAction.ALLOW, VerdictAction.FLAG)
    assert [reason.enforced for reason in answer.verdict.reasons] == [False]


async def test_nothing_monitored_would_differ_where_nothing_is_monitored() -> None:
    answer = await run([ScriptedDetector("a", (TOXIC,), says((TOXIC, 0.9)))], raw_plan(["a"]))
    assert answer.verdict.would is None
    assert all(reason.enforced for reason in answer.verdict.reasons)


# --- substitutes -----------------------------------------------------------------------------------------------------


async def test_a_substitute_stands_in_for_a_detector_that_is_not_ready() -> None:
    sick = ScriptedDetector("sick", not_ready="unhealthy: no answer to probes")
    spare = ScriptedDetector("spare", behave=says(("EMAIL", 0.9)))
    answer = await run([sick, spare], raw_plan(["sick"], own={"sick": {"substitutes": ["nobody", "spare"]}}))
    first, second = answer.detector_results
    assert (first.detector, first.status) == ("sick", DetectorStatus.UNAVAILABLE)
    assert (second.detector, second.substitute_for, second.status) == ("spare", "sick", DetectorStatus.SUCCESS)
    assert answer.policy.selected_detectors == ("sick", "spare")
    assert (sick.asked, spare.asked) == (0, 1)
    assert answer.coverage.sufficient
    assert answer.verdict.action is VerdictAction.FLAG


async def test_a_substitute_is_not_asked_while_the_detector_is_ready() -> None:
    fine, spare = ScriptedDetector("fine"), ScriptedDetector("spare")
    answer = await run([fine, spare], raw_plan(["fine"], own={"fine": {"substitutes": ["spare"]}}))
    assert (fine.asked, spare.asked) == (1, 0)
    assert answer.policy.selected_detectors == ("fine",)


async def test_one_substitute_stands_in_for_one_detector_only() -> None:
    sick = [ScriptedDetector(name, not_ready="gone") for name in "ab"]
    spare = [ScriptedDetector("x"), ScriptedDetector("y", not_ready="gone too")]
    own = {name: {"substitutes": ["x", "y"]} for name in "ab"}
    answer = await run([*sick, *spare], raw_plan(["a", "b"], own=own))
    assert {result.detector: result.substitute_for for result in answer.detector_results} == {
        "a": None,
        "b": None,
        "x": "a",
    }
    assert answer.coverage.achieved == 0.5


# --- thresholds by label ---------------------------------------------------------------------------------------------


async def test_a_finding_below_its_labels_threshold_is_reported_and_counts_for_nothing() -> None:
    detectors = [ScriptedDetector("a", (EMAIL, SECRET), says(("EMAIL", 0.7), (SECRET, 0.7)))]
    answer = await run(detectors, raw_plan(["a"], own={"a": {"thresholds": {"EMAIL": 0.8}}}))
    result = answer.detector_results[0]
    assert [(finding.label, finding.below_threshold) for finding in result.findings] == [
        ("EMAIL", True),
        (SECRET, False),
    ]
    assert result.output == SECRET
    assert [reason.subject for reason in answer.verdict.reasons] == [SECRET]


async def test_a_detector_with_nothing_but_findings_below_their_thresholds_says_clean() -> None:
    answer = await run(
        [ScriptedDetector("a", behave=says(("EMAIL", 0.7)))], raw_plan(["a"], own={"a": {"thresholds": {"EMAIL": 0.8}}})
    )
    assert answer.detector_results[0].output == "clean"
    assert answer.verdict.action is VerdictAction.ALLOW


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "watch"},
        {"substitutes": "spare"},
        {"retries": 6},
        {"hedge_after_ms": 0},
        {"thresholds": {"EMAIL": 1.1}},
        {"thresholds": {"": 0.5}},
        {"treshold": 1},
    ],
)
def test_wrong_terms_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(PolicyEnforcementError, match=r"plan\.detectors\.terms\[a\]"):
        parse_plan(raw_plan(["a"], own={"a": wrong}))


# --- how an answer came about ----------------------------------------------------------------------------------------


async def test_notes_of_answers_and_of_failures_are_in_the_record() -> None:
    detectors = [
        ScriptedDetector("fine", behave=gives(Inspection((), None, {"attempts": 2, "bad": float("nan"), "x" * 65: 1}))),
        ScriptedDetector("late", behave=raises(DetectorTimeout("no answer", notes={"attempts": 3}))),
        ScriptedDetector("shut", behave=raises(DetectorUnavailable("open since 3 s", "BREAKER_OPEN"))),
    ]
    fine, late, shut = (await run(detectors, raw_plan(["fine", "late", "shut"]))).detector_results
    assert fine.metadata == {"attempts": 2}
    assert (late.status, late.metadata) == (DetectorStatus.TIMEOUT, {"attempts": 3})
    assert shut.fault is not None
    assert (shut.status, shut.fault.code) == (DetectorStatus.UNAVAILABLE, "BREAKER_OPEN")
