"""A model on test is asked once for each question, and what it did not answer is never taken for an answer."""

from __future__ import annotations

import pytest

from llama_mapper.domain.kernel.errors import ModelServingError
from llama_mapper.domain.mapping.cascade.fitting import AskedToLearn
from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking
from llama_mapper.domain.mapping.generation.answers import MemoryAnswerJournal
from llama_mapper.domain.mapping.generation.label_stage import LabelModelStage
from llama_mapper.domain.mapping.generation.ports import GenerationFault
from llama_mapper.domain.mapping.generation.unhurried import UnhurriedModelStage
from llama_mapper.domain.mapping.labels import LabelKey
from tests.unit.mapping.generation.scripted import Script, ScriptedGeneration

MEANINGS = {"pii.contact": "Contact data", "abuse.hate": "Hate", "security.secret": "Key"}
LABELS = [LabelKey("acme", None, f"label {number}") for number in range(10)]
HINTS = [Ranking((Candidate("abuse.hate", 0.5), Candidate("security.secret", 0.4)))] * len(LABELS)


def on_test(
    script: Script | str | GenerationFault, journal: MemoryAnswerJournal, *, hinted: bool = True, form: str = "model"
) -> tuple[UnhurriedModelStage, ScriptedGeneration]:
    generation = ScriptedGeneration(script, f"scripted/{form}")
    stage = LabelModelStage(generation, MEANINGS, tuple(MEANINGS))
    return UnhurriedModelStage(stage, journal, hinted=hinted, at_once=4), generation


async def test_what_was_answered_before_a_fault_is_not_asked_again() -> None:
    journal = MemoryAnswerJournal()
    asked: list[int] = []

    def dies(_: object) -> str | GenerationFault:
        asked.append(1)
        return GenerationFault.UNAVAILABLE if len(asked) > 6 else '"A"'

    first, _ = on_test(dies, journal)
    with pytest.raises(ModelServingError, match="scripted/model: unavailable"):
        await first.rank_to_learn(LABELS, HINTS)
    again, generation = on_test('"A"', journal)
    rankings = await again.rank_to_learn(LABELS, HINTS)
    assert sum(map(len, generation.calls)) == 6, "the four of the first call are known"
    assert [one.candidates[0].canonical for one in rankings] == ["abuse.hate"] * 10
    assert {one.identity for one in rankings} == {again.version + "/hints"}


async def test_another_question_is_asked_anew() -> None:
    journal = MemoryAnswerJournal()
    await on_test('"A"', journal)[0].rank_to_learn(LABELS, HINTS)
    for stage, generation in (
        on_test('"A"', journal, hinted=False),
        on_test('"A"', journal, form="other"),
    ):
        await stage.rank_to_learn(LABELS, HINTS)
        assert sum(map(len, generation.calls)) == 10
    stage, generation = on_test('"A"', journal)
    await stage.rank_to_learn(LABELS, [Ranking((Candidate("pii.contact", 1.0),))] * 10)
    assert sum(map(len, generation.calls)) == 10


async def test_an_answer_off_the_choices_is_an_answer_of_this_model() -> None:
    journal = MemoryAnswerJournal()
    stage, _ = on_test('"Q"', journal)
    rankings = await stage.rank_to_learn(LABELS, HINTS)
    assert {one.fault for one in rankings} == {"scripted_invalid_answer"}
    silent, generation = on_test('"A"', journal)
    assert await silent.rank_to_learn(LABELS, HINTS) == rankings
    assert generation.calls == []


async def test_without_hints_every_category_is_offered() -> None:
    stage, generation = on_test('"A"', MemoryAnswerJournal(), hinted=False)
    assert isinstance(stage, AskedToLearn)
    (ranking,) = await stage.rank(LABELS[:1], within_s=1.0, hints=HINTS[:1])
    assert "pii.contact" in generation.calls[0][0].user
    assert ranking.identity.endswith("/all")


async def test_it_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    generation = ScriptedGeneration('"A"')
    stage = UnhurriedModelStage(
        LabelModelStage(generation, MEANINGS, tuple(MEANINGS)),
        MemoryAnswerJournal(),
        at_once=4,
        progress=lambda done, total, _: told.append((done, total)),
    )
    await stage.rank_to_learn(LABELS, HINTS)
    assert told == [(0, 10), (4, 10), (8, 10), (10, 10)]
