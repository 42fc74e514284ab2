"""The life of releases and experiments, over records in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.mapping.memory_releases import MemoryReleases
from llama_mapper.domain.contracts.releases import (
    AbStart,
    BlueGreenStart,
    CanaryStart,
    EvaluationSummary,
    GateState,
    Metric,
    ReleaseAdvance,
    ReleaseDoor,
    ReleaseGates,
    ReleaseNote,
    ReleaseState,
    ReleaseStep,
    ShadowStart,
    Treatment,
    ValidationCase,
    ValidationReport,
    VariantKind,
    read_start,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.mapping.releases.admission import Admission, AdmissionGate
from llama_mapper.domain.mapping.releases.gates import canary_gates, experiment_effects
from llama_mapper.domain.mapping.releases.tally import Outcome, Tally
from tests.support.releases import ANNA, GOOD, MODEL, Clock, Process, ab, blue_green, canary, shadow

NOTE = ReleaseNote(note="so")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(clock: Clock) -> Process:
    return Process(MemoryReleases(), clock)


async def refused(asked: Awaitable[object]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await asked
    return caught.value


async def observed(process: Process, release_id: str, arm: str, count: int, **outcome: object) -> None:
    """So many requests of one label each, counted and written."""
    for _ in range(count):
        process.observations.add(release_id, arm, Outcome(labels=1, **outcome))  # type: ignore[arg-type]  # by name
    await process.observations.flush()


async def test_a_canary_goes_through_its_stages_by_itself_and_settles(process: Process, clock: Clock) -> None:
    release = await process.releases.start(canary(), ANNA)
    shares = []
    for _ in range(4):
        shares.append((await process.releases.release(release.id)).percent)
        await observed(process, release.id, "candidate", 20)
        await process.controller.round()
        assert (await process.releases.release(release.id)).percent == shares[-1]  # not before its time
        clock.pass_by(60)
        await process.controller.round()
    assert shares == [5.0, 25.0, 50.0, 100.0]
    done = await process.releases.release(release.id)
    assert (done.state, done.percent) == (ReleaseState.COMPLETED, 100.0)
    events = (await process.releases.history(release.id)).items
    assert [each.step for each in events] == [ReleaseStep.STARTED, *[ReleaseStep.ADVANCED] * 3, ReleaseStep.COMPLETED]
    assert [each.door for each in events[1:]] == [ReleaseDoor.CONTROLLER] * 4
    assert all(each.reasons for each in events[1:])
    await process.router.refresh()
    assigned = process.router.route(MODEL).assign("acme", "x")
    assert (assigned.variant and assigned.variant.version, assigned.release_id) == ("v2", None)


async def test_a_stage_waits_for_requests_of_its_own(process: Process, clock: Clock) -> None:
    release = await process.releases.start(canary(), ANNA)
    await observed(process, release.id, "candidate", 30)
    clock.pass_by(60)
    await process.controller.round()
    clock.pass_by(60)
    await process.controller.round()
    shown = await process.releases.release(release.id)
    assert (shown.stage, shown.waiting_for) == (1, ("0 of 20 requests in this stage",))


async def test_a_failing_candidate_is_rolled_back_at_once_even_while_held(process: Process) -> None:
    release = await process.releases.start(canary(), ANNA)
    await process.releases.hold(release.id, NOTE, ANNA)
    await observed(process, release.id, "baseline", 300)
    await observed(process, release.id, "candidate", 40, failed=True)
    await process.controller.round()
    shown = await process.releases.release(release.id)
    assert (shown.state, shown.percent) == (ReleaseState.ROLLED_BACK, 0.0)
    last = (await process.releases.history(release.id)).items[-1]
    assert last.door is ReleaseDoor.CONTROLLER
    assert any("error_rise failing" in reason for reason in last.reasons)
    await process.router.refresh()
    assert {process.router.route(MODEL).assign("acme", str(n)).variant.version for n in range(50)} == {"v1"}  # type: ignore[union-attr]  # v1 is usual


async def test_a_held_canary_waits_and_goes_on(process: Process, clock: Clock) -> None:
    release = await process.releases.start(canary(), ANNA)
    await observed(process, release.id, "candidate", 50)
    clock.pass_by(100)
    await process.releases.hold(release.id, NOTE, ANNA)
    await process.controller.round()
    assert (await process.releases.release(release.id)).waiting_for == ("it is held",)
    await process.releases.resume(release.id, NOTE, ANNA)
    await process.controller.round()
    assert (await process.releases.release(release.id)).percent == 25.0


async def test_proof_is_waited_for_where_it_is_asked_for(process: Process, clock: Clock) -> None:
    release = await process.releases.start(
        canary(proof=True, gates=ReleaseGates(latency_ratio=None, agreement_least=None)), ANNA
    )
    await observed(process, release.id, "candidate", 40)
    await observed(process, release.id, "baseline", 40)
    clock.pass_by(60)
    await process.controller.round()
    assert "error_rise is not proven yet" in (await process.releases.release(release.id)).waiting_for
    await observed(process, release.id, "candidate", 1500)
    await observed(process, release.id, "baseline", 1500)
    await process.controller.round()
    assert (await process.releases.release(release.id)).stage == 1


async def test_an_operator_advances_and_overrides_on_the_record(process: Process) -> None:
    release = await process.releases.start(canary(automatic=False), ANNA)
    assert (await process.releases.advance(release.id, ReleaseAdvance(), ANNA)).percent == 25.0
    await observed(process, release.id, "baseline", 300)
    await observed(process, release.id, "candidate", 40, invalid=1)
    error = await refused(process.releases.advance(release.id, ReleaseAdvance(), ANNA))
    assert error.error_code is ErrorCode.RELEASE_STATE
    assert "schema_validity_drop failing" in error.message
    await process.releases.advance(release.id, ReleaseAdvance(override=True, note="known"), ANNA)
    last = (await process.releases.history(release.id)).items[-1]
    assert (last.override, last.who, last.note, last.stage) == (True, "anna", "known", 2)


async def test_an_advance_that_is_sent_again_is_taken_once(process: Process) -> None:
    release = await process.releases.start(canary(automatic=False), ANNA)
    asked = ReleaseAdvance(stage=0)
    assert (await process.releases.advance(release.id, asked, ANNA)).stage == 1
    error = await refused(process.releases.advance(release.id, asked, ANNA))
    assert (error.error_code, error.message) == (ErrorCode.RELEASE_STATE, "it is at stage 1, not 0")
    assert (await process.releases.release(release.id)).stage == 1


async def test_of_two_who_advance_at_once_one_does(process: Process) -> None:
    release = await process.releases.start(canary(automatic=False), ANNA)
    both = [process.releases.advance(release.id, ReleaseAdvance(), ANNA) for _ in range(2)]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert len((await process.releases.history(release.id)).items) in (2, 3)
    shown = await process.releases.release(release.id)
    assert shown.stage == sum(not isinstance(each, Exception) for each in outcomes)


@pytest.mark.parametrize(
    ("evaluation", "named"),
    [
        (None, "no evaluation"),
        (EvaluationSummary(digest=GOOD.digest, figures={}), "level2_accuracy must be at least 0.5 and is missing"),
        (EvaluationSummary(digest=GOOD.digest, figures={"level2_accuracy": 0.4, "ece": 0.1}), "and is 0.4"),
    ],
)
async def test_nothing_below_the_gate_is_released(
    process: Process, evaluation: EvaluationSummary | None, named: str
) -> None:
    treatment = Treatment(version="v2", percent=50.0, evaluation=evaluation)
    for begun in (
        process.releases.start(canary(evaluation=evaluation), ANNA),
        process.releases.start(blue_green(evaluation=evaluation), ANNA),
        process.experiments.create(ab(treatments=(treatment,)), ANNA),
    ):
        error = await refused(begun)
        assert error.error_code is ErrorCode.RELEASE_GATE_FAILED
        assert named in error.message
    assert await process.records.mark() == 0
    await process.experiments.create(shadow(), ANNA)  # it answers nobody


async def test_every_figure_that_misses_its_bound_is_named() -> None:
    gate = AdmissionGate({"accuracy": 0.9, "f1": 0.5}, {"ece": 0.1})
    figures = {"accuracy": 0.8, "f1": 0.5, "ece": 0.2}
    with pytest.raises(ServiceError) as caught:
        gate.require("v2", EvaluationSummary(digest=GOOD.digest, figures=figures))
    assert "accuracy must be at least 0.9 and is 0.8" in caught.value.message
    assert "ece must be at most 0.1 and is 0.2" in caught.value.message
    assert "f1" not in caught.value.message


async def test_a_registered_evaluation_cannot_be_replaced_by_a_claimed_one() -> None:
    class Registry:
        async def of(self, kind: VariantKind, version: str) -> EvaluationSummary | None:
            return EvaluationSummary(digest=GOOD.digest, figures={"level2_accuracy": 0.4}) if version == "v2" else None

    admission = Admission({MODEL: AdmissionGate({"level2_accuracy": 0.5})}, Registry())
    for brought in (None, GOOD):
        assert (await refused(admission.require(MODEL, "v2", brought))).error_code is ErrorCode.RELEASE_GATE_FAILED
    assert await admission.require(MODEL, "v3", GOOD) == GOOD


class Suite:
    def __init__(self, *passes: bool) -> None:
        self.passes = list(passes)

    async def run(self, kind: VariantKind, version: str) -> ValidationReport:
        passed = self.passes.pop(0)
        return ValidationReport(passed=passed, cases=(ValidationCase(name="known labels", passed=passed),))


def answering(process: Process) -> str:
    variant = process.router.route(MODEL).assign("acme", "x").variant
    assert variant is not None
    return variant.version


async def test_a_blue_green_release_is_validated_switched_and_switched_back(clock: Clock) -> None:
    process = Process(MemoryReleases(), clock, Suite(False, True))
    release = await process.releases.start(blue_green(), ANNA)
    assert (await refused(process.releases.switch(release.id, NOTE, ANNA))).error_code is ErrorCode.RELEASE_STATE
    assert not (await process.releases.validate(release.id, ANNA)).report.passed
    assert (await refused(process.releases.switch(release.id, NOTE, ANNA))).error_code is ErrorCode.RELEASE_STATE
    assert (await process.releases.validate(release.id, ANNA)).release.state is ReleaseState.VALIDATED
    versions = []
    for step in (process.releases.switch, process.releases.switch_back, process.releases.switch):
        await step(release.id, NOTE, ANNA)
        await process.router.refresh()
        versions.append(answering(process))
    assert versions == ["v2", "v1", "v2"]
    await process.controller.round()
    await process.releases.complete(release.id, NOTE, ANNA)
    await process.router.refresh()
    assert answering(process) == "v2"
    next_one = await process.releases.start(canary(baseline="v2", candidate="v3"), ANNA)
    assert next_one.state is ReleaseState.RUNNING


async def test_a_switched_release_is_rolled_back_to_the_baseline_for_good(clock: Clock) -> None:
    process = Process(MemoryReleases(), clock, Suite(True))
    release = await process.releases.start(blue_green(), ANNA)
    await process.releases.validate(release.id, ANNA)
    await process.releases.switch(release.id, NOTE, ANNA)
    await process.releases.roll_back(release.id, NOTE, ANNA)
    await process.router.refresh()
    assert answering(process) == "v1"
    assert (await process.records.standing()).settled == {MODEL: "v1"}


async def test_without_a_suite_nothing_is_switched(process: Process) -> None:
    release = await process.releases.start(blue_green(), ANNA)
    assert "no validation suite" in (await process.releases.validate(release.id, ANNA)).report.cases[0].detail


async def test_steps_that_a_state_or_a_sort_does_not_permit_are_refused(process: Process) -> None:
    release = await process.releases.start(canary(), ANNA)
    for asked in (
        process.releases.resume(release.id, NOTE, ANNA),
        process.releases.validate(release.id, ANNA),
        process.releases.switch(release.id, NOTE, ANNA),
        process.releases.complete(release.id, NOTE, ANNA),
        process.releases.start(blue_green(), ANNA),
        process.experiments.create(ab(), ANNA),
    ):
        assert (await refused(asked)).error_code is ErrorCode.RELEASE_STATE
    for missing in (
        process.experiments.experiment(release.id),
        process.experiments.conclude(release.id, NOTE, ANNA),
        process.releases.release("rel_none"),
        process.releases.history("rel_none"),
        process.releases.series("rel_none"),
    ):
        assert (await refused(missing)).error_code is ErrorCode.NOT_FOUND
    await process.releases.roll_back(release.id, NOTE, ANNA)
    for step in (process.releases.hold, process.releases.roll_back, process.releases.resume):
        assert (await refused(step(release.id, NOTE, ANNA))).error_code is ErrorCode.RELEASE_STATE


async def test_an_experiment_is_concluded_with_what_was_known_then(process: Process) -> None:
    plan = ab(metrics=(Metric(name="abstained"), Metric(name="latency_ms", high=100.0)))
    experiment = await process.experiments.create(plan, ANNA)
    await observed(process, experiment.id, "baseline", 300, abstained=1)
    await observed(process, experiment.id, "treatment-1", 300)
    for _ in range(2):  # the second finds nothing new to draw
        await process.controller.round()
    ended = await process.experiments.conclude(experiment.id, NOTE, ANNA)
    assert ended.state is ReleaseState.CONCLUDED
    abstained = ended.effects[0]
    assert (abstained.state, abstained.effect.value) == (GateState.PASSING, -1.0)
    assert abstained.against is not None
    assert abstained.against > 1e6
    await observed(process, experiment.id, "treatment-1", 300, abstained=1)
    assert (await process.experiments.experiment(experiment.id)).effects == ended.effects
    assert len((await process.releases.series(experiment.id)).items) == 1
    assert [one.id for one in (await process.experiments.experiments()).items] == [experiment.id]
    assert (await process.releases.releases()).items == ()


async def test_one_leads_and_another_takes_over(clock: Clock) -> None:
    records = MemoryReleases()
    first, second = Process(records, clock), Process(records, clock)
    assert not await first.controller.round()  # nothing to look after
    await first.releases.start(canary(), ANNA)
    assert (await first.controller.round(), await second.controller.round()) == (True, False)
    clock.pass_by(30)
    assert (await second.controller.round(), await first.controller.round()) == (True, False)


async def test_what_is_counted_survives_a_store_that_fails(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    release = await process.releases.start(canary(), ANNA)
    keep = process.records.count

    async def broken(*_: object) -> None:
        raise ServiceError("away")

    for arm in ("candidate", "baseline"):
        process.observations.add(release.id, arm, Outcome(labels=1))
    monkeypatch.setattr(process.records, "count", broken)
    with pytest.raises(ServiceError):
        await process.observations.flush()
    process.observations.add(release.id, "candidate", Outcome(labels=1))
    monkeypatch.setattr(process.records, "count", keep)
    await process.observations.flush()
    await process.observations.flush()
    counted = await process.records.tallies(release.id)
    assert {arm: tally.requests for arm, tally in counted.items()} == {"candidate": 2, "baseline": 1}


async def test_counts_of_ended_releases_are_forgotten_once_they_are_written(process: Process) -> None:
    release = await process.releases.start(canary(), ANNA)
    await process.router.refresh()
    assignment = process.router.route(MODEL).answering
    assert assignment is not None
    process.router.record(assignment.baseline, Outcome(labels=1))
    await process.releases.roll_back(release.id, NOTE, ANNA)
    await process.router.refresh()
    process.router.record(assignment.baseline, Outcome(labels=1))  # comes too late to count
    await process.observations.flush()
    await process.observations.flush()
    assert (await process.records.tallies(release.id))["baseline"].requests == 1


async def test_what_was_counted_last_is_written_at_the_end(process: Process) -> None:
    release = await process.releases.start(canary(), ANNA)
    writing = asyncio.create_task(process.observations.run())
    await asyncio.sleep(0)
    process.observations.add(release.id, "candidate", Outcome(labels=1))
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert (await process.records.tallies(release.id))["candidate"].requests == 1


async def test_background_work_outlives_what_fails(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> int:
        raise RuntimeError("nobody foresaw it")

    monkeypatch.setattr(process.records, "mark", broken)
    tasks = [asyncio.create_task(each.run()) for each in (process.router, process.controller)]
    await asyncio.sleep(0.05)
    assert sorted(process.failures) == ["RuntimeError", "RuntimeError"]
    assert process.router.trouble is not None
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@given(st.lists(st.floats(0.01, 100.0), max_size=5))
def test_stages_that_do_not_rise_to_all_are_refused(stages: list[float]) -> None:
    rises = bool(stages) and stages == sorted(set(stages)) and stages[-1] == 100.0
    if rises:
        assert canary(stages=tuple(stages)).stages == tuple(stages)
    else:
        with pytest.raises(ValueError, match="stages"):
            canary(stages=tuple(stages))


@pytest.mark.parametrize(
    "changes",
    [
        {"treatments": (Treatment(version="v1", percent=10.0),)},
        {"treatments": (Treatment(version="v2", percent=60.0), Treatment(version="v3", percent=10.0))},
        {"metrics": (Metric(name="errors"), Metric(name="errors"))},
    ],
)
def test_arms_and_metrics_that_cannot_be_compared_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"version|percent|once"):
        ab(**changes)


@pytest.mark.parametrize("low_high", [(5.0, 5.0), (5.0, 1.0)])
def test_a_metric_without_a_range_is_refused(low_high: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="range"):
        Metric(name="latency_ms", low=low_high[0], high=low_high[1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        Metric(name="errors", high=2.0)


@pytest.mark.parametrize("plan", [canary(), blue_green(), ab(), shadow()], ids=lambda plan: plan.mode)
def test_a_plan_is_read_back_by_its_mode(plan: CanaryStart | BlueGreenStart | AbStart | ShadowStart) -> None:
    assert read_start(plan.model_dump_json()) == plan


def tally(requests: int, **every: int) -> Tally:
    counted = Tally()
    for number in range(requests):
        wrong = {name: number % nth == 0 for name, nth in every.items()}
        counted.add(
            Outcome(
                labels=1,
                failed=wrong.get("errors", False),
                invalid=int(wrong.get("invalid", False)),
                abstained=int(wrong.get("abstained", False)),
                compared=1,
                agreed=int(not wrong.get("differs", False)),
                latency_ms=100.0 if wrong.get("slow", False) else 5.0,
            )
        )
    return counted


@pytest.mark.parametrize(
    ("gate", "candidate"),
    [
        ("schema_validity_drop", {"invalid": 3}),
        ("abstention_rise", {"abstained": 3}),
        ("error_rise", {"errors": 3}),
        ("agreement_least", {"differs": 2}),
        ("latency_ratio", {"slow": 5}),
        ("latency_p95_ms", {"slow": 5}),
    ],
)
def test_each_gate_sees_its_own_regression_and_no_other(gate: str, candidate: dict[str, int]) -> None:
    plan = canary(gates=ReleaseGates(agreement_least=0.8, latency_p95_ms=20.0))
    good = canary_gates(plan, {"baseline": tally(3000), "candidate": tally(3000)})
    assert {each.state for each in good} == {GateState.PASSING}
    found = canary_gates(plan, {"baseline": tally(3000), "candidate": tally(1000, **candidate)})
    failing = {each.name for each in found if each.state is GateState.FAILING}
    slow = {"latency_ratio", "latency_p95_ms"}
    assert failing == (slow if gate in slow else {gate})


def test_without_gates_and_without_counts_nothing_is_judged() -> None:
    nothing = ReleaseGates(
        schema_validity_drop=None, abstention_rise=None, error_rise=None, agreement_least=None, latency_ratio=None
    )
    assert canary_gates(canary(gates=nothing), {"candidate": tally(100, errors=1)}) == ()
    everything = canary(gates=ReleaseGates(agreement_least=0.5, latency_p95_ms=1.0))
    assert {each.state for each in canary_gates(everything, {})} == {GateState.UNDECIDED}
    assert {each.state for each in experiment_effects(ab(), {})} == {GateState.UNDECIDED}


def test_an_effect_says_which_way_is_better() -> None:
    metrics = (Metric(name="schema_valid"), Metric(name="errors"))
    plan = shadow(metrics=metrics)
    worse = experiment_effects(plan, {"baseline": tally(500), "treatment-1": tally(500, invalid=2, errors=2)})
    assert [each.state for each in worse] == [GateState.FAILING] * 2
    better = experiment_effects(plan, {"treatment-1": tally(500), "baseline": tally(500, invalid=2, errors=2)})
    assert [each.state for each in better] == [GateState.PASSING] * 2
    assert all((each.evidence or 0.0) > 1e3 > (each.against or 0.0) for each in worse)


def test_a_mean_is_told_in_its_own_unit() -> None:
    metric = Metric(name="latency_ms", low=0.0, high=200.0)
    arms = {"baseline": Tally(), "treatment-1": Tally()}
    for _ in range(2000):
        arms["baseline"].add(Outcome(labels=1, latency_ms=20.0), (metric,))
        arms["treatment-1"].add(Outcome(labels=1, latency_ms=500.0), (metric,))
    effect = experiment_effects(ab(metrics=(metric,)), arms)[0]
    assert (effect.candidate, effect.baseline) == pytest.approx((200.0, 20.0))  # cut to the range
    assert effect.effect.value == pytest.approx(180.0)
    assert effect.effect.low is not None
    assert 150.0 < effect.effect.low < 180.0
    assert effect.state is GateState.FAILING
