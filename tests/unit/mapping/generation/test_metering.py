"""Counting and pricing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.kernel.money import FREE, TokenPrice, dollars
from llama_mapper.domain.mapping.generation.metering import MeteredGeneration, Use
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt
from tests.unit.mapping.generation.scripted import ScriptedGeneration

PRICE = TokenPrice(Decimal("0.0002"), Decimal("0.0006"))


async def test_a_call_is_counted_and_each_answer_priced() -> None:
    told: list[Use] = []
    script = ScriptedGeneration(lambda prompt: "x" if prompt.user == "good" else GenerationFault.OVERLOADED)
    metered = MeteredGeneration(script, price=PRICE, adapter="lora", on_use=told.append)
    prompts = [Prompt(system="", user=user) for user in ("good", "bad", "good")]
    answers = await metered.generate(prompts, within_s=9)
    assert answers[1] is GenerationFault.OVERLOADED
    first = answers[0]
    assert isinstance(first, Generated)
    assert (first.answered_by, first.microdollars) == ("scripted/model", Decimal("3.2"))
    (use,) = told
    assert dict(use.outcomes) == {"answered": 2, "overloaded": 1}
    assert (use.prompt_tokens, use.completion_tokens, use.microdollars) == (20, 4, Decimal("6.4"))
    assert [prompt.adapter for prompt in script.calls[0]] == ["lora"] * 3
    assert await metered.model_version() == "7+lora"


async def test_a_prompts_own_adapter_stays() -> None:
    script = ScriptedGeneration("x")
    metered = MeteredGeneration(script, adapter="lora")
    await metered.generate([Prompt(system="", user="", adapter="mine")], within_s=9)
    assert script.calls[0][0].adapter == "mine"
    assert [piece async for piece in metered.stream(Prompt(system="", user=""), within_s=9)] == ["x"]
    await metered.close()
    assert script.closed == 1
    assert await metered.unready() is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_cost_of_parts_is_the_cost_of_the_whole(one: int, other: int, written: int) -> None:
    parts = PRICE.microdollars(one, written) + PRICE.microdollars(other, 0)
    assert parts == PRICE.microdollars(one + other, written)


def test_money_is_exact_to_the_millionth() -> None:
    assert PRICE.microdollars(1000, 0) == 200
    assert dollars(PRICE.microdollars(1000, 1000)) == 0.0008
    assert FREE.microdollars(10**9, 10**9) == 0


@pytest.mark.parametrize("price", ["-0.1", "NaN", "Infinity"])
def test_a_price_below_zero_or_none_at_all_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="price"):
        TokenPrice(Decimal(price))
