"""What can go wrong with a real tritonserver and its models, and which fault each is, within the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from time import monotonic

import pytest

from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress
from llama_mapper.adapters.mapping.generation.triton_generation import TritonGeneration, TritonModel
from llama_mapper.adapters.mapping.generation.triton_models import TritonModels
from llama_mapper.domain.kernel.errors import ErrorCode, ModelServingError
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault
from tests.contract.generation.contract import ENOUGH_S, asking, good
from tests.models.test_triton_generation import generating
from tests.support.servers import free_port
from tests.support.triton import TritonServer

ODD_MODELS = Path(__file__).with_name("odd_models")
IN_TIME_S = 15.0
"""Far less than the tests' time limits, and more than a busy machine needs to say no."""


@pytest.fixture(scope="module")
def odd(models_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """tritonserver with models that do what the text tells them; quick to start, for they have no torch."""
    folder = tmp_path_factory.mktemp("odd")
    with TritonServer(models_python, folder, "--models", "own", "--repository", ODD_MODELS) as server:
        yield server


@pytest.fixture
async def generation(odd: TritonServer) -> AsyncIterator[TritonGeneration]:
    async with generating(TritonModel(odd.address, "odd")) as ready:
        yield ready


async def asked(generation: TritonGeneration, text: str, within_s: float = ENOUGH_S) -> Generated | GenerationFault:
    return (await generation.generate([asking(text)], within_s=within_s))[0]


async def streamed(generation: TritonGeneration, text: str, within_s: float = ENOUGH_S) -> list[str]:
    return [piece async for piece in generation.stream(asking(text, schema=None), within_s=within_s)]


@pytest.mark.parametrize(
    ("behaviour", "fault"),
    [
        ("oom", GenerationFault.OVERLOADED),
        ("full", GenerationFault.OVERLOADED),
        ("failed", GenerationFault.UNAVAILABLE),
        ("long", GenerationFault.REFUSED),
        ("parameters", GenerationFault.REFUSED),
        ("not-utf8", GenerationFault.INVALID_ANSWER),
        ("two-texts", GenerationFault.INVALID_ANSWER),
        ("no-text", GenerationFault.INVALID_ANSWER),
        ("numbers", GenerationFault.INVALID_ANSWER),
        ("truncated-json", GenerationFault.INVALID_ANSWER),
        ("off-schema", GenerationFault.INVALID_ANSWER),
        ("cut", GenerationFault.INVALID_ANSWER),
        ("empty", GenerationFault.INVALID_ANSWER),
        ("silent", GenerationFault.INVALID_ANSWER),
    ],
)
async def test_what_a_model_does_has_one_fault_and_the_next_request_is_answered(
    generation: TritonGeneration, behaviour: str, fault: GenerationFault
) -> None:
    answers = await generation.generate([asking(behaviour), asking("good")], within_s=ENOUGH_S)
    assert answers[0] is fault
    assert good(answers[1]).text == '"pear"'


async def test_an_adapter_that_the_backend_does_not_know_is_not_found(generation: TritonGeneration) -> None:
    (answer,) = await generation.generate([asking("lora", adapter="x")], within_s=ENOUGH_S)
    assert answer is GenerationFault.ADAPTER_NOT_FOUND


@pytest.mark.parametrize(
    ("behaviour", "named"),
    [("oom", "overloaded"), ("failed", "unavailable"), ("not-utf8", "invalid_answer"), ("numbers", "invalid_answer")],
)
async def test_a_stream_that_breaks_names_the_fault_and_quotes_nothing(
    generation: TritonGeneration, behaviour: str, named: str
) -> None:
    with pytest.raises(ModelServingError) as caught:
        await streamed(generation, behaviour)
    assert caught.value.message == f"triton/odd: {named}"


async def test_a_stream_that_breaks_in_the_middle_has_given_what_came_before(generation: TritonGeneration) -> None:
    async with aclosing(generation.stream(asking("piece oom", schema=None), within_s=ENOUGH_S)) as stream:
        assert await anext(stream) == '"pe'
        with pytest.raises(ModelServingError, match="overloaded"):
            await anext(stream)


async def test_a_slow_model_is_given_up_in_time_and_the_server_hears_of_it(
    generation: TritonGeneration, odd: TritonServer
) -> None:
    began = monotonic()
    assert await asked(generation, "slow", within_s=0.3) is GenerationFault.TIMEOUT
    assert monotonic() - began < IN_TIME_S
    assert good(await asked(generation, "good")).text == '"pear"'


async def test_a_model_that_does_not_batch_is_asked_by_the_unary_call(odd: TritonServer) -> None:
    async with generating(TritonModel(odd.address, "plain")) as plain:
        answers = await plain.generate([asking("a", schema=None), asking("ab", schema=None)], within_s=ENOUGH_S)
        first, second = (int(good(each).text) for each in answers)
        assert second == first + 1
        assert await streamed(plain, "a") == [str(first)]
        assert await plain.generate([asking("a")], within_s=ENOUGH_S) == [GenerationFault.INVALID_ANSWER]


async def test_no_more_than_so_many_requests_are_under_way(odd: TritonServer) -> None:
    async with generating(TritonModel(odd.address, "odd", concurrency=2)) as few:
        slow = [asyncio.create_task(asked(few, "slow")) for _ in range(2)]
        await asyncio.sleep(0.2)
        assert await asked(few, "good", within_s=0.5) is GenerationFault.TIMEOUT
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert good(await asked(few, "good")).text == '"pear"'


async def test_what_is_under_way_when_it_is_closed_is_unavailable(odd: TritonServer) -> None:
    for model in ("odd", "plain"):
        closing = TritonGeneration(TritonModel(odd.address, model))
        good((await closing.generate([asking("good", schema=None)], within_s=ENOUGH_S))[0])
        whole = asyncio.create_task(asked(closing, "slow"))
        pieces = asyncio.create_task(streamed(closing, "piece slow"))
        await asyncio.sleep(0.3)
        began = monotonic()
        await closing.close()
        assert await whole is GenerationFault.UNAVAILABLE
        with pytest.raises(ModelServingError, match="unavailable"):
            await pieces
        assert monotonic() - began < IN_TIME_S


async def test_a_model_that_the_server_does_not_have_is_not_loaded(odd: TritonServer) -> None:
    async with generating(TritonModel(odd.address, "no-such-model")) as lost:
        assert await lost.unready() is GenerationFault.MODEL_NOT_LOADED
        assert await asked(lost, "good") is GenerationFault.MODEL_NOT_LOADED
        assert await lost.model_version() == "unknown"
        with pytest.raises(ModelServingError, match="model_not_loaded"):
            await streamed(lost, "good")


async def test_a_version_that_the_server_does_not_have_is_not_loaded(odd: TritonServer) -> None:
    async with generating(TritonModel(odd.address, "odd", version="7")) as lost:
        assert await asked(lost, "good") is GenerationFault.MODEL_NOT_LOADED


async def test_a_port_where_nobody_listens_is_unavailable() -> None:
    nobody = TritonAddress(f"127.0.0.1:{free_port()}")
    began = monotonic()
    async with generating(TritonModel(nobody, "odd")) as lost:
        assert await lost.unready() is GenerationFault.UNAVAILABLE
        assert await asked(lost, "good") is GenerationFault.UNAVAILABLE
        assert await lost.model_version() == "unknown"
    models = TritonModels(nobody)
    assert not await models.live()
    assert not await models.ready()
    with pytest.raises(ModelServingError) as caught:
        await models.index()
    assert caught.value.error_code is ErrorCode.SERVICE_UNAVAILABLE
    await models.close()
    assert monotonic() - began < IN_TIME_S


async def test_a_model_whose_process_died_is_unavailable_until_it_is_loaded_again(
    generation: TritonGeneration, odd: TritonServer
) -> None:
    """Triton itself starts no process of a decoupled model again, and goes on to call the model ready."""
    assert await asked(generation, "die") is GenerationFault.UNAVAILABLE
    assert await asked(generation, "good") is GenerationFault.UNAVAILABLE
    models = TritonModels(odd.address)
    await models.load("odd")
    await models.close()
    assert good(await asked(generation, "good")).text == '"pear"'


async def test_a_server_that_hangs_is_given_up_in_time(generation: TritonGeneration, odd: TritonServer) -> None:
    good(await asked(generation, "good"))
    odd.hang()
    try:
        began = monotonic()
        assert await asked(generation, "good", within_s=0.5) is GenerationFault.TIMEOUT
        assert await generation.unready() is GenerationFault.UNAVAILABLE
        assert monotonic() - began < IN_TIME_S
    finally:
        odd.wake()
    assert good(await asked(generation, "good")).text == '"pear"'


async def test_a_server_killed_in_mid_request_is_unavailable_and_found_again(
    generation: TritonGeneration, odd: TritonServer
) -> None:
    good(await asked(generation, "good"))
    whole = asyncio.create_task(asked(generation, "slow"))
    pieces = asyncio.create_task(streamed(generation, "piece slow"))
    await asyncio.sleep(0.3)
    began = monotonic()
    odd.kill()
    assert await whole is GenerationFault.UNAVAILABLE
    with pytest.raises(ModelServingError, match="unavailable"):
        await pieces
    assert monotonic() - began < IN_TIME_S
    assert await asked(generation, "good") is GenerationFault.UNAVAILABLE
    odd.start()
    until = monotonic() + 60
    while not isinstance(await asked(generation, "good"), Generated):
        assert monotonic() < until
        await asyncio.sleep(0.1)
    assert await generation.unready() is None
