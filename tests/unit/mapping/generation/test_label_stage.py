"""The model stage: what is asked, what is believed, what a wrong answer comes to."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.money import TokenPrice
from llama_mapper.domain.mapping.cascade.ports import Candidate, HintedStage, Ranking
from llama_mapper.domain.mapping.generation.failover import FailingOver
from llama_mapper.domain.mapping.generation.label_prompt import AnswerForm
from llama_mapper.domain.mapping.generation.label_stage import LabelModelStage
from llama_mapper.domain.mapping.generation.metering import MeteredGeneration
from llama_mapper.domain.mapping.generation.ports import Generated, Generation, GenerationFault, Prompt
from llama_mapper.domain.mapping.labels import LabelKey
from tests.unit.mapping.generation.scripted import Answer, ScriptedGeneration

MEANINGS = {
    "pii.contact": "Contact data",
    "pii.contact.email": "E-mail",
    "abuse.hate": "Hate",
    "security.secret": "Key",
}
CATEGORIES = ("pii.contact", "abuse.hate", "security.secret")
EMAIL = LabelKey("acme", "1", "EMAIL")
SLUR = LabelKey("acme", "1", "SLUR")


def stage(generation: Generation, **changes: object) -> LabelModelStage:
    return LabelModelStage(generation, MEANINGS, CATEGORIES, boundary=lambda: "b0", **changes)  # type: ignore[arg-type]  # of several types


def hint(*ids: str) -> Ranking:
    return Ranking(tuple(Candidate(each, 1.0 / (at + 1)) for at, each in enumerate(ids)))


def label_of(prompt: Prompt) -> str:
    data = json.loads(prompt.user.partition("<<b0>>\n")[2].partition("\n")[0])
    return str(data["label"])


async def test_the_chosen_label_is_the_only_candidate_without_probabilities() -> None:
    made: HintedStage = stage(ScriptedGeneration('"B"'))
    (ranking,) = await made.rank([EMAIL], within_s=9)
    asked = made.version.removeprefix("scripted/model@7")
    identity = f"scripted/model@7{asked}/all"
    assert ranking == Ranking((Candidate("abuse.hate", 1.0),), None, 10, 2, "scripted/model", identity=identity)
    assert made.stage is MappingStage.MODEL


async def test_all_distinct_labels_go_in_one_call_and_come_back_in_order() -> None:
    generation = ScriptedGeneration(lambda prompt: '"A"' if label_of(prompt) == "EMAIL" else '"B"')
    rankings = await stage(generation).rank([EMAIL, SLUR, EMAIL], within_s=9)
    assert [each.candidates[0].canonical for each in rankings] == ["pii.contact", "abuse.hate", "pii.contact"]
    assert [len(call) for call in generation.calls] == [2]


async def test_hints_are_the_candidates_and_what_is_undefined_never_is() -> None:
    generation = ScriptedGeneration('"A"')
    hints = [hint("no.such", "pii.contact.email", "security.secret", "abuse.hate"), Ranking()]
    rankings = await stage(generation, candidates=2).rank([EMAIL, SLUR], within_s=9, hints=hints)
    assert [each.candidates[0].canonical for each in rankings] == ["pii.contact.email", "pii.contact"]
    first, second = generation.calls[0]
    assert first.schema == {"type": "string", "enum": ["A", "B", "C"]}
    assert "no.such" not in first.user
    assert second.schema == {"type": "string", "enum": ["A", "B", "C", "D"]}


async def test_a_shortlist_is_asked_where_no_hints_are_given() -> None:
    class Shortlist:
        stage = MappingStage.LEXICAL
        version = "lexical-1"

        async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
            return [hint("security.secret") for _ in labels]

    made = stage(ScriptedGeneration('"A"'), shortlist=Shortlist())
    (ranking,) = await made.rank([EMAIL], within_s=9)
    assert ranking.candidates[0].canonical == "security.secret"
    assert made.version.endswith("/lexical-1")


async def test_none_of_these_is_no_idea_and_no_fault() -> None:
    (ranking,) = await stage(ScriptedGeneration('"D"')).rank([EMAIL], within_s=9)
    assert (ranking.candidates, ranking.fault, ranking.prompt_tokens) == ((), None, 10)


async def test_shares_of_the_options_are_the_scores() -> None:
    place = {' "B': math.log(0.4), "A": math.log(0.2), "D": math.log(0.2), "the": math.log(0.1)}
    answer = Generated('"B"', 10, 3, places=({'"': -9.0, "A": -0.1}, place))
    (ranking,) = await stage(ScriptedGeneration(answer)).rank([EMAIL], within_s=9)
    assert [(each.canonical, round(each.score, 6)) for each in ranking.candidates] == [
        ("abuse.hate", 0.5),
        ("pii.contact", 0.25),
    ]


async def test_the_answer_comes_first_whatever_the_shares_say() -> None:
    place = {"B": math.log(0.1), "A": math.log(0.6)}
    (ranking,) = await stage(ScriptedGeneration(Generated('"B"', 1, 1, places=(place,)))).rank([EMAIL], within_s=9)
    assert ranking.candidates[0].canonical == "abuse.hate"
    assert ranking.candidates[0].score >= ranking.candidates[1].score


async def test_without_shares_the_probability_of_the_text_is_the_score() -> None:
    answer = Generated('{"id": "abuse.hate"}', 1, 1, log_probability=math.log(0.3))
    (ranking,) = await stage(ScriptedGeneration(answer), form=AnswerForm.ID).rank([EMAIL], within_s=9)
    assert ranking.candidates[0].canonical == "abuse.hate"
    assert math.isclose(ranking.candidates[0].score, 0.3)


@pytest.mark.parametrize("wrong", ['"Z"', "B", "", '{"id": 1}', GenerationFault.INVALID_ANSWER])
async def test_a_wrong_answer_is_counted_and_asked_once_more(wrong: Answer) -> None:
    generation = ScriptedGeneration(lambda prompt: '"B"' if prompt.seed or label_of(prompt) == "SLUR" else wrong)
    made = stage(generation)
    rankings = await made.rank([EMAIL, SLUR], within_s=9)
    assert [each.candidates[0].canonical for each in rankings] == ["abuse.hate", "abuse.hate"]
    assert [each.fault for each in rankings] == [None, None]
    assert [[label_of(prompt) for prompt in call] for call in generation.calls] == [["EMAIL", "SLUR"], ["EMAIL"]]
    assert rankings[0].prompt_tokens == (10 if wrong is GenerationFault.INVALID_ANSWER else 20)
    assert made.wrong_answers == 1


async def test_two_wrong_answers_are_a_fault_that_says_nothing_of_the_label() -> None:
    generation = ScriptedGeneration('"EMAIL"')
    made = stage(generation)
    (ranking,) = await made.rank([EMAIL], within_s=9)
    assert replace(ranking, identity="") == Ranking((), "scripted_invalid_answer", 20, 4, "scripted/model")
    assert len(generation.calls) == 2
    assert made.wrong_answers == 2


async def test_a_wrong_answer_is_not_asked_again_when_the_time_is_over() -> None:
    generation = ScriptedGeneration('"Z"', takes_s=0.05)
    (ranking,) = await stage(generation).rank([EMAIL], within_s=0.05)
    assert ranking.fault in ("scripted_invalid_answer", "scripted_timeout")
    assert len(generation.calls) == 1


@pytest.mark.parametrize("fault", sorted(set(GenerationFault) - {GenerationFault.INVALID_ANSWER}))
async def test_another_fault_is_told_and_not_asked_again(fault: GenerationFault) -> None:
    generation = ScriptedGeneration(lambda prompt: fault if label_of(prompt) == "EMAIL" else '"B"')
    first, second = await stage(generation).rank([EMAIL, SLUR], within_s=9)
    assert (first.candidates, first.fault) == ((), f"scripted_{fault}")
    assert second.fault is None
    assert len(generation.calls) == 1


async def test_nothing_asked_asks_nothing_of_the_model() -> None:
    generation = ScriptedGeneration('"A"')
    assert list(await stage(generation).rank([], within_s=9)) == []
    assert generation.calls == []


async def test_each_call_has_a_boundary_of_its_own() -> None:
    generation = ScriptedGeneration('"A"')
    made = LabelModelStage(generation, MEANINGS, CATEGORIES)
    for _ in range(2):
        await made.rank([EMAIL], within_s=9)
    users = [call[0].user for call in generation.calls]
    assert users[0] != users[1]


async def test_the_version_tells_model_adapter_and_wording() -> None:
    made = stage(ScriptedGeneration('"A"'), adapter="mapper-1.2.0")
    await made.rank([EMAIL], within_s=9)
    assert made.version.startswith("scripted/model@7+mapper-1.2.0/option8-")
    assert made.version != stage(ScriptedGeneration('"A"'), candidates=3).version


async def test_a_ranking_says_which_of_several_models_ranked_and_among_what() -> None:
    first = ScriptedGeneration(lambda prompt: GenerationFault.REFUSED if label_of(prompt) == "SLUR" else '"A"', "a/one")
    made = stage(FailingOver([first, ScriptedGeneration('"A"', "b/two")]), adapter="mapper-2")
    rankings = await made.rank([EMAIL, SLUR], within_s=9, hints=[hint("abuse.hate"), Ranking()])
    asked = made.version.removeprefix("models/a:one,b:two@7,7")
    assert asked.startswith("+mapper-2/option8-")
    assert [each.identity for each in rankings] == [f"a/one@7{asked}/hints", f"b/two@7{asked}/all"]


async def test_a_released_model_is_another_than_one_of_its_name_and_its_fallback_stays_itself() -> None:
    first = ScriptedGeneration(lambda prompt: GenerationFault.REFUSED if label_of(prompt) == "SLUR" else '"A"', "a/one")
    made = stage(FailingOver([first, ScriptedGeneration('"A"', "b/two")]), release="1.2.0")
    rankings = await made.rank([EMAIL, SLUR], within_s=9)
    assert [each.identity.partition("@")[0] for each in rankings] == ["1.2.0:a/one", "b/two"]


async def test_wrong_answers_are_counted_by_the_model_that_gave_them() -> None:
    metrics = PrometheusMetrics()
    wrong = MeteredGeneration(ScriptedGeneration('"Z"', "b/two"))
    away = ScriptedGeneration(GenerationFault.UNAVAILABLE, "a/one")
    made = stage(FailingOver([away, wrong]), on_wrong_answer=metrics.on_wrong_answer)
    await made.rank([EMAIL, SLUR], within_s=9)
    shown = metrics.render()[0].decode()
    assert 'llama_mapper_mapping_wrong_answers_total{model="b/two"} 4.0' in shown
    assert 'model="a/one"' not in shown


async def test_what_an_answer_cost_is_told_retries_included() -> None:
    generation = ScriptedGeneration(lambda prompt: '"B"' if prompt.seed else '"Z"')
    price = TokenPrice(Decimal("0.001"), Decimal("0.002"))
    (ranking,) = await stage(MeteredGeneration(generation, price=price)).rank([EMAIL], within_s=9)
    assert ranking.microdollars == 2 * (Decimal(10) + Decimal(4))


@given(label=st.text(max_size=300), text=st.text(max_size=60), hinted=st.lists(st.sampled_from([*MEANINGS, "x.y"])))
async def test_no_label_and_no_answer_leads_off_the_taxonomy(label: str, text: str, hinted: list[str]) -> None:
    made = stage(ScriptedGeneration(text))
    (ranking,) = await made.rank([LabelKey("v", None, label)], within_s=9, hints=[hint(*hinted)])
    assert {each.canonical for each in ranking.candidates} <= MEANINGS.keys()
    assert ranking.fault in (None, "scripted_invalid_answer")
