"""Resolving conflicts inside a risk category."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.orchestration import (
    AggregationSummary,
    ConflictMethod,
    DetectorResult,
    DetectorStatus,
    Finding,
)
from llama_mapper.domain.orchestration.aggregation import Vote, aggregate, resolve
from llama_mapper.domain.orchestration.plan import parse_plan
from tests.unit.orchestration.support import EMAIL, TOXIC, SmallCatalogue, raw_plan

HIGHEST, MAJORITY, AVERAGE, RESTRICTIVE = (
    ConflictMethod.HIGHEST_CONFIDENCE,
    ConflictMethod.MAJORITY_VOTE,
    ConflictMethod.WEIGHTED_AVERAGE,
    ConflictMethod.MOST_RESTRICTIVE,
)

scores = st.floats(0, 1, allow_subnormal=False)
methods = st.sampled_from(ConflictMethod)
ballots = st.lists(
    st.tuples(st.none() | scores, st.floats(0, 1000, allow_subnormal=False), scores), min_size=1, max_size=8
).map(lambda rows: [Vote(f"d{at}", *row) for at, row in enumerate(rows)])


def vote(name: str, score: float | None, **changes: Any) -> Vote:
    return Vote(name, score, **changes)


@given(ballots, scores)
def test_most_restrictive_flags_if_any_detector_flags(votes: list[Vote], threshold: float) -> None:
    resolved = resolve(RESTRICTIVE, votes, threshold)
    assert resolved.flagged == any(one.score is not None and one.score >= threshold for one in votes)


@given(methods, ballots, scores, st.randoms(use_true_random=False))
def test_the_order_of_detectors_never_matters(
    method: ConflictMethod, votes: list[Vote], threshold: float, random: Any
) -> None:
    shuffled = list(votes)
    random.shuffle(shuffled)
    assert resolve(method, shuffled, threshold) == resolve(method, votes, threshold)


@given(methods, ballots, scores)
def test_a_flagged_score_always_reaches_the_threshold_and_no_score_leaves_the_scale(
    method: ConflictMethod, votes: list[Vote], threshold: float
) -> None:
    resolved = resolve(method, votes, threshold)
    assert 0.0 <= resolved.score <= 1.0
    assert resolved.score >= threshold or not resolved.flagged
    assert len(resolved.flagged_by) + len(resolved.cleared_by) == len(votes)


@given(methods, ballots, scores)
def test_nothing_is_flagged_that_no_detector_flagged(
    method: ConflictMethod, votes: list[Vote], threshold: float
) -> None:
    resolved = resolve(method, votes, threshold)
    assert resolved.flagged_by or not resolved.flagged


@given(methods, ballots.filter(lambda votes: all(one.score is not None for one in votes)), scores)
def test_detectors_that_agree_are_believed_by_every_method(
    method: ConflictMethod, votes: list[Vote], threshold: float
) -> None:
    if all((one.score or 0.0) >= threshold for one in votes):
        assert resolve(method, votes, threshold).flagged


@given(st.sampled_from([HIGHEST, MAJORITY, RESTRICTIVE]), ballots, scores, scores)
def test_one_more_flagging_detector_never_unflags(
    method: ConflictMethod, votes: list[Vote], threshold: float, score: float
) -> None:
    before = resolve(method, votes, threshold)
    after = resolve(method, [*votes, vote("new", max(score, threshold))], threshold)
    assert after.flagged or not before.flagged


def test_a_tied_majority_flags() -> None:
    assert resolve(MAJORITY, [vote("a", 0.6), vote("b", None)], 0.5).flagged
    assert not resolve(MAJORITY, [vote("a", 0.9), vote("b", None), vote("c", 0.1)], 0.5).flagged


def test_the_majoritys_score_is_that_of_the_strongest_on_the_winning_side() -> None:
    assert resolve(MAJORITY, [vote("a", 0.6), vote("b", 0.8)], 0.5).score == 0.8
    assert resolve(MAJORITY, [vote("a", 0.9), vote("b", None), vote("c", 0.2)], 0.5).score == 0.2


def test_highest_confidence_weighs_a_finding_against_the_worth_of_silence() -> None:
    assert not resolve(HIGHEST, [vote("a", 0.6), vote("b", None, clean_confidence=0.7)], 0.5).flagged
    assert resolve(HIGHEST, [vote("a", 0.7), vote("b", None, clean_confidence=0.7)], 0.5).flagged, "a tie flags"


def test_a_weak_finding_clears_with_what_it_lacks_to_certainty() -> None:
    assert not resolve(HIGHEST, [vote("a", 0.8), vote("b", 0.1)], 0.5).flagged
    assert resolve(HIGHEST, [vote("a", 0.8), vote("b", 0.3)], 0.5).flagged


def test_the_weighted_average_counts_weights_and_discounts_silence() -> None:
    votes = [vote("a", 0.9, weight=3), vote("b", 0.5, weight=1), vote("c", None, weight=2, clean_confidence=0.5)]
    assert resolve(AVERAGE, votes, 0.5).score == pytest.approx((0.9 * 3 + 0.5) / (3 + 1 + 1))
    assert resolve(AVERAGE, [vote("a", 0.8), vote("b", None, clean_confidence=0.0)], 0.5).score == 0.8


def test_an_average_that_meets_the_threshold_exactly_flags() -> None:
    assert resolve(AVERAGE, [vote("a", 1.0), vote("b", None, clean_confidence=1.0)], 0.5).flagged
    assert resolve(AVERAGE, [vote(name, 0.7, weight=0.1) for name in "abc"], 0.7).flagged


def test_weightless_detectors_still_count_what_they_found() -> None:
    assert resolve(AVERAGE, [vote("a", 0.8, weight=0.0), vote("b", None, weight=0.0)], 0.5).score == 0.8


# --- from results to votes -------------------------------------------------------------------------------------------


def result(name: str, *findings: tuple[str | None, float], **changes: Any) -> DetectorResult:
    fields: dict[str, Any] = {
        "detector": name,
        "vendor": "acme",
        "vendor_version": "1",
        "status": DetectorStatus.SUCCESS,
        "output": "x",
        "confidence": 0.5,
        "categories": (EMAIL,),
        "findings": tuple(Finding(label="x", score=score, category=to) for to, score in findings),
        "processing_time_ms": 1.0,
    }
    return DetectorResult(**(fields | changes))


def summed(
    *results: DetectorResult, only: frozenset[str] | None = None, undecided: tuple[str, ...] = (), **changes: Any
) -> AggregationSummary:
    plan = parse_plan(raw_plan([one.detector for one in results], **changes))
    return aggregate(results, plan, SmallCatalogue.categories, only=only, undecided=undecided)


def test_conflicts_never_cross_categories() -> None:
    summary = summed(result("pii"), result("tox", (TOXIC, 0.9), categories=(TOXIC,)))
    assert [(one.category, one.flagged, one.conflict) for one in summary.categories] == [
        (TOXIC, True, False),
        (EMAIL, False, False),
    ]
    assert summary.conflicts == 0


@given(methods, scores, st.lists(st.none() | scores, max_size=5))
def test_what_detectors_say_about_one_category_never_changes_another(
    method: ConflictMethod, toxic: float, others: list[float | None]
) -> None:
    alone = result("tox", (TOXIC, toxic), categories=(TOXIC,))
    company = [result(f"pii{at}", *([] if score is None else [(EMAIL, score)])) for at, score in enumerate(others)]
    conflicts: dict[str, Any] = {"default": method.value, "categories": {}}
    before = summed(alone, conflicts=conflicts).categories
    after = summed(alone, *company, conflicts=conflicts).categories
    assert before == tuple(one for one in after if one.category == TOXIC)


def test_detectors_that_disagree_are_named_on_both_sides() -> None:
    summary = summed(result("b", (EMAIL, 0.9)), result("a"), result("c", (EMAIL, 0.2)))
    [outcome] = summary.categories
    assert (outcome.conflict, outcome.flagged_by, outcome.cleared_by) == (True, ("b",), ("a", "c"))
    assert outcome.severity is Severity.HIGH
    assert (summary.conflicts, summary.findings, summary.detectors_succeeded) == (1, 2, 3)


@pytest.mark.parametrize("status", [status for status in DetectorStatus if status is not DetectorStatus.SUCCESS])
def test_a_detector_that_did_not_answer_has_no_vote(status: DetectorStatus) -> None:
    assert summed(result("a", status=status)).categories == ()


def test_a_finding_outside_the_declared_categories_counts() -> None:
    assert [one.category for one in summed(result("a", (TOXIC, 0.9))).categories if one.flagged] == [TOXIC]


def test_only_the_requested_categories_are_judged() -> None:
    summary = summed(result("a", (TOXIC, 0.9), (EMAIL, 0.9)), only=frozenset({EMAIL}))
    assert [one.category for one in summary.categories] == [EMAIL]
    assert summary.findings == 2


def test_an_undecided_detectors_silence_clears_nothing_and_its_findings_still_count() -> None:
    assert summed(result("a", (None, 0.9)), undecided=("a",)).categories == ()
    summary = summed(result("a", (TOXIC, 0.9), categories=(EMAIL, TOXIC)), undecided=("a",))
    assert [one.category for one in summary.categories] == [TOXIC]


def test_saying_safe_out_loud_clears_and_never_flags() -> None:
    [outcome] = summed(result("a", ("meta.outcome", 1.0))).categories
    assert (outcome.category, outcome.flagged, outcome.cleared_by) == (EMAIL, False, ("a",))


def test_silence_in_a_foreign_language_clears_nothing_and_findings_still_count() -> None:
    assert summed(result("a", language_supported=False)).categories == ()
    assert summed(result("a", (EMAIL, 0.9), language_supported=False)).categories[0].flagged


def test_flagged_categories_come_first_and_the_worst_of_them_on_top() -> None:
    results = [
        result("a", (TOXIC, 0.9), ("security.credentials", 0.9), categories=(EMAIL, TOXIC, "security.credentials"))
    ]
    assert [one.category for one in summed(*results).categories] == ["security.credentials", TOXIC, EMAIL]
