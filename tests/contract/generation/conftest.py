"""A tiny real model, LoRA weights for it, and a server of both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from llama_mapper.domain.mapping.generation.ports import Generation
from tests.contract.generation.contract import Opened
from tests.support.llama_server import LlamaServer, llama_server
from tests.support.tiny_gguf import write_adapter, write_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file of random weights."""
    return write_model(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def tiny_adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LoRA weights for it."""
    return write_adapter(tmp_path_factory.mktemp("lora") / "other.gguf")


@pytest.fixture(scope="package")
def llama(tiny_model: Path, tiny_adapter: Path) -> Iterator[LlamaServer]:
    """A server that speaks OpenAI's chat completions."""
    with llama_server(tiny_model, [tiny_adapter]) as server:
        yield server


@pytest.fixture(scope="package")
def quick_llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    """A server of a smaller model, for long prompts."""
    path = write_model(tmp_path_factory.mktemp("gguf") / "tiny.gguf", layers=1)
    with llama_server(path) as server:
        yield server


@pytest.fixture(scope="module")
async def generation(opened: Opened) -> AsyncIterator[Generation]:
    """The adapter of the module's `opened`."""
    async with opened() as ready:
        yield ready
