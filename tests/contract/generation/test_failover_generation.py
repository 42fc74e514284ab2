"""Several models as one keep the contract too, over a real one and one that is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llama_mapper.adapters.mapping.generation.openai_dialects import Dialect
from llama_mapper.adapters.mapping.generation.openai_generation import OpenAiGeneration, OpenAiServer
from llama_mapper.domain.mapping.generation.failover import FailingOver
from llama_mapper.domain.mapping.generation.metering import MeteredGeneration
from llama_mapper.domain.mapping.generation.ports import Generation
from tests.contract.generation.contract import ENOUGH_S, GenerationContract, Opened, asking, good, only
from tests.support.llama_server import LlamaServer
from tests.support.servers import free_port


def there(llama: LlamaServer) -> Generation:
    server = OpenAiServer(llama.url, "tiny", Dialect.LLAMA_CPP, key=llama.key, concurrency=4, adapters=("other",))
    return MeteredGeneration(OpenAiGeneration(server))


def away() -> Generation:
    return OpenAiGeneration(OpenAiServer(f"http://127.0.0.1:{free_port()}", "m", Dialect.VLLM))


@asynccontextmanager
async def together(*generations: Generation) -> AsyncIterator[FailingOver]:
    models = FailingOver(generations)
    try:
        yield models
    finally:
        await models.close()


@pytest.fixture(scope="module")
def opened(llama: LlamaServer) -> Opened:
    """The real one first."""
    return lambda: together(there(llama), away())


class TestFailingOver(GenerationContract):
    adapter = "other"


async def test_a_server_that_is_away_is_passed_over_and_the_next_answers(llama: LlamaServer) -> None:
    async with together(away(), there(llama)) as models:
        for _ in range(5):
            (answer,) = await models.generate([only("a")], within_s=ENOUGH_S)
            assert good(answer).answered_by == "llama_cpp/tiny"
        assert await models.unready() is None
        assert "".join([piece async for piece in models.stream(asking(), within_s=ENOUGH_S)])
