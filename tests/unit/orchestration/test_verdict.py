"""What to do with the content."""

from __future__ import annotations

from typing import Any

import pytest

from llama_mapper.domain.contracts.orchestration import DetectorResult, DetectorStatus, Verdict, VerdictAction
from llama_mapper.domain.orchestration.aggregation import aggregate
from llama_mapper.domain.orchestration.coverage import measure_coverage
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.verdict import decide
from tests.unit.orchestration.support import EMAIL, SECRET, TOXIC, SmallCatalogue, raw_plan
from tests.unit.orchestration.test_aggregation import result

ACTIONS = {
    "default": [{"threshold": 0.5, "action": "flag"}],
    "categories": {
        "pii.*": [{"threshold": 0.5, "action": "redact"}],
        SECRET: [{"threshold": 0.4, "action": "flag"}, {"threshold": 0.6, "action": "block"}],
        "content.sexual": [{"threshold": 0.1, "action": "allow"}],
    },
}


def judged(*results: DetectorResult, **changes: Any) -> Verdict:
    plan = parse_plan(raw_plan([one.detector for one in results], **({"actions": ACTIONS} | changes)))
    summary = aggregate(results, plan, SmallCatalogue.categories)
    return decide(plan, "p@1", results, summary, measure_coverage(results, plan))


def test_nothing_found_and_all_covered_allows_without_a_reason() -> None:
    verdict = judged(result("a"))
    assert (verdict.action, verdict.reasons, verdict.policy_applied) == (VerdictAction.ALLOW, (), "p@1")


@pytest.mark.parametrize(
    ("score", "action"),
    [(0.39, VerdictAction.ALLOW), (0.4, VerdictAction.FLAG), (0.59, VerdictAction.FLAG), (0.6, VerdictAction.BLOCK)],
)
def test_the_strongest_rule_that_the_score_reaches_acts(score: float, action: VerdictAction) -> None:
    assert judged(result("a", (SECRET, score))).action is action


def test_every_reason_is_given_strongest_first() -> None:
    verdict = judged(result("a", (TOXIC, 0.99), (EMAIL, 0.7), (SECRET, 0.8)))
    assert [(one.action.value, one.subject) for one in verdict.reasons] == [
        ("block", SECRET),
        ("redact", EMAIL),
        ("flag", TOXIC),
    ]
    assert verdict.action is VerdictAction.BLOCK
    assert (verdict.reasons[0].score, verdict.reasons[0].threshold) == (0.8, 0.6)


def test_a_category_that_the_policy_allows_is_told_and_does_nothing() -> None:
    verdict = judged(result("a", ("content.sexual", 0.9)))
    assert verdict.action is VerdictAction.ALLOW
    assert [one.subject for one in verdict.reasons] == ["content.sexual"]


def test_a_fail_closed_detector_that_did_not_answer_blocks() -> None:
    failed = result("a", status=DetectorStatus.TIMEOUT)
    closed = judged(failed, result("b"), own={"a": {"failure_mode": "fail_closed"}}, coverage={"threshold": 0.1})
    assert closed.action is VerdictAction.BLOCK
    assert [(one.code, one.subject) for one in closed.reasons] == [("detector_failed_closed", "a")]
    assert judged(failed, result("b"), coverage={"threshold": 0.1}).action is VerdictAction.ALLOW


@pytest.mark.parametrize("action", list(VerdictAction))
def test_insufficient_coverage_does_what_the_plan_says(action: VerdictAction) -> None:
    verdict = judged(result("a", status=DetectorStatus.FAILED), coverage={"on_insufficient": action.value})
    assert verdict.action is action
    assert [(one.code, one.score, one.threshold) for one in verdict.reasons] == [("coverage_insufficient", 0.0, 0.8)]
