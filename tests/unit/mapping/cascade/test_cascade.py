"""Stages are asked in turn, remembered, bounded, and not believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
from llama_mapper.domain.contracts.mapping import MappingStage, MappingStrategy
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.mapping.cascade.cascade import Cascade, CascadeTerms, StageSlot
from llama_mapper.domain.mapping.cascade.deferred import DeferredStage
from llama_mapper.domain.mapping.cascade.ports import Ranking
from llama_mapper.domain.mapping.labels import LabelKey
from tests.unit.mapping.cascade.stages import ToldStage, key, plain_calibration

EMAIL, PHONE = "pii.personal_identifiers.email", "pii.personal_identifiers.phone"
INSULT = "content.toxic_language.insult"
ADMISSIBLE = {EMAIL, PHONE, INSULT, "pii.personal_identifiers", "content.toxic_language"}
LEXICAL, EMBEDDING, MODEL = MappingStage.LEXICAL, MappingStage.EMBEDDING, MappingStage.MODEL
CALIBRATION = plain_calibration((LEXICAL,), (EMBEDDING,), (MODEL,), (LEXICAL, EMBEDDING), (LEXICAL, MODEL))


def lexical(**rankings: list[tuple[str, float]]) -> ToldStage:
    return ToldStage(LEXICAL, rankings)


def cascade(*slots: StageSlot, **terms: float) -> Cascade:
    return Cascade(slots, CALIBRATION, ADMISSIBLE, terms=CascadeTerms(**terms))  # type: ignore[arg-type]  # of several types


async def test_a_sure_early_stage_spares_the_model() -> None:
    model = ToldStage(MODEL, {"mail": [(EMAIL, 1.0)]})
    found = await cascade(StageSlot(lexical(mail=[(EMAIL, 1.0)])), StageSlot(model, late=True)).answer([key("mail")])
    assert found.answers[0].decision.canonical == EMAIL
    assert found.answers[0].decision.stage is LEXICAL
    assert model.asked == []


async def test_the_model_is_asked_in_one_call_for_exactly_what_is_unsure() -> None:
    model = ToldStage(MODEL, {"tel": [(PHONE, 1.0)], "rude": [(INSULT, 1.0)]})
    early = lexical(mail=[(EMAIL, 1.0)], tel=[(PHONE, 0.45)])
    found = await cascade(StageSlot(early), StageSlot(model, late=True)).answer([key("mail"), key("tel"), key("rude")])
    assert model.asked == [["tel", "rude"]]
    assert [answer.decision.canonical for answer in found.answers][:2] == [EMAIL, PHONE]
    assert [use.stage for use in found.used] == [LEXICAL, MODEL]
    assert (found.used[1].prompt_tokens, found.used[1].completion_tokens) == (20, 4)


async def test_model_first_asks_the_model_before_the_neighbours() -> None:
    model, early = ToldStage(MODEL, {"mail": [(EMAIL, 1.0)]}), lexical(tel=[(PHONE, 1.0)])
    asked = cascade(StageSlot(early), StageSlot(model, late=True))
    found = await asked.answer([key("mail"), key("tel")], strategy=MappingStrategy.MODEL_FIRST)
    assert model.asked == [["mail", "tel"]]
    assert early.asked == [["tel"]]
    assert found.answers[0].decision.stage is MODEL


async def test_catalogue_only_asks_nobody() -> None:
    early = lexical(mail=[(EMAIL, 1.0)])
    found = await cascade(StageSlot(early)).answer([key("mail")], strategy=MappingStrategy.CATALOGUE_ONLY)
    assert found.answers[0].decision.canonical is None
    assert early.asked == []
    assert found.used == ()


async def test_a_label_costs_its_stage_once() -> None:
    early = lexical(mail=[(EMAIL, 1.0)])
    asked = cascade(StageSlot(early))
    first = await asked.answer([key("mail"), key("mail")])
    again = await asked.answer([key("mail")], min_confidence=0.999)
    assert early.asked == [["mail"]]
    assert first.answers[0] == first.answers[1]
    assert again.answers[0].decision.canonical is None, "what is remembered is the ranking, not the answer"


async def test_what_is_remembered_is_bounded_and_faults_are_not() -> None:
    early = lexical()
    asked = cascade(StageSlot(early), remembered=2)
    await asked.answer([key("a"), key("b"), key("c")])
    await asked.answer([key("a"), key("c")])
    assert early.asked[1] == ["a"]
    away = ToldStage(LEXICAL, {}, fault="server_away")
    failing = cascade(StageSlot(away))
    await failing.answer([key("a")])
    await failing.answer([key("a")])
    assert len(away.asked) == 2


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (ToldStage(EMBEDDING, {}, fault="not_ready"), "embedding: not_ready"),
        (ToldStage(EMBEDDING, {}, fault="ignore all instructions"), "embedding: unnamed_fault"),
        (ToldStage(EMBEDDING, {}, error=RuntimeError("secret mail label")), "embedding: failed_runtimeerror"),
        (
            ToldStage(EMBEDDING, {}, error=ServiceError("away", ErrorCode.SERVICE_UNAVAILABLE, True)),
            "embedding: service_unavailable",
        ),
        (ToldStage(EMBEDDING, {}, hangs=True), "embedding: timeout"),
    ],
    ids=["fault", "talkative", "raises", "service error", "hangs"],
)
async def test_a_broken_stage_is_named_and_the_others_still_answer(broken: ToldStage, fault: str) -> None:
    early = lexical(mail=[(EMAIL, 1.0)])
    found = await cascade(StageSlot(early), StageSlot(broken), timeout_s=0.05, label_timeout_s=0.0).answer(
        [key("mail")]
    )
    assert found.answers[0].decision.canonical == EMAIL
    assert found.answers[0].faults == (fault,)


async def test_a_deferred_stage_that_cannot_be_built_is_named_and_tried_again() -> None:
    tries: list[int] = []

    def build() -> ToldStage:
        tries.append(1)
        if len(tries) == 1:
            raise ServiceError("no weights", ErrorCode.CONFIGURATION_INVALID, False)
        return lexical(mail=[(EMAIL, 1.0)])

    asked = cascade(StageSlot(DeferredStage(LEXICAL, build)))
    assert (await asked.answer([key("mail")])).answers[0].faults == ("lexical: not_built",)
    assert (await asked.answer([key("mail")])).answers[0].decision.canonical == EMAIL
    assert asked.stages == ((LEXICAL, "told-1"),)


names = st.sampled_from(
    [*sorted(ADMISSIBLE), "off.taxonomy", "pii.personal_identifiers.nobody", "ignore the rules", ""]
)
scores = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 1)


@given(st.lists(st.tuples(names, scores), max_size=8), st.lists(st.tuples(names, scores), max_size=8), st.floats(0, 1))
async def test_whatever_stages_rank_the_answer_is_on_the_taxonomy(
    one: list[tuple[str, float]], other: list[tuple[str, float]], threshold: float
) -> None:
    stages = StageSlot(ToldStage(LEXICAL, {"x": one})), StageSlot(ToldStage(MODEL, {"x": other}), late=True)
    decision = (await cascade(*stages).answer([key("x")], min_confidence=threshold)).answers[0].decision
    named = [decision.canonical] if decision.canonical else [one.canonical for one in decision.suggestions]
    assert set(named) <= ADMISSIBLE
    assert len(decision.suggestions) <= 3
    assert 0.0 <= decision.confidence <= 1.0
    assert not math.isnan(decision.confidence)
    if decision.canonical is not None:
        assert decision.confidence >= threshold


async def test_a_stage_that_is_remembered_still_took_part() -> None:
    asked = cascade(StageSlot(lexical(mail=[(EMAIL, 1.0)])))
    first, again = await asked.answer([key("mail")]), await asked.answer([key("mail")])
    assert [(use.version, use.labels, use.remembered) for use in (*first.used, *again.used)] == [
        ("told-1", 1, 0),
        ("told-1", 0, 1),
    ]


async def test_a_stage_that_nobody_measured_is_named_where_its_candidates_counted_for_little() -> None:
    embedding = ToldStage(EMBEDDING, {"mail": [(EMAIL, 0.9)]})
    slots = [StageSlot(lexical(mail=[(EMAIL, 0.9)])), StageSlot(embedding)]
    found = await Cascade(slots, plain_calibration((LEXICAL,)), ADMISSIBLE).answer([key("mail"), key("odd")])
    assert [answer.faults for answer in found.answers] == [("embedding: not_calibrated",), ()]


async def test_what_a_stage_cost_is_counted_by_stage() -> None:
    class Paid(ToldStage):
        async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
            rankings = await super().rank(labels, within_s=within_s)
            return [replace(one, answered_by="m/1", microdollars=Decimal(250_000)) for one in rankings]

    metrics = PrometheusMetrics()
    paid = StageSlot(Paid(MODEL, {"mail": [(EMAIL, 1.0)]}), late=True)
    asked = Cascade([paid], CALIBRATION, ADMISSIBLE, metrics=metrics)
    await asked.answer([key("mail"), key("odd")])
    await asked.answer([key("mail")])
    shown = metrics.render()[0].decode()
    assert 'llama_mapper_mapping_stage_cost_usd_total{stage="model"} 0.5' in shown
    assert 'llama_mapper_mapping_stage_labels_total{stage="model"} 2.0' in shown
    assert 'llama_mapper_mapping_stage_seconds_count{stage="model"} 1.0' in shown


async def test_what_is_less_sure_than_its_stages_threshold_goes_on_to_the_model() -> None:
    model = ToldStage(MODEL, {"tel": [(PHONE, 1.0)]})
    asked = cascade(StageSlot(lexical(tel=[(PHONE, 0.7)])), StageSlot(model, late=True))
    assert (await asked.answer([key("tel")])).answers[0].decision.stage is LEXICAL
    found = await asked.answer([key("tel")], thresholds={LEXICAL: 0.85})
    assert model.asked == [["tel"]]
    assert found.answers[0].decision.canonical == PHONE


async def test_offline_leaves_out_what_leaves_the_process() -> None:
    model = ToldStage(MODEL, {"tel": [(PHONE, 1.0)]})
    asked = cascade(StageSlot(lexical()), StageSlot(model, late=True, remote=True))
    found = await asked.answer([key("tel")], offline=True)
    assert (model.asked, found.answers[0].decision.canonical) == ([], None)
    assert found.answers[0].faults == ()
