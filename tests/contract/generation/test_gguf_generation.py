"""A GGUF file in a worker process: the contract, and what can happen to file and process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.generation.gguf_generation import GgufGeneration, GgufModel
from llama_mapper.domain.mapping.generation.ports import GenerationFault
from tests.contract.generation.contract import ENOUGH_S, GenerationContract, Opened, asking, good, only


@asynccontextmanager
async def unloaded(model: GgufModel, on_problem: Callable[[str], None] | None = None) -> AsyncIterator[GgufGeneration]:
    generation = GgufGeneration(model, on_problem)
    try:
        yield generation
    finally:
        await generation.close()


@asynccontextmanager
async def loaded(model: GgufModel) -> AsyncIterator[GgufGeneration]:
    async with unloaded(model) as generation:
        good((await generation.generate([only("a")], within_s=ENOUGH_S))[0])
        yield generation


@pytest.fixture(scope="module")
def opened(tiny_model: Path, tiny_adapter: Path) -> Opened:
    """With the tiny model and its adapter."""
    return lambda: loaded(GgufModel(tiny_model, context=8192, adapters={"other": tiny_adapter}))


class TestGgufGeneration(GenerationContract):
    adapter = "other"


async def test_the_version_is_the_files_digest(tiny_model: Path) -> None:
    digest = sha256(tiny_model.read_bytes()).hexdigest()
    async with loaded(GgufModel(tiny_model, sha256=digest.upper(), context=512)) as generation:
        assert await generation.model_version() == f"sha256:{digest[:16]}"
        assert generation.name == "gguf/tiny"


async def test_another_file_than_the_configured_one_is_not_loaded(tiny_model: Path) -> None:
    told: list[str] = []
    async with unloaded(GgufModel(tiny_model, sha256="0" * 64), told.append) as generation:
        assert await generation.generate([asking()], within_s=ENOUGH_S) == [GenerationFault.MODEL_NOT_LOADED]
        assert generation.problem == "the SHA-256 of the model's file is not the configured one"
        assert told == [generation.problem]
        assert await generation.model_version() == "unknown"


@pytest.mark.parametrize("content", [None, b"", b"GGUF", b"GGUF\x03\x00\x00\x00" + b"\xff" * 64, b"\x00" * 4096])
async def test_a_file_that_is_no_model_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.gguf"
    if content is not None:
        path.write_bytes(content)
    async with unloaded(GgufModel(path)) as generation:
        assert await generation.generate([asking()] * 2, within_s=ENOUGH_S) == [GenerationFault.MODEL_NOT_LOADED] * 2
        assert generation.problem
        assert await generation.unready() is GenerationFault.MODEL_NOT_LOADED


async def test_a_truncated_file_is_told(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes(tiny_model.read_bytes()[:-4096])
    async with unloaded(GgufModel(path)) as generation:
        assert await generation.generate([asking()], within_s=ENOUGH_S) == [GenerationFault.MODEL_NOT_LOADED]


async def test_a_worker_that_died_is_started_again(tiny_model: Path) -> None:
    async with loaded(GgufModel(tiny_model, context=8192)) as generation:
        process = generation._process
        assert process is not None
        long = asking(schema=None, max_tokens=4000)
        waiting = asyncio.create_task(generation.generate([long], within_s=ENOUGH_S))
        await asyncio.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        assert await waiting == [GenerationFault.UNAVAILABLE]
        await process.wait()
        assert good((await generation.generate([only("a")], within_s=ENOUGH_S))[0]).text == '"a"'


async def test_the_worker_ends_with_whoever_started_it(tiny_model: Path) -> None:
    async with loaded(GgufModel(tiny_model, context=512)) as generation:
        process = generation._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()  # as the system does for a process that ends
        await asyncio.wait_for(process.wait(), 30)


async def test_a_question_waits_for_the_model_within_its_time(tiny_model: Path) -> None:
    async with unloaded(GgufModel(tiny_model, context=512)) as generation:
        assert await generation.unready() is GenerationFault.MODEL_NOT_LOADED
        assert await generation.generate([only("a")], within_s=0.0001) == [GenerationFault.TIMEOUT]
        assert good((await generation.generate([only("a")], within_s=ENOUGH_S))[0]).text == '"a"'
        assert await generation.unready() is None


async def test_closing_while_the_model_loads_leaves_no_process(tiny_model: Path) -> None:
    generation = GgufGeneration(GgufModel(tiny_model))
    generation.start()
    await asyncio.sleep(0.05)
    await generation.close()
    assert generation._process is None
    assert await generation.generate([asking()], within_s=1.0) == [GenerationFault.UNAVAILABLE]
