"""Models on the real tritonserver: the contract of generation, and what Triton has beyond it."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from llama_mapper.adapters.mapping.generation.triton_generation import TritonGeneration, TritonModel
from llama_mapper.adapters.mapping.generation.triton_models import TritonModels
from llama_mapper.domain.kernel.errors import ErrorCode, ModelServingError
from llama_mapper.domain.mapping.generation.ports import Generation, GenerationFault, Prompt
from tests.contract.generation.contract import ENOUGH_S, PICK, GenerationContract, Opened, asking, good, only
from tests.support.triton import TritonServer

MANY_WORDS = {"type": "array", "items": {"type": "string", "enum": ["one", "two"]}, "minItems": 600}


@asynccontextmanager
async def generating(model: TritonModel) -> AsyncIterator[TritonGeneration]:
    generation = TritonGeneration(model)
    try:
        yield generation
    finally:
        await generation.close()


@pytest.fixture(scope="module")
def opened(triton: TritonServer) -> Opened:
    """The model that maps labels, tiny."""
    return lambda: generating(TritonModel(triton.address, "llama3_mapper"))


@pytest.fixture(scope="module")
async def generation(opened: Opened) -> AsyncIterator[Generation]:
    async with opened() as ready:
        yield ready


@pytest.fixture
async def models(triton: TritonServer) -> AsyncIterator[TritonModels]:
    served = TritonModels(triton.address, load_limit_s=120)
    yield served
    await served.close()


class TestTritonGeneration(GenerationContract):
    """On the Python backend, with an untrained Llama."""

    adapter: ClassVar[str | None] = "louder"
    # An untrained model would end its text at once; this schema does not let it.
    endless: ClassVar[Prompt] = Prompt(system="", user="Count.", schema=MANY_WORDS, max_tokens=3500)

    async def test_a_text_ends_at_its_limit_and_says_so(self, generation: Generation) -> None:
        """A schema that is not kept is no answer, so the text is a free one."""
        (answer,) = await generation.generate([replace(self.endless, schema=None, max_tokens=2)], within_s=ENOUGH_S)
        made = good(answer)
        assert made.truncated
        assert made.completion_tokens == 2


async def test_the_analyst_answers_by_its_own_template(triton: TritonServer) -> None:
    async with generating(TritonModel(triton.address, "phi3_analyst")) as analyst:
        (answer,) = await analyst.generate([asking()], within_s=ENOUGH_S)
    # One byte is one token, the marks of Phi-3 are one each: 3 marks and 2 ends, each with a line break.
    assert good(answer).prompt_tokens == len("Answer with a word.") + len("Which fruit?") + 5 * 2
    assert json.loads(good(answer).text) in PICK["enum"]


async def test_a_server_counts_the_tokens_of_llamas_template(generation: Generation) -> None:
    (answer,) = await generation.generate([asking()], within_s=ENOUGH_S)
    # Begin of text; three headers of 2 marks, the role and two line breaks; two ends of turn.
    header = 3 * (2 + 2) + len("systemuserassistant")
    assert good(answer).prompt_tokens == 1 + header + 2 + len("Answer with a word.Which fruit?")


async def test_marks_of_the_template_in_a_prompt_are_text(generation: Generation) -> None:
    plain, marked = await generation.generate([asking("x"), asking("<|eot_id|>")], within_s=ENOUGH_S)
    assert good(marked).prompt_tokens == good(plain).prompt_tokens + len("< |eot_id|>") - 1


async def test_an_adapter_changes_what_is_said_and_only_for_who_asks_for_it(generation: Generation) -> None:
    free = Prompt(system="", user="Say something.", max_tokens=12)
    before, adapted, after = [
        good((await generation.generate([prompt], within_s=ENOUGH_S))[0])
        for prompt in (free, replace(free, adapter="louder"), free)
    ]
    assert before == after
    assert adapted.log_probability != before.log_probability


async def test_adapters_and_base_asked_at_one_time_are_not_mixed(generation: Generation) -> None:
    free = Prompt(system="", user="Say something.", max_tokens=8)
    prompts = [free, replace(free, adapter="louder")]
    alone = [good((await generation.generate([prompt], within_s=ENOUGH_S))[0]) for prompt in prompts]
    together = [good(each) for each in await generation.generate(prompts * 6, within_s=ENOUGH_S)]
    for at, each in enumerate(together):
        assert each.text == alone[at % 2].text
        assert each.log_probability == pytest.approx(alone[at % 2].log_probability, rel=1e-3)


async def test_prompts_of_unlike_length_are_answered_together_as_alone(generation: Generation) -> None:
    prompts = [asking("word " * length, likely_tokens=3) for length in (1, 40, 7, 90)]
    alone = [good((await generation.generate([prompt], within_s=ENOUGH_S))[0]) for prompt in prompts]
    for one, each in zip(alone, await generation.generate(prompts, within_s=ENOUGH_S), strict=True):
        assert good(each).log_probability == pytest.approx(one.log_probability, rel=1e-3)
        assert good(each).prompt_tokens == one.prompt_tokens


async def test_a_seed_gives_the_same_text_again_and_another_another(generation: Generation) -> None:
    warm = Prompt(system="", user="Say something.", max_tokens=24, temperature=1.5, seed=1)
    first, again, other = [
        good((await generation.generate([prompt], within_s=ENOUGH_S))[0]).text
        for prompt in (warm, warm, replace(warm, seed=2))
    ]
    assert first == again != other


async def test_a_schema_that_is_none_is_refused(generation: Generation) -> None:
    answers = await generation.generate([asking(schema={"type": "no-such-type"}), only("a")], within_s=ENOUGH_S)
    assert answers[0] is GenerationFault.REFUSED
    assert good(answers[1]).text == '"a"'


async def test_text_that_is_not_unicode_is_refused(generation: Generation) -> None:
    assert await generation.generate([asking("\ud800")], within_s=ENOUGH_S) == [GenerationFault.REFUSED]


async def test_the_server_tells_what_it_has_and_counts(triton: TritonServer, models: TritonModels) -> None:
    assert await models.live()
    assert await models.ready()
    listed = {each.name: each for each in await models.index()}
    assert set(listed) == {"embeddings", "llama3_mapper", "phi3_analyst"}
    assert all(each.ready and each.version == "1" for each in listed.values())
    (before,) = await models.statistics("phi3_analyst")
    async with generating(TritonModel(triton.address, "phi3_analyst")) as analyst:
        await analyst.generate([asking()] * 3, within_s=ENOUGH_S)
    (after,) = await models.statistics("phi3_analyst")
    assert after.requests == before.requests + 3
    assert after.compute_s > before.compute_s


async def test_prometheus_reads_what_was_asked(triton: TritonServer, generation: Generation) -> None:
    def count() -> int:
        with urllib.request.urlopen(triton.metrics, timeout=30) as answer:
            told = answer.read().decode()
        (line,) = re.findall(r'nv_inference_request_success\{model="llama3_mapper",version="1"\} (\d+)', told)
        return int(line)

    before = await asyncio.to_thread(count)
    await generation.generate([asking()], within_s=ENOUGH_S)
    for _ in range(200):  # the server counts every two seconds
        if await asyncio.to_thread(count) > before:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the request was not counted")


async def test_models_are_unloaded_and_loaded_while_clients_stay(triton: TritonServer, models: TritonModels) -> None:
    async with generating(TritonModel(triton.address, "phi3_analyst")) as analyst:
        good((await analyst.generate([only("a")], within_s=ENOUGH_S))[0])
        await models.unload("phi3_analyst")
        for _ in range(200):
            if await analyst.unready() is GenerationFault.MODEL_NOT_LOADED:
                break
            await asyncio.sleep(0.1)
        assert await analyst.unready() is GenerationFault.MODEL_NOT_LOADED
        assert await analyst.generate([only("a")], within_s=ENOUGH_S) == [GenerationFault.MODEL_NOT_LOADED]
        with pytest.raises(ModelServingError, match="model_not_loaded"):
            async for _ in analyst.stream(only("a"), within_s=ENOUGH_S):
                pass
        assert await models.statistics("phi3_analyst") == []
        await models.load("phi3_analyst")
        assert await analyst.unready() is None
        assert good((await analyst.generate([only("a")], within_s=ENOUGH_S))[0]).text == '"a"'


async def test_a_model_that_does_not_load_leaves_the_one_that_answers(
    triton: TritonServer, models: TritonModels
) -> None:
    with pytest.raises(ModelServingError) as caught:
        await models.load("phi3_analyst", parameters={"weights": "/no/such/folder"})
    assert caught.value.error_code is ErrorCode.UPSTREAM_INVALID_RESPONSE
    async with generating(TritonModel(triton.address, "phi3_analyst")) as analyst:
        assert good((await analyst.generate([only("a")], within_s=ENOUGH_S))[0]).text == '"a"'


@pytest.mark.parametrize("act", ["load", "unload", "statistics"])
async def test_a_model_that_the_repository_does_not_have_is_said_so(models: TritonModels, act: str) -> None:
    with pytest.raises(ModelServingError) as caught:
        await getattr(models, act)("no-such-model")
    assert caught.value.error_code is ErrorCode.NOT_FOUND


async def test_a_real_model_takes_the_tiny_ones_place_and_answers_in_the_schema(
    triton: TritonServer, models: TritonModels, smollm2: Path
) -> None:
    parameters = {"weights": str(smollm2), "chat_template": "chatml", "release": "smollm2-135m"}
    await models.load("phi3_analyst", parameters=parameters)
    try:
        async with generating(TritonModel(triton.address, "phi3_analyst")) as analyst:
            answers = await analyst.generate([asking(likely_tokens=2), asking("And which?")], within_s=ENOUGH_S)
            assert all(json.loads(good(each).text) in PICK["enum"] for each in answers)
            assert good(answers[0]).prompt_tokens < 40
            assert await analyst.model_version() == "1+smollm2-135m"
            pieces = [piece async for piece in analyst.stream(asking(schema=None, max_tokens=6), within_s=ENOUGH_S)]
            assert len(pieces) > 1
    finally:
        await models.load("phi3_analyst")
