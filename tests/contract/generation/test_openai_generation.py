"""The OpenAI adapter over a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jsonschema
import pytest

from llama_mapper.adapters.mapping.generation.openai_dialects import Dialect
from llama_mapper.adapters.mapping.generation.openai_generation import OpenAiGeneration, OpenAiServer
from llama_mapper.domain.mapping.generation.ports import Generation
from tests.contract.generation.contract import ENOUGH_S, RECORD, GenerationContract, Opened, asking, good, only
from tests.support.llama_server import LlamaServer


@pytest.fixture(scope="module")
def opened(llama: LlamaServer) -> Opened:
    """Over llama.cpp's server."""
    return lambda: opened_at(
        OpenAiServer(llama.url, "tiny", Dialect.LLAMA_CPP, key=llama.key, concurrency=4, adapters=("other",))
    )


class TestOpenAiGeneration(GenerationContract):
    adapter = "other"

    async def test_the_adapters_weights_are_those_that_answer(self, generation: Generation) -> None:
        free = asking(schema=None, max_tokens=12)
        plain, other, again = await generation.generate(
            [free, asking(schema=None, max_tokens=12, adapter="other"), free], within_s=ENOUGH_S
        )
        assert good(plain).text == good(again).text
        assert good(plain).text != good(other).text


async def test_openais_own_dialect_binds_an_answer_that_is_no_object(llama: LlamaServer) -> None:
    async with opened_at(OpenAiServer(llama.url, "tiny", key=llama.key)) as openai:
        answers = await openai.generate([only("é"), asking(schema=RECORD, max_tokens=120)], within_s=ENOUGH_S)
        assert good(answers[0]).text == '"é"'
        jsonschema.validate(json.loads(good(answers[1]).text), RECORD)
        assert [piece async for piece in openai.stream(only("b"), within_s=ENOUGH_S)] == ['"b"']


@asynccontextmanager
async def opened_at(server: OpenAiServer) -> AsyncIterator[Generation]:
    generation = OpenAiGeneration(server)
    try:
        yield generation
    finally:
        await generation.close()
