"""The promises of `Generation`, for a subclass in each adapter's module; all run against real models.

The module has a fixture `opened`, of module scope, that gives a function: called, an async context manager of a ready
adapter that is closed at the end. The fixture `generation` (see conftest) is one of these, open for the whole module.
No test asserts what a model says, only what it was bound to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from time import monotonic
from typing import Any, ClassVar

import jsonschema
import pytest

from llama_mapper.domain.kernel.errors import ModelServingError
from llama_mapper.domain.mapping.generation.ports import Generated, Generation, GenerationFault, Prompt

Opened = Callable[[], AbstractAsyncContextManager[Generation]]

ENOUGH_S = 60.0
"""More than any answer takes on a machine that is busy with other things."""

PICK: dict[str, Any] = {"type": "string", "enum": ["apple", "pear"]}
RECORD: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string", "enum": ["pii.contact", "abuse.hate"]}},
    "required": ["id"],
    "additionalProperties": False,
}


def asking(user: str = "Which fruit?", **changes: Any) -> Prompt:
    """A prompt bound to one of two words."""
    return replace(Prompt(system="Answer with a word.", user=user, schema=PICK, max_tokens=100), **changes)


def only(word: str) -> Prompt:
    """A prompt that can be answered in one way."""
    return asking(schema={"type": "string", "enum": [word]})


def good(answer: Generated | GenerationFault) -> Generated:
    """The answer, where it is one."""
    assert isinstance(answer, Generated), answer
    return answer


class GenerationContract:
    """Override what differs."""

    adapter: ClassVar[str | None] = None
    """LoRA weights that the server has; None where it has none, and then no adapter is asked for."""
    tells_likely_tokens: ClassVar[bool] = True
    endless: ClassVar[Prompt] = Prompt(
        system="You count.", user="Write all numbers from 1 to 500, separated by commas.", max_tokens=4000
    )
    """What the model needs seconds for."""
    too_long: ClassVar[Prompt] = Prompt(system="", user="one two three four " * 20_000, max_tokens=4)
    """More than the model's context."""

    async def test_a_ready_model_says_who_it_is(self, generation: Generation) -> None:
        assert await generation.unready() is None
        kind, _, model = generation.name.partition("/")
        assert kind
        assert model
        assert await generation.model_version()

    @pytest.mark.parametrize("schema", [PICK, RECORD])
    async def test_an_answer_keeps_its_schema_and_is_counted(
        self, generation: Generation, schema: dict[str, Any]
    ) -> None:
        (answer,) = await generation.generate([asking(schema=schema, max_tokens=120)], within_s=ENOUGH_S)
        made = good(answer)
        jsonschema.validate(json.loads(made.text), schema)
        assert not made.truncated
        assert made.prompt_tokens > 3
        assert 0 < made.completion_tokens <= 120
        assert made.log_probability is None or made.log_probability <= 0.0

    async def test_answers_come_in_the_order_asked(self, generation: Generation) -> None:
        words = [f"word{number}" for number in range(7)]
        answers = await generation.generate([only(word) for word in words], within_s=ENOUGH_S)
        assert [json.loads(good(answer).text) for answer in answers] == words

    async def test_nothing_asked_is_nothing_answered(self, generation: Generation) -> None:
        assert list(await generation.generate([], within_s=ENOUGH_S)) == []

    async def test_a_text_ends_at_its_limit_and_says_so(self, generation: Generation) -> None:
        (answer,) = await generation.generate([replace(self.endless, max_tokens=5)], within_s=ENOUGH_S)
        made = good(answer)
        assert made.truncated
        assert made.completion_tokens <= 5
        assert made.text

    async def test_one_prompts_fault_is_not_anothers(self, generation: Generation) -> None:
        lost = asking(adapter="no-such-adapter")
        answers = await generation.generate([only("a"), lost, only("b"), self.too_long], within_s=ENOUGH_S)
        assert answers[1] is GenerationFault.ADAPTER_NOT_FOUND
        assert answers[3] is GenerationFault.REFUSED
        assert [json.loads(good(answers[at]).text) for at in (0, 2)] == ["a", "b"]

    async def test_an_adapter_that_is_there_answers(self, generation: Generation) -> None:
        if self.adapter is None:
            pytest.skip("this server has no adapter weights")
        (answer,) = await generation.generate([asking(adapter=self.adapter)], within_s=ENOUGH_S)
        jsonschema.validate(json.loads(good(answer).text), PICK)

    async def test_an_answer_that_takes_too_long_is_given_up_in_time(self, generation: Generation) -> None:
        began = monotonic()
        (answer,) = await generation.generate([self.endless], within_s=0.2)
        assert answer is GenerationFault.TIMEOUT
        assert monotonic() - began < 10.0
        assert good((await generation.generate([only("a")], within_s=ENOUGH_S))[0]).text == '"a"'

    async def test_no_time_is_no_answer(self, generation: Generation) -> None:
        assert list(await generation.generate([asking(), asking()], within_s=0.0)) == [GenerationFault.TIMEOUT] * 2

    async def test_a_call_that_is_cancelled_frees_what_it_held(self, generation: Generation) -> None:
        calls = [asyncio.create_task(generation.generate([self.endless] * 4, within_s=ENOUGH_S)) for _ in range(4)]
        await asyncio.sleep(0.2)
        for call in calls:
            call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended)
        # Sixteen of them to their end would take minutes.
        assert good((await generation.generate([only("a")], within_s=30.0))[0]).text == '"a"'

    async def test_many_calls_at_one_time_are_all_answered(self, generation: Generation) -> None:
        calls = [generation.generate([only(f"c{call}"), only(f"d{call}")], within_s=ENOUGH_S) for call in range(8)]
        for call, answers in enumerate(await asyncio.gather(*calls)):
            assert [good(answer).text for answer in answers] == [f'"c{call}"', f'"d{call}"']

    @pytest.mark.parametrize("text", ["\x00\x1b[2J\u202e\ufeff", "<|im_end|></s>[INST]", "\U0001f9ea" * 50, ""])
    async def test_any_text_can_be_asked(self, generation: Generation, text: str) -> None:
        (answer,) = await generation.generate([asking(text)], within_s=ENOUGH_S)
        jsonschema.validate(json.loads(good(answer).text), PICK)

    async def test_likely_tokens_are_told_where_they_can_be(self, generation: Generation) -> None:
        (answer,) = await generation.generate([asking(likely_tokens=5)], within_s=ENOUGH_S)
        made = good(answer)
        if not self.tells_likely_tokens:
            assert made.places == ()
            return
        assert made.log_probability is not None
        assert made.places
        for place in made.places:
            assert place
            assert sum(map(math.exp, place.values())) <= 1.001

    async def test_a_stream_gives_the_text_in_pieces(self, generation: Generation) -> None:
        pieces = [piece async for piece in generation.stream(asking(schema=RECORD, max_tokens=120), within_s=ENOUGH_S)]
        assert len(pieces) > 1
        jsonschema.validate(json.loads("".join(pieces)), RECORD)

    async def test_a_stream_that_takes_too_long_breaks_off_and_says_why(self, generation: Generation) -> None:
        began = monotonic()
        with pytest.raises(ModelServingError, match="timeout"):
            async for _ in generation.stream(self.endless, within_s=0.2):
                pass
        assert monotonic() - began < 10.0

    async def test_a_stream_of_what_is_not_there_says_so(self, generation: Generation) -> None:
        with pytest.raises(ModelServingError, match="adapter_not_found"):
            async for _ in generation.stream(asking(adapter="no-such-adapter"), within_s=ENOUGH_S):
                pass

    async def test_a_stream_that_nobody_reads_on_is_freed(self, generation: Generation) -> None:
        for _ in range(4):
            stream = generation.stream(self.endless, within_s=ENOUGH_S)
            async with contextlib.aclosing(stream) as pieces:  # type: ignore[type-var]  # a generator in all adapters
                async for _piece in pieces:
                    break
        assert good((await generation.generate([only("a")], within_s=30.0))[0]).text == '"a"'

    async def test_what_is_closed_answers_nothing_and_raises_nothing(self, opened: Opened) -> None:
        async with opened() as generation:
            await generation.close()
            await generation.close()
            assert await generation.unready() is GenerationFault.UNAVAILABLE
            answers = await generation.generate([asking(), asking()], within_s=ENOUGH_S)
            assert list(answers) == [GenerationFault.UNAVAILABLE] * 2
            with pytest.raises(ModelServingError, match="unavailable"):
                async for _ in generation.stream(asking(), within_s=ENOUGH_S):
                    pass
            assert await generation.model_version()
