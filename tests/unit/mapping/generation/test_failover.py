"""Several models as one."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from llama_mapper.domain.kernel.errors import ModelServingError
from llama_mapper.domain.mapping.generation.failover import FailingOver
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt
from tests.unit.mapping.generation.scripted import ScriptedGeneration

AWAY, LATE, WRONG = GenerationFault.UNAVAILABLE, GenerationFault.TIMEOUT, GenerationFault.INVALID_ANSWER


def asking(user: str) -> Prompt:
    return Prompt(system="", user=user)


def texts(answers: object) -> list[str]:
    assert isinstance(answers, list)
    return [each.text if isinstance(each, Generated) else f"!{each}" for each in answers]


async def test_the_first_answers_and_the_second_is_not_asked() -> None:
    first, second = ScriptedGeneration("1", "a/x"), ScriptedGeneration("2", "b/y")
    (answer,) = await FailingOver([first, second]).generate([asking("q")], within_s=9)
    assert isinstance(answer, Generated)
    assert (answer.text, answer.answered_by) == ("1", "a/x")
    assert second.calls == []


@pytest.mark.parametrize("fault", list(GenerationFault))
async def test_only_the_prompts_that_came_to_a_fault_go_on(fault: GenerationFault) -> None:
    first = ScriptedGeneration(lambda prompt: fault if prompt.user == "q1" else "1", "a/x")
    second = ScriptedGeneration("2", "b/y")
    answers = await FailingOver([first, second]).generate([asking(f"q{n}") for n in range(3)], within_s=9)
    assert texts(answers) == ["1", "2", "1"]
    assert [prompt.user for prompt in second.calls[0]] == ["q1"]


async def test_where_all_fail_the_firsts_fault_is_told() -> None:
    models = FailingOver([ScriptedGeneration(AWAY, "a/x"), ScriptedGeneration(WRONG, "b/y")])
    assert await models.generate([asking("q")], within_s=9) == [AWAY]


async def test_the_last_has_all_the_time_that_is_left() -> None:
    models = [ScriptedGeneration(AWAY, f"{n}/m") for n in range(3)]
    await FailingOver(models).generate([asking("q")], within_s=9.0)
    first, second, third = (model.within[0] for model in models)
    assert 5.5 < first <= 6.0
    assert 5.5 < second <= 6.0
    assert 8.5 < third <= 9.0


async def test_a_slow_one_leaves_time_for_the_next() -> None:
    slow, quick = ScriptedGeneration("1", "a/x", takes_s=60.0), ScriptedGeneration("2", "b/y")
    assert texts(await FailingOver([slow, quick]).generate([asking("q")], within_s=0.3)) == ["2"]


async def test_one_that_failed_in_a_row_is_passed_over_and_asked_again_later() -> None:
    now = [0.0]
    first, second = ScriptedGeneration(AWAY, "a/x"), ScriptedGeneration("2", "b/y")
    models = FailingOver([first, second], failures=3, rest_s=10.0, clock=lambda: now[0])
    for _ in range(5):
        assert texts(await models.generate([asking("q")], within_s=9)) == ["2"]
    assert len(first.calls) == 3
    now[0] = 10.1
    await models.generate([asking("q")], within_s=9)
    await models.generate([asking("q")], within_s=9)
    assert len(first.calls) == 4


async def test_an_answer_or_the_prompts_own_fault_forgives() -> None:
    said = [AWAY, AWAY, WRONG, AWAY, AWAY, "1", AWAY, AWAY]
    first = ScriptedGeneration(lambda _: said.pop(0), "a/x")
    models = FailingOver([first, ScriptedGeneration("2", "b/y")], failures=3)
    for _ in range(8):
        await models.generate([asking("q")], within_s=9)
    assert len(first.calls) == 8


async def test_where_all_rest_the_fault_is_told_at_once() -> None:
    only = ScriptedGeneration(LATE, "a/x")
    models = FailingOver([only], failures=1)
    for _ in range(3):
        assert await models.generate([asking("q")], within_s=9) == [LATE]
    assert len(only.calls) == 1


async def test_one_that_is_ready_is_enough() -> None:
    models = FailingOver([ScriptedGeneration(AWAY, "a/x"), ScriptedGeneration("2", "b/y")])
    assert await models.unready() is None
    assert await models.states() == {"a/x": AWAY, "b/y": None}
    assert await FailingOver([ScriptedGeneration(AWAY)]).unready() is AWAY
    assert models.name == "models/a:x,b:y"
    assert await models.model_version() == "7,7"


async def test_a_stream_begins_at_the_first_that_can() -> None:
    models = FailingOver([ScriptedGeneration(AWAY, "a/x"), ScriptedGeneration("two", "b/y")])
    assert [piece async for piece in models.stream(asking("q"), within_s=9)] == ["t", "w", "o"]


async def test_a_stream_that_broke_off_is_not_begun_anew() -> None:
    second = ScriptedGeneration("two", "b/y")
    models = FailingOver([ScriptedGeneration(Generated("one", 1, 1, truncated=True), "a/x"), second])
    async with aclosing(models.stream(asking("q"), within_s=9)) as pieces:
        assert await anext(pieces) == "o"
        with pytest.raises(ModelServingError, match="a/x: unavailable"):
            await anext(pieces)
    assert second.within == []


async def test_a_stream_that_nobody_can_begin_tells_the_firsts_fault() -> None:
    models = FailingOver([ScriptedGeneration(LATE, "a/x"), ScriptedGeneration(AWAY, "b/y")])
    with pytest.raises(ModelServingError, match="a/x: timeout"):
        async for _ in models.stream(asking("q"), within_s=9):
            pass


async def test_closing_closes_all() -> None:
    models = [ScriptedGeneration("1"), ScriptedGeneration("2")]
    await FailingOver(models).close()
    assert [model.closed for model in models] == [1, 1]


def test_no_models_is_an_error() -> None:
    with pytest.raises(ValueError, match="no model"):
        FailingOver([])
