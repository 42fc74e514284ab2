"""What another policy would have made of recorded answers."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.orchestration import OrchestrationResponse, VerdictAction
from llama_mapper.domain.orchestration import findings
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import DetectorUnavailable
from llama_mapper.domain.orchestration.simulation import (
    UNDECIDED,
    SimulatedRecord,
    SimulationTally,
    simulate_record,
)
from tests.unit.orchestration.support import (
    EMAIL,
    TOXIC,
    ScriptedDetector,
    SmallCatalogue,
    raises,
    raw_plan,
    request,
    says,
    service,
)


def block_from(threshold: float) -> dict[str, Any]:
    return {"default": [{"threshold": threshold, "action": "block"}], "categories": {}}


async def recorded(*detectors: ScriptedDetector, plan: dict[str, Any] | None = None) -> OrchestrationResponse:
    return await service(detectors, plan).orchestrate(request())


def simulated(response: OrchestrationResponse, plan: dict[str, Any]) -> SimulatedRecord:
    return simulate_record(response, parse_plan(plan), "b@2", SmallCatalogue())


@given(
    st.lists(st.tuples(st.sampled_from([EMAIL, TOXIC, "controversial", "unheard"]), st.floats(0, 1)), max_size=4),
    st.lists(st.tuples(st.sampled_from([EMAIL, TOXIC, "safe"]), st.floats(0, 1)), max_size=4),
    st.sampled_from(["most_restrictive", "majority_vote", "highest_confidence", "weighted_average"]),
    st.floats(0, 1),
    st.booleans(),
)
def test_the_policy_that_decided_decides_the_same_again(
    one: list[tuple[str, float]], two: list[tuple[str, float]], method: str, threshold: float, broken: bool
) -> None:
    behave = raises(DetectorUnavailable("gone")) if broken else says(*two)
    detectors = [ScriptedDetector("a", (EMAIL, TOXIC), says(*one)), ScriptedDetector("b", (EMAIL,), behave)]
    plan = raw_plan(["a"], ["b"], actions=block_from(threshold), conflicts={"default": method, "categories": {}})
    response = asyncio.run(recorded(*detectors, plan=plan))
    result = simulated(response, plan)
    assert (result.after, result.covered_after) == (response.verdict.action, response.coverage.sufficient)


async def test_an_ambiguous_answer_is_no_silence_in_a_simulation_either() -> None:
    detectors = [
        ScriptedDetector("a", (EMAIL,), says(("controversial", 0.9))),
        ScriptedDetector("b", (EMAIL,), says((EMAIL, 0.6))),
    ]
    plan = raw_plan(
        ["a", "b"], own={"a": {"clean_confidence": 0.9}}, conflicts={"default": "highest_confidence", "categories": {}}
    )
    response = await recorded(*detectors, plan=plan)
    assert (response.verdict.action, simulated(response, plan).after) == (VerdictAction.FLAG, VerdictAction.FLAG)


async def test_another_threshold_changes_the_verdict_without_asking_a_detector_again() -> None:
    detector = ScriptedDetector("a", (EMAIL,), says((EMAIL, 0.6)))
    response = await recorded(detector)
    assert simulated(response, raw_plan(["a"], actions=block_from(0.6))).after is VerdictAction.BLOCK
    assert simulated(response, raw_plan(["a"], actions=block_from(0.7))).after is VerdictAction.ALLOW
    assert detector.asked == 1


async def test_a_detector_that_took_no_part_makes_the_record_unknown_and_is_named() -> None:
    response = await recorded(ScriptedDetector("a", (EMAIL,), says((EMAIL, 0.9))))
    result = simulated(response, raw_plan(["a", "new"], ["newer"]))
    assert (result.before, result.after, result.missing) == (VerdictAction.FLAG, None, ("new", "newer"))


async def test_a_detector_that_the_candidate_leaves_out_counts_for_nothing() -> None:
    response = await recorded(ScriptedDetector("a", (EMAIL,), says((EMAIL, 0.9))), ScriptedDetector("b", (TOXIC,)))
    assert simulated(response, raw_plan(["b"])).after is VerdictAction.ALLOW


async def test_a_recorded_failure_is_replayed_under_the_candidates_terms() -> None:
    detectors = [ScriptedDetector("a"), ScriptedDetector("b", (TOXIC,), raises(DetectorUnavailable("gone")))]
    response = await recorded(*detectors, plan=raw_plan(["a"], ["b"]))
    assert simulated(response, raw_plan(["a"], ["b"])).after is VerdictAction.ALLOW
    closed = raw_plan(["a"], ["b"], own={"b": {"failure_mode": "fail_closed"}})
    assert simulated(response, closed).after is VerdictAction.BLOCK
    required = simulated(response, raw_plan(["a", "b"]))
    assert (required.after, required.covered_before, required.covered_after) == (VerdictAction.FLAG, True, False)


async def test_monitoring_and_label_thresholds_are_the_candidates() -> None:
    response = await recorded(ScriptedDetector("a", (EMAIL,), says((EMAIL, 0.6))))
    assert response.verdict.action is VerdictAction.FLAG
    for own in ({"mode": "monitor"}, {"thresholds": {EMAIL: 0.7}}):
        assert simulated(response, raw_plan(["a"], own={"a": own})).after is VerdictAction.ALLOW
    assert simulated(response, raw_plan(["a"], enforcement="monitor")).after is VerdictAction.ALLOW
    monitored = await recorded(
        ScriptedDetector("a", (EMAIL,), says((EMAIL, 0.6))), plan=raw_plan(["a"], own={"a": {"mode": "monitor"}})
    )
    assert simulated(monitored, raw_plan(["a"])).after is VerdictAction.FLAG


async def test_a_substitute_stands_in_if_it_took_part_and_is_missing_if_not() -> None:
    detectors = [
        ScriptedDetector("a", (EMAIL,), not_ready="loading"),
        ScriptedDetector("b", (EMAIL,), says((EMAIL, 0.9))),
    ]
    response = await recorded(*detectors, plan=raw_plan(["a", "b"]))
    stood_in = simulated(response, raw_plan(["a"], own={"a": {"substitutes": ["b"]}}))
    assert (stood_in.after, stood_in.covered_after) == (VerdictAction.FLAG, True)
    assert simulated(response, raw_plan(["a"], own={"a": {"substitutes": ["c"]}})).missing == ("c",)


def test_what_leaves_a_detector_undecided_is_the_same_as_for_a_live_request() -> None:
    assert UNDECIDED == findings._UNDECIDED


actions = st.sampled_from(list(VerdictAction))
records = st.builds(
    SimulatedRecord, actions, actions | st.none(), st.booleans(), st.booleans(), st.just(("d",)) | st.just(())
)


@given(st.lists(records | st.none(), max_size=60))
def test_every_record_is_counted_exactly_once(given_records: list[SimulatedRecord | None]) -> None:
    tally = SimulationTally()
    for number, record in enumerate(given_records):
        if record is None:
            tally.add_unreadable()
        else:
            tally.add(f"as_{number}", record)
    assert tally.records == len(given_records) == tally.judged + tally.unknown + tally.unreadable
    assert all(before is not after for before, after in tally.changes)
    assert all(len(samples) == min(20, tally.changes[change]) for change, samples in tally.samples.items())


async def test_a_simulation_never_changes_the_record() -> None:
    response = await recorded(ScriptedDetector("a", (EMAIL,), says((EMAIL, 0.6))))
    before = response.model_dump_json()
    simulated(response, raw_plan(["a"], own={"a": {"mode": "monitor", "thresholds": {EMAIL: 0.9}}}))
    assert response.model_dump_json() == before
