"""Strategies are released like any other version."""

from __future__ import annotations

from typing import Any

import pytest

from llama_mapper.adapters.mapping.memory_releases import MemoryReleases
from llama_mapper.domain.contracts.mapping import MappingStage, MappingStrategy
from llama_mapper.domain.contracts.releases import Metric, Treatment, VariantKind
from llama_mapper.domain.mapping.cascade.cascade import Cascade, StageSlot
from llama_mapper.domain.mapping.labels import KnownLabel
from llama_mapper.domain.mapping.releases.routing import SERVED, Served
from llama_mapper.domain.mapping.releases.split_cascade import ReleasedStrategy, SplitCascade, strategy_of
from llama_mapper.domain.mapping.releases.suites import LabelSuite, StrategyStage
from tests.support.releases import ANNA, Clock, Process, canary, shadow
from tests.unit.mapping.cascade.stages import ToldStage, key, plain_calibration

EMAIL, PHONE = "pii.personal_identifiers.email", "pii.personal_identifiers.phone"
LEXICAL, MODEL = MappingStage.LEXICAL, MappingStage.MODEL
LABELS = [key(f"label{number}") for number in range(60)]
STRATEGY = VariantKind.STRATEGY


class Bench:
    """A cascade of words (sure of an e-mail address) and a model (sure of a telephone number)."""

    def __init__(self) -> None:
        self.words = ToldStage(LEXICAL, {each.label: [(EMAIL, 0.8)] for each in LABELS})
        self.model = ToldStage(MODEL, {each.label: [(PHONE, 1.0)] for each in LABELS})
        slots = (StageSlot(self.words), StageSlot(self.model, late=True))
        calibration = plain_calibration((LEXICAL,), (MODEL,), (LEXICAL, MODEL))
        self.cascade = Cascade(slots, calibration, {EMAIL, PHONE, "pii.personal_identifiers"})
        self.process = Process(MemoryReleases(), Clock())
        self.split = SplitCascade(self.cascade, self.process.router)
        self.id = ""

    async def begun(self, plan: Any) -> Bench:
        self.id = (await self.process.ledger.begin(plan, ANNA))[0].release_id
        await self.process.router.refresh()
        return self

    async def tallies(self) -> Any:
        await self.split.settle()
        await self.process.observations.flush()
        return await self.process.records.tallies(self.id)


@pytest.fixture(autouse=True)
def served() -> Any:
    token = SERVED.set(Served("acme", "request-1"))
    yield
    SERVED.reset(token)


def to_model_first(**changes: Any) -> Any:
    plan = {"kind": STRATEGY, "baseline": "cascade", "candidate": "model-first", "compare_percent": 0.0}
    return canary(**plan | {"stages": (50.0, 100.0)} | changes)


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("cascade", ReleasedStrategy(MappingStrategy.CASCADE)),
        ("model-first@0.75", ReleasedStrategy(MappingStrategy.MODEL_FIRST, 0.75)),
        ("catalogue-only@1", ReleasedStrategy(MappingStrategy.CATALOGUE_ONLY, 1.0)),
        ("guess", None),
        ("cascade@", None),
        ("cascade@1.5", None),
        ("cascade@nan", None),
        ("cascade@-1", None),
    ],
)
def test_a_version_names_a_strategy_and_perhaps_its_least_confidence(version: str, found: object) -> None:
    assert strategy_of(version) == found


async def test_without_a_release_it_answers_as_the_cascade() -> None:
    bench = Bench()
    assert (await bench.split.answer(LABELS)).answers == (await bench.cascade.answer(LABELS)).answers


async def test_a_canary_of_a_strategy_gets_its_part_of_the_labels() -> None:
    bench = await Bench().begun(to_model_first())
    found = await bench.split.answer(LABELS)
    asked = {label for call in bench.model.asked for label in call}
    assert 10 < len(asked) < 50
    by_model = {
        label.label for label, answer in zip(LABELS, found.answers, strict=True) if answer.decision.stage is MODEL
    }
    assert by_model == asked
    tallies = await bench.tallies()
    assert (tallies["candidate"].labels, tallies["baseline"].labels) == (len(asked), len(LABELS) - len(asked))
    assert {use.stage for use in found.used} == {LEXICAL, MODEL}


async def test_a_call_that_names_its_strategy_is_no_part_of_a_release() -> None:
    bench = await Bench().begun(to_model_first(stages=(100.0,)))
    await bench.split.answer(LABELS, strategy=MappingStrategy.CASCADE)
    assert bench.model.asked == []
    assert await bench.tallies() == {}


async def test_the_least_confidence_of_a_strategy_counts_unless_the_call_has_one() -> None:
    bench = await Bench().begun(to_model_first(candidate="cascade@0.999", stages=(100.0,)))
    strict = await bench.split.answer(LABELS[:1], ask_models=False)
    assert strict.answers[0].decision.canonical is None
    lenient = await bench.split.answer(LABELS[:1], min_confidence=0.5, ask_models=False)
    assert lenient.answers[0].decision.canonical == EMAIL


async def test_a_shadow_strategy_answers_nobody_and_tells_its_tokens() -> None:
    metric = Metric(name="tokens", high=10_000.0)
    plan = shadow(
        kind=STRATEGY,
        baseline="cascade",
        treatments=(Treatment(version="model-first", percent=100.0),),
        metrics=(metric,),
    )
    bench = await Bench().begun(plan)
    found = await bench.split.answer(LABELS)
    assert {answer.decision.stage for answer in found.answers} == {LEXICAL}
    tallies = await bench.tallies()
    treated = tallies["treatment-1"]
    assert (treated.labels, treated.compared, treated.agreed) == (len(LABELS), len(LABELS), 0)
    assert treated.means["tokens"][1] > tallies["baseline"].means["tokens"][1] == 0.0


async def test_a_strategy_in_force_that_is_none_is_told_and_the_installations_is_followed() -> None:
    bench = Bench()
    plan = to_model_first(candidate="guess", stages=(100.0,), automatic=False)
    await bench.begun(plan)
    found = await bench.split.answer(LABELS)
    assert {answer.decision.stage for answer in found.answers} == {LEXICAL}
    assert (await bench.tallies())["candidate"].errors == 1


async def test_a_suite_tries_a_strategy_as_a_whole() -> None:
    bench = Bench()
    known = [KnownLabel(each, EMAIL) for each in LABELS]

    def stage_of(variant: Any) -> StrategyStage | None:
        found = strategy_of(variant.version)
        return None if found is None else StrategyStage(bench.cascade, found)

    suite = LabelSuite(stage_of, lambda: known, least=1.0, within_s=30.0)
    assert (await suite.run(STRATEGY, "cascade")).passed
    assert not (await suite.run(STRATEGY, "catalogue-only")).passed
    assert not (await suite.run(STRATEGY, "guess")).passed
