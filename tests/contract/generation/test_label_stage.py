"""The model stage over a real server, and labels that try to steer it.

The weights are random, so whatever binds the answer binds it against a model that has no idea.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llama_mapper.adapters.mapping.generation.openai_dialects import Dialect
from llama_mapper.adapters.mapping.generation.openai_generation import OpenAiGeneration, OpenAiServer
from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
from llama_mapper.domain.mapping.generation.definitions import definitions_of
from llama_mapper.domain.mapping.generation.label_prompt import AnswerForm
from llama_mapper.domain.mapping.generation.label_stage import LabelModelStage
from llama_mapper.domain.mapping.labels import LabelKey
from tests.support.hostile_labels import HOSTILE_LABELS
from tests.support.llama_server import LlamaServer
from tests.support.servers import free_port

_TAXONOMY = load_raw_catalogue().taxonomy
DEFINITIONS = definitions_of(_TAXONOMY)
CATEGORIES = [each for each in DEFINITIONS if each.count(".") == 1][:6]


@asynccontextmanager
async def asked(server: OpenAiServer, form: AnswerForm = AnswerForm.OPTION) -> AsyncIterator[LabelModelStage]:
    generation = OpenAiGeneration(server)
    try:
        yield LabelModelStage(generation, DEFINITIONS, CATEGORIES, form=form)
    finally:
        await generation.close()


def real(quick_llama: LlamaServer) -> OpenAiServer:
    return OpenAiServer(quick_llama.url, "tiny", Dialect.LLAMA_CPP, key=quick_llama.key, concurrency=2)


@pytest.mark.parametrize("form", AnswerForm)
async def test_hostile_labels_never_lead_off_the_taxonomy_nor_show_in_an_answer(
    quick_llama: LlamaServer, form: AnswerForm
) -> None:
    keys = [LabelKey("acme", None, label) for label in HOSTILE_LABELS]
    async with asked(real(quick_llama), form) as stage:
        rankings = await stage.rank(keys, within_s=120)
        wrong = stage.wrong_answers
        version = stage.version
    answered = 0
    for key, ranking in zip(keys, rankings, strict=True):
        assert {each.canonical for each in ranking.candidates} <= set(CATEGORIES)
        assert ranking.fault in (None, "llama_cpp_invalid_answer")
        assert len(key.label) < 8 or key.label not in repr(ranking) + version
        answered += ranking.fault is None
        assert ranking.fault or ranking.completion_tokens
    if form is AnswerForm.OPTION:
        assert answered == len(keys)
        assert wrong == 0


async def test_the_scores_are_shares_of_the_options(quick_llama: LlamaServer) -> None:
    async with asked(real(quick_llama)) as stage:
        (ranking,) = await stage.rank([LabelKey("acme", None, "EMAIL")], within_s=60)
        again = await stage.rank([LabelKey("acme", None, "EMAIL")] * 2, within_s=60)
    scores = [each.score for each in ranking.candidates]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) <= 1.0001
    assert len(again) == 2
    assert "@" in stage.version


async def test_a_server_that_is_away_is_a_fault_of_every_label() -> None:
    async with asked(OpenAiServer(f"http://127.0.0.1:{free_port()}", "m", Dialect.VLLM)) as stage:
        rankings = await stage.rank([LabelKey("a", None, "x"), LabelKey("a", None, "y")], within_s=30)
    assert [(each.candidates, each.fault) for each in rankings] == [((), "vllm_unavailable")] * 2
