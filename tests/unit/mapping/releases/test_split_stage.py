"""Labels find the version that their release assigns, and what becomes of them is counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from llama_mapper.adapters.mapping.memory_releases import MemoryReleases
from llama_mapper.domain.contracts.releases import Metric, ReleaseNote, Start, TrafficUnit, Treatment, VariantKind
from llama_mapper.domain.kernel.tenancy import CURRENT_PRINCIPAL, Principal
from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.releases.routing import SERVED, Served
from llama_mapper.domain.mapping.releases.split_stage import INVALID, SplitStage
from llama_mapper.domain.mapping.releases.suites import LabelSuite
from llama_mapper.domain.mapping.releases.tally import Tally
from tests.support.releases import ANNA, GOOD, MODEL, Clock, Process, ScriptedStage, ab, canary, label, shadow
from tests.support.virtual_time import run_in_virtual_time

LABELS = [label(number) for number in range(400)]
HALF = {"stages": (50.0, 100.0), "compare_percent": 0.0}


class Bench:
    """A split stage over v1 and v2, with a release under way."""

    def __init__(self, v2: ScriptedStage | None = None, v1: ScriptedStage | None = None, **options: Any) -> None:
        self.v1, self.v2 = v1 or ScriptedStage("v1"), v2 or ScriptedStage("v2")
        self.stages: Mapping[str, ScriptedStage] = {"v1": self.v1, "v2": self.v2}
        self.process = Process(MemoryReleases(), Clock())
        self.split = SplitStage(
            MODEL, self.process.router, lambda variant: self.stages.get(variant.version), self.v1, **options
        )
        self.id = ""

    async def begun(self, plan: Start) -> Bench:
        self.id = (await self.process.ledger.begin(plan, ANNA))[0].release_id
        await self.process.router.refresh()
        return self

    async def tallies(self) -> Mapping[str, Tally]:
        await self.split.settle()
        await self.process.observations.flush()
        return await self.process.records.tallies(self.id)


@pytest.fixture(autouse=True)
def served() -> Any:
    token = SERVED.set(Served("acme", "request-1"))
    yield
    SERVED.reset(token)


def asked_of(stage: ScriptedStage) -> set[LabelKey]:
    return {each for call in stage.asked for each in call}


async def test_without_a_release_the_usual_version_is_asked_as_it_is() -> None:
    bench = Bench()
    assert len(await bench.split.rank(LABELS, within_s=1.0)) == len(LABELS)
    assert (bench.v1.asked, bench.v2.asked) == ([tuple(LABELS)], [])
    assert (bench.split.stage, bench.split.version) == (bench.v1.stage, "v1")


async def test_a_canary_gets_its_part_of_the_labels_and_answers_stay_in_order() -> None:
    bench = await Bench(
        ScriptedStage("v2", lambda key: f"new.{key.label}"), ScriptedStage("v1", lambda key: f"old.{key.label}")
    ).begun(canary(**HALF))
    rankings = await bench.split.rank(LABELS, within_s=1.0)
    told = [ranking.candidates[0].canonical for ranking in rankings]
    assert [each.split(".")[1] for each in told] == [each.label for each in LABELS]
    parts = Counter(each.split(".")[0] for each in told)
    assert 150 < parts["new"] < 250
    assert bench.split.version == "v1|v2"
    found = await bench.tallies()
    assert found["candidate"].labels == parts["new"]
    assert found["baseline"].labels == parts["old"]
    assert [found[arm].requests for arm in ("baseline", "candidate")] == [1, 1]
    assert sum(found["candidate"].latency.values()) == 1


async def test_a_label_gets_one_version_for_as_long_as_the_release_stands() -> None:
    bench = await Bench().begun(canary(**HALF))
    await bench.split.rank(LABELS, within_s=1.0)
    first = asked_of(bench.v2)
    for each in LABELS:
        await bench.split.rank([each], within_s=1.0)
    assert asked_of(bench.v2) == first
    assert not asked_of(bench.v1) & first


async def test_by_request_all_labels_of_a_request_get_one_version() -> None:
    bench = await Bench().begun(canary(unit=TrafficUnit.REQUEST, **HALF))
    for number in range(40):
        SERVED.set(Served("acme", f"request-{number}"))
        await bench.split.rank(LABELS[:5], within_s=1.0)
    assert {len(call) for call in (*bench.v1.asked, *bench.v2.asked)} == {5}
    assert 5 < len(bench.v2.asked) < 35


@pytest.mark.parametrize("changes", [{"tenants": ("globex",)}, {"excluded_tenants": ("acme",)}])
async def test_a_tenant_that_takes_no_part_gets_the_baseline_and_is_not_counted(changes: dict[str, Any]) -> None:
    bench = await Bench().begun(canary(stages=(100.0,), **changes))
    await bench.split.rank(LABELS, within_s=1.0)
    assert bench.v2.asked == []
    assert await bench.tallies() == {}
    SERVED.set(Served("globex"))
    await bench.split.rank(LABELS, within_s=1.0)
    assert len(asked_of(bench.v2)) == len(LABELS)


async def test_where_nobody_said_whom_it_serves_it_is_the_caller() -> None:
    bench = await Bench().begun(canary(stages=(100.0,), tenants=("globex",)))
    SERVED.set(None)
    await bench.split.rank(LABELS, within_s=1.0)
    assert bench.v2.asked == []
    token = CURRENT_PRINCIPAL.set(Principal("k", "globex", frozenset()))
    await bench.split.rank(LABELS, within_s=1.0)
    CURRENT_PRINCIPAL.reset(token)
    assert len(asked_of(bench.v2)) == len(LABELS)


async def test_a_candidate_that_fails_costs_no_label_its_answer_and_is_counted() -> None:
    for broken in (ScriptedStage("v2", error=RuntimeError("boom")), None):
        bench = Bench(broken)
        if broken is None:
            bench.stages = {"v1": bench.v1}
        await bench.begun(canary(stages=(100.0,), compare_percent=0.0))
        rankings = await bench.split.rank(LABELS, within_s=1.0)
        assert all(ranking.candidates for ranking in rankings)
        counted = (await bench.tallies())["candidate"]
        assert (counted.requests, counted.errors, counted.latency) == (1, 1, {})


async def test_faults_are_told_apart_from_answers_off_the_schema() -> None:
    away = await Bench(ScriptedStage("v2", fault="triton_unavailable")).begun(canary(stages=(100.0,)))
    rankings = await away.split.rank(LABELS, within_s=1.0)
    assert all(ranking.candidates for ranking in rankings), "the baseline answers what the candidate fails on"
    assert not any(ranking.lasting for ranking in rankings)
    counted = (await away.tallies())["candidate"]
    assert (counted.errors, counted.invalid, counted.abstained) == (1, 0, len(LABELS))
    wrong = await Bench(ScriptedStage("v2", fault=INVALID)).begun(canary(stages=(100.0,)))
    await wrong.split.rank(LABELS, within_s=1.0)
    counted = (await wrong.tallies())["candidate"]
    assert (counted.errors, counted.invalid) == (0, len(LABELS))


async def test_a_version_in_force_that_does_not_run_here_is_told() -> None:
    bench = Bench()
    await bench.split.rank(LABELS, within_s=1.0)
    assert bench.split.trouble() is None
    bench.stages = {}
    rankings = await bench.split.rank(LABELS, within_s=1.0)
    assert all(ranking.candidates for ranking in rankings)
    assert bench.split.trouble() == "the model v1 is in force and does not run here"


async def test_an_answer_is_what_the_caller_says_it_is() -> None:
    bench = await Bench(answer=lambda ranking: None).begun(canary(stages=(100.0,)))
    await bench.split.rank(LABELS, within_s=1.0)
    assert (await bench.tallies())["candidate"].abstained == len(LABELS)


async def test_a_part_of_the_candidates_labels_is_compared_with_the_baseline() -> None:
    differs = {each for each in LABELS if each.label.endswith("7")}
    bench = await Bench(ScriptedStage("v2", lambda key: "pii.other" if key in differs else "pii.contact")).begun(
        canary(stages=(100.0,), compare_percent=50.0)
    )
    await bench.split.rank(LABELS, within_s=1.0)
    counted = (await bench.tallies())["candidate"]
    assert 150 < counted.compared < 250
    assert counted.compared == len(asked_of(bench.v1))
    assert counted.agreed == len(asked_of(bench.v1) - differs)
    assert (counted.requests, counted.labels) == (1, len(LABELS))


async def test_shadows_answer_nobody_and_are_counted() -> None:
    metric = Metric(name="tokens", high=10_000.0)
    bench = await Bench(ScriptedStage("v2", lambda key: None)).begun(shadow(metrics=(metric,)))
    rankings = await bench.split.rank(LABELS, within_s=1.0)
    assert {ranking.candidates[0].canonical for ranking in rankings} == {"pii.contact"}
    found = await bench.tallies()
    assert (found["baseline"].labels, found["baseline"].abstained) == (len(LABELS), 0)
    treated = found["treatment-1"]
    assert (treated.labels, treated.abstained, treated.compared, treated.agreed) == (400, 400, 400, 0)
    assert treated.means["tokens"][0] == 1
    assert treated.means["tokens"][1] == pytest.approx(0.48)


async def test_a_shadow_runs_beside_a_canary() -> None:
    bench = await Bench().begun(canary(**HALF))
    canary_id = bench.id
    third = ScriptedStage("v3")
    bench.stages = {**bench.stages, "v3": third}
    await bench.begun(shadow(treatments=(Treatment(version="v3", percent=100.0),)))
    await bench.split.rank(LABELS, within_s=1.0)
    assert (await bench.tallies())["treatment-1"].labels == len(LABELS)
    assert set(await bench.process.records.tallies(canary_id)) == {"baseline", "candidate"}


async def test_treatments_of_an_experiment_get_their_parts() -> None:
    plan = ab(treatments=tuple(Treatment(version=v, percent=25.0, evaluation=GOOD) for v in ("v2", "v3")))
    bench = Bench()
    bench.stages = {**bench.stages, "v3": ScriptedStage("v3")}
    await bench.begun(plan)
    await bench.split.rank(LABELS, within_s=1.0)
    labels = {arm: tally.labels for arm, tally in (await bench.tallies()).items()}
    assert 140 < labels["baseline"] < 260
    assert all(60 < labels[arm] < 140 for arm in ("treatment-1", "treatment-2"))


def test_background_work_delays_nobody_and_is_bounded() -> None:
    async def story(clock: Callable[[], float]) -> None:
        SERVED.set(Served("acme"))
        bench = await Bench(ScriptedStage("v2", delay_s=30.0), beside=3).begun(shadow())
        for _ in range(5):
            await bench.split.rank(LABELS[:2], within_s=60.0)
        assert clock() == 0.0
        assert bench.split.left_out == 2
        await bench.split.settle()
        assert (await bench.tallies())["treatment-1"].requests == 3
        await bench.split.rank(LABELS[:2], within_s=60.0)
        await bench.split.close()
        assert clock() == 30.0

    run_in_virtual_time(story)


def test_arms_are_asked_side_by_side() -> None:
    async def story(clock: Callable[[], float]) -> None:
        SERVED.set(Served("acme"))
        bench = await Bench(ScriptedStage("v2", delay_s=1.0), ScriptedStage("v1", delay_s=1.0)).begun(canary(**HALF))
        await bench.split.rank(LABELS, within_s=60.0)
        assert clock() == 1.0

    run_in_virtual_time(story)


async def test_nothing_of_a_label_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    bench = await Bench().begun(canary(**HALF))
    marked = [LabelKey("vendor", None, f"MARKED_{number}") for number in range(50)]
    await bench.split.rank(marked, within_s=1.0)
    kept = [tally.plain() for tally in (await bench.tallies()).values()]
    assert kept
    assert "MARKED" not in str(kept)


class Hinted(ScriptedStage):
    """A stage that takes hints, and remembers them."""

    takes_hints = True

    async def rank(
        self, labels: Sequence[LabelKey], *, within_s: float, hints: Sequence[Ranking] = ()
    ) -> Sequence[Ranking]:
        """See `HintedStage.rank`."""
        self.hints = list(hints)
        return await super().rank(labels, within_s=within_s)


async def test_hints_reach_the_version_that_takes_them_in_the_labels_order() -> None:
    bench = await Bench(Hinted("v2")).begun(canary(**HALF))
    hints = [Ranking((Candidate(f"pii.n{number}", 1.0),)) for number in range(len(LABELS))]
    await bench.split.rank(LABELS, within_s=1.0, hints=hints)
    assert isinstance(bench.v2, Hinted)
    assert bench.v2.hints == [hints[LABELS.index(key)] for key in bench.v2.asked[0]]


async def test_each_label_is_said_to_be_answered_by_the_version_that_is_asked() -> None:
    bench = await Bench().begun(canary(**HALF))
    versions = bench.split.versions(LABELS)
    await bench.split.rank(LABELS, within_s=1.0)
    assert {key for key, version in zip(LABELS, versions, strict=True) if version == "v2"} == asked_of(bench.v2)
    SERVED.set(Served("globex"))
    assert bench.split.versions(LABELS) != versions


async def test_remembered_answers_count_as_answers_without_a_latency() -> None:
    bench = await Bench().begun(canary(**HALF))
    rankings = await bench.split.rank(LABELS, within_s=1.0)
    bench.split.recall(LABELS, rankings)
    counted = (await bench.tallies())["candidate"]
    assert (counted.requests, counted.labels) == (2, 2 * len(asked_of(bench.v2)))
    assert sum(counted.latency.values()) == 1


async def test_what_is_remembered_is_asked_anew_when_something_is_to_be_learnt() -> None:
    bench = Bench()
    before = bench.split.epoch
    await bench.begun(shadow())
    during = bench.split.epoch
    await bench.process.experiments.conclude(bench.id, ReleaseNote(), ANNA)
    await bench.process.router.refresh()
    assert before == bench.split.epoch != during


async def test_splits_can_be_nested() -> None:
    outer = Bench()
    inner = SplitStage(VariantKind.PROMPT, outer.process.router, lambda _: None, outer.v2)
    outer.stages = {"v1": outer.v1, "v2": inner}  # type: ignore[dict-item]  # a stage as good as another
    await outer.begun(canary(stages=(100.0,)))
    assert outer.split.versions(LABELS[:1]) == ["v2"]
    outer.split.recall(LABELS[:1], await outer.split.rank(LABELS[:1], within_s=1.0))
    assert (await outer.tallies())["candidate"].requests == 2


KNOWN = [KnownLabel(label(number), "pii.contact") for number in range(10)]


@pytest.mark.parametrize(
    ("stage", "passed"),
    [
        (ScriptedStage("v2"), True),
        (ScriptedStage("v2", lambda key: None if key.label == "LABEL_1" else "pii.contact"), True),
        (ScriptedStage("v2", lambda key: "pii.other"), False),
        (ScriptedStage("v2", error=RuntimeError("boom")), False),
        (None, False),
    ],
)
async def test_a_suite_passes_a_version_that_knows_enough_labels(stage: ScriptedStage | None, passed: bool) -> None:
    suite = LabelSuite(lambda _: stage, lambda: KNOWN, least=0.9, within_s=1.0)
    report = await suite.run(MODEL, "v2")
    assert report.passed is passed
    assert report.cases


async def test_a_suite_without_cases_passes_nothing() -> None:
    assert not (await LabelSuite(lambda _: ScriptedStage("v2"), list, least=0.0, within_s=1.0).run(MODEL, "v2")).passed


async def test_a_look_up_takes_microseconds() -> None:
    """Only the order of magnitude: a hundred times what it takes here is still less than a millisecond."""
    bench = await Bench().begun(canary(**HALF))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(1000):
        bench.process.router.route(MODEL).assign("acme", f"LABEL_{number}")
    assert (loop.time() - began) / 1000 < 1e-3
